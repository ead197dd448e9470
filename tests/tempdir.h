/* tempdir.h -- a directory for one test, and files in it. Include cmocka.h and base/os.h before. */
#ifndef TESTS_TEMPDIR_H
#define TESTS_TEMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tempdir {
    char dir[32];
    char path[512]; /* of the last tempdir_path */
};

static inline void tempdir_make(struct tempdir *t)
{
    strcpy(t->dir, "/tmp/ctr-test-XXXXXX");
    assert_non_null(mkdtemp(t->dir));
}

/* "dir/name", valid until the next call. */
static inline const char *tempdir_path(struct tempdir *t, const char *name)
{
    snprintf(t->path, sizeof t->path, "%s/%s", t->dir, name);
    return t->path;
}

static inline int tempdir_unlink(const char *path, const struct stat *info, int type,
                                 struct FTW *ftw)
{
    (void)info, (void)type, (void)ftw;
    return remove(path);
}

static inline void tempdir_remove(struct tempdir *t)
{
    assert_int_equal(nftw(t->dir, tempdir_unlink, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* Writes without the library under test. */
static inline void tempdir_put(const char *path, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static inline char *tempdir_get(const char *path, size_t *bytes)
{
    void *data;
    assert_int_equal(ctr_file_read(&data, bytes, path, (size_t)1 << 30), 0);
    return data;
}

#endif
