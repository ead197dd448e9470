/* checkpoint.c -- saving, finding and pruning checkpoints.
 *
 * Order of a save: write beside, fsync, rename, fsync directory (ctr_outfile), read back, link,
 * prune. Invariant: whatever call fails or wherever the process dies, the newest whole checkpoint
 * is that before or that after. Which is newest is told by the steps in the names, never by `last`.
 */
#include "train/checkpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/outfile.h"
#include "base/status.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char prefix[] = "step-", suffix[] = ".safetensors";

char *ctr_checkpoint_path(const char *dir, uint64_t step)
{
    char name[64];
    snprintf(name, sizeof name, "%s%08llu%s", prefix, (unsigned long long)step, suffix);
    return ctr_path_join(dir, name);
}

/* The step in a checkpoint's file name; names that ctr_checkpoint_path would not make are no
 * checkpoints. */
static int parse_name(uint64_t *step, const char *name)
{
    char digits[32], again[64];
    unsigned long long v;
    size_t n = strlen(name), fixed = sizeof prefix - 1 + sizeof suffix - 1;
    if (n <= fixed || n - fixed >= sizeof digits || strncmp(name, prefix, sizeof prefix - 1) != 0)
        return 0;
    memcpy(digits, name + sizeof prefix - 1, n - fixed);
    digits[n - fixed] = '\0';
    if (ctr_parse_u64(digits, &v) != 0)
        return 0;
    snprintf(again, sizeof again, "%s%08llu%s", prefix, v, suffix);
    if (strcmp(again, name) != 0)
        return 0;
    *step = v;
    return 1;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x > y ? -1 : x < y;
}

int ctr_checkpoint_list(uint64_t **steps, size_t *n, const char *dir)
{
    uint64_t *found = NULL, step;
    size_t count = 0, cap = 0;
    int rc = 0;
    DIR *d = opendir(dir);
    if (!d)
        return ctr_hint(
            ctr_fail(CTR_E_MODEL, "cannot read directory '%s': %s", dir, strerror(errno)),
            "a run is the directory that `clcontrast train --out` named");
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;)
        if (parse_name(&step, e->d_name) &&
            (rc = ctr_grow((void **)&found, &cap, count + 1, sizeof *found)) == 0)
            found[count++] = step;
    closedir(d);
    if (rc != 0) {
        free(found);
        return rc;
    }
    if (count > 0)
        qsort(found, count, sizeof *found, newest_first);
    *steps = found;
    *n = count;
    return 0;
}

static int open_step(struct ctr_st **out, const char *dir, uint64_t step, unsigned flags)
{
    struct ctr_st *st = NULL;
    char want[24];
    char *path = ctr_checkpoint_path(dir, step);
    if (!path)
        return CTR_E_FAIL;
    int rc = ctr_st_open(&st, path, CTR_ST_SEALED | flags);
    if (rc == 0) {
        const char *have = ctr_st_meta_value(st, "step");
        snprintf(want, sizeof want, "%llu", (unsigned long long)step);
        if (!have || strcmp(have, want) != 0)
            rc = ctr_fail(CTR_E_MODEL, "'%s' holds step %.40s: the file was renamed", path,
                          have ? have : "(none)");
    }
    if (rc == 0)
        *out = st;
    else
        ctr_st_close(&st);
    free(path);
    return rc;
}

int ctr_checkpoint_open(struct ctr_st **out, const char *dir, uint64_t step)
{
    return open_step(out, dir, step, 0);
}

int ctr_checkpoint_open_newest(struct ctr_st **out, uint64_t *step, const char *dir)
{
    uint64_t *steps = NULL;
    size_t n = 0;
    int rc = ctr_checkpoint_list(&steps, &n, dir);
    if (rc != 0)
        return rc;
    rc = ctr_fail(CTR_E_MODEL, "no checkpoint in '%s'", dir);
    for (size_t i = 0; i < n; i++) {
        rc = open_step(out, dir, steps[i], 0);
        if (rc == 0) {
            *step = steps[i];
            break;
        }
        ctr_log(CTR_LOG_WARN, "passing over a checkpoint: %s", ctr_error_text());
        if (rc == CTR_E_FAIL) /* no memory for a good one is no reason to take an older one */
            break;
    }
    if (rc == CTR_E_MODEL && n > 0)
        ctr_hint(rc, "no checkpoint of this run is whole: train again, with another --out");
    free(steps);
    return rc;
}

