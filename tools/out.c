/* out.c -- see out.h. */
#include "out.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/os.h"
#include "base/outfile.h"
#include "base/status.h"
#include "io/vectors.h"
#include "train/run.h"

int out_given(const char *path, const char *example)
{
    return path ? 0 : ctr_hint(ctr_fail(CTR_E_USAGE, "no --out given"), "for example %s", example);
}

static int check(const char *path, int replace)
{
    struct ctr_outfile file;
    struct stat is;
    if (!replace && stat(path, &is) == 0 && S_ISREG(is.st_mode))
        return ctr_hint(ctr_fail(CTR_E_USAGE, "'%s' is there already", path),
                        "--overwrite replaces it");
    int rc = ctr_outfile_open(&file, path);
    if (rc == 0)
        ctr_outfile_abort(&file);
    return rc;
}

int out_check(const char *option, const char *path, int replace)
{
    int rc = path ? check(path, replace) : 0;
    return rc ? ctr_fail_in(rc, "--%s", option) : 0;
}

static int is_same(const char *a, const char *b)
{
    struct stat at, bt;
    return stat(a, &at) == 0 && stat(b, &bt) == 0 && at.st_dev == bt.st_dev && at.st_ino == bt.st_ino;
}

/* Whether path is the file `in`, or one that belongs to it: beside vectors, in a run. */
static int is_of(const char *path, const char *in)
{
    static const char *const of_run[] = {"config.toml", "metrics.jsonl", "train.log",
                                         CTR_RUN_KERNELS, NULL};
    int same = is_same(path, in);
    for (size_t i = 0; !same && ctr_vectors_endings[i]; i++) {
        char *beside = ctr_vectors_beside(in, ctr_vectors_endings[i]);
        same = beside && is_same(path, beside);
        free(beside);
    }
    for (size_t i = 0; !same && of_run[i]; i++) {
        char *file = ctr_path_join(in, of_run[i]);
        same = file && is_same(path, file);
        free(file);
    }
    return same;
}

int out_spares(const char *option, const char *path, const char *const *in, size_t n)
{
    for (size_t i = 0; path && i < n; i++)
        if (in[i] && is_of(path, in[i]))
            return ctr_fail(CTR_E_USAGE, "--%s: '%s' is what is read", option, path);
    return 0;
}
