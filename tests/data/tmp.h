/* tmp.h -- a directory for a test's files, made empty and removed with all it holds. */
#ifndef CTR_TESTS_DATA_TMP_H
#define CTR_TESTS_DATA_TMP_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"

struct tmp {
    char dir[64];
    char path[8192]; /* of the last tmp_path */
};

static inline void tmp_make(struct tmp *t)
{
    strcpy(t->dir, "/tmp/ctr-test-XXXXXX");
    if (!mkdtemp(t->dir))
        abort();
}

static inline int tmp_unlink(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void tmp_remove(struct tmp *t)
{
    nftw(t->dir, tmp_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

/* dir/name, the directories on the way made. Valid until the next call. */
static inline const char *tmp_path(struct tmp *t, const char *name)
{
    snprintf(t->path, sizeof t->path, "%s/%s", t->dir, name);
    char *slash = strrchr(t->path, '/');
    *slash = '\0';
    if (ctr_mkdirs(t->path) != 0)
        abort();
    *slash = '/';
    return t->path;
}

static inline void tmp_write(struct tmp *t, const char *name, const void *data, size_t n)
{
    FILE *f = fopen(tmp_path(t, name), "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f) != 0)
        abort();
}

/* A 2 x 2 PPM of one colour. */
static inline void tmp_ppm(struct tmp *t, const char *name, unsigned char red)
{
    unsigned char ppm[11 + 12] = "P6 2 2 255\n";
    for (int i = 0; i < 4; i++)
        ppm[11 + 3 * i] = red;
    tmp_write(t, name, ppm, sizeof ppm);
}

#endif
