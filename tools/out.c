/* out.c -- see out.h. */
#include "out.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/status.h"
#include "io/vectors.h"

int out_given(const char *path, const char *example)
{
    return path ? 0 : ctr_hint(ctr_fail(CTR_E_USAGE, "no --out given"), "for example %s", example);
}

static int check(const char *path, int replace)
{
    struct ctr_outfile file;
    struct stat is;
    int rc = ctr_outfile_open(&file, path);
    if (rc != 0)
        return rc;
    int there = stat(path, &is) == 0;
    ctr_outfile_abort(&file);
    return there && !replace ? ctr_hint(ctr_fail(CTR_E_USAGE, "'%s' is there already", path),
                                        "--overwrite replaces it")
                             : 0;
}

int out_check(const char *option, const char *path, int replace)
{
    int rc = path ? check(path, replace) : 0;
    return rc ? ctr_fail_in(rc, "--%s", option) : 0;
}

int out_spares(const char *option, const char *path, const char *in)
{
    struct stat a, b;
    if (!path || stat(path, &a) != 0 || stat(in, &b) != 0 || a.st_dev != b.st_dev ||
        a.st_ino != b.st_ino)
        return 0;
    return ctr_fail(CTR_E_USAGE, "--%s: '%s' is what is read", option, path);
}

int out_spares_vectors(const char *option, const char *path, const char *npy)
{
    int rc = out_spares(option, path, npy);
    for (size_t i = 0; rc == 0 && ctr_vectors_endings[i]; i++) {
        char *beside = ctr_vectors_beside(npy, ctr_vectors_endings[i]);
        rc = beside ? out_spares(option, path, beside) : CTR_E_FAIL;
        free(beside);
    }
    return rc;
}