int ctr_checkpoint_peek(struct ctr_st **out, const char *dir)
{
    uint64_t *steps = NULL;
    size_t n = 0;
    int rc = ctr_checkpoint_list(&steps, &n, dir);
    if (rc == 0)
        rc = ctr_fail(CTR_E_MODEL, "no checkpoint in '%s'", dir);
    for (size_t i = 0; rc == CTR_E_MODEL && i < n; i++)
        rc = open_step(out, dir, steps[i], CTR_ST_HEADER);
    free(steps);
    return rc;
}

/* `last` never dangles: a new link is renamed over the old one. Where links are not to be had the
 * checkpoint counts all the same. */
static void link_last(const char *dir, const char *path)
{
    char name[32];
    snprintf(name, sizeof name, "last" CTR_OUTFILE_MARK "%ld", (long)getpid());
    char *tmp = ctr_path_join(dir, name), *last = ctr_path_join(dir, "last");
    const char *target = strrchr(path, '/') + 1; /* path was joined from dir */
    if (tmp && last) {
        unlink(tmp);
        if (symlink(target, tmp) != 0 || rename(tmp, last) != 0) {
            ctr_log(CTR_LOG_WARN, "cannot link '%s' to '%s': %s", last, target, strerror(errno));
            unlink(tmp);
        }
    }
    free(tmp);
    free(last);
}

static void prune(const char *dir, uint64_t step, unsigned keep)
{
    uint64_t *steps = NULL;
    size_t n = 0, kept = 0;
    if (ctr_checkpoint_list(&steps, &n, dir) != 0)
        return;
    for (size_t i = 0; i < n; i++) {
        int replaced = steps[i] > step;
        if (!replaced && (keep == 0 || kept++ < keep))
            continue;
        char *path = ctr_checkpoint_path(dir, steps[i]);
        if (path && unlink(path) != 0)
            ctr_log(CTR_LOG_WARN, "cannot remove '%s': %s", path, strerror(errno));
        else if (path && replaced)
            ctr_log(CTR_LOG_INFO, "removed '%s', which step %llu replaces", path,
                    (unsigned long long)step);
        free(path);
    }
    free(steps);
}

/* What was just written, read back; a file that does not verify is taken away again. */
static int verify(const char *dir, const char *path, uint64_t step)
{
    struct ctr_st *st = NULL;
    int rc = open_step(&st, dir, step, CTR_ST_VERIFY);
    ctr_st_close(&st);
    if (rc == CTR_E_MODEL) {
        rc = ctr_fail_in(CTR_E_IO, "written but not read back");
        unlink(path);
    }
    return rc;
}

int ctr_checkpoint_save(const char *dir, const struct ctr_st_tensor *tensors,
                        const struct ctr_st_meta *meta, uint64_t step, unsigned keep,
                        size_t n_tensors, size_t n_meta)
{
    int rc = 0;
    char text[24];
    char *path = ctr_checkpoint_path(dir, step);
    struct ctr_st_meta *all = ctr_alloc(n_meta + 1, sizeof *all);
    if (!path || !all)
        CTR_TRY(CTR_E_FAIL);
    snprintf(text, sizeof text, "%llu", (unsigned long long)step);
    all[0] = (struct ctr_st_meta){"step", text};
    if (n_meta > 0)
        memcpy(all + 1, meta, n_meta * sizeof *all);
    ctr_outfile_clear(dir, NULL);
    CTR_TRY(ctr_st_write(path, tensors, all, CTR_ST_SEALED, n_tensors, n_meta + 1));
    CTR_TRY(verify(dir, path, step));
    link_last(dir, path);
    prune(dir, step, keep);
out:
    free(path);
    free(all);
    return rc;
}
