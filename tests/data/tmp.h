/* tmp.h -- what tests of the data layer put into a temporary directory. */
#ifndef TESTS_DATA_TMP_H
#define TESTS_DATA_TMP_H

#include "base/os.h"

#include "../tempdir.h"

/* dir/name, the directories on the way made; valid until the next call. */
static inline const char *tmp_path(struct tempdir *t, const char *name)
{
    tempdir_path(t, name);
    char *slash = strrchr(t->path, '/');
    *slash = '\0';
    assert_int_equal(ctr_mkdirs(t->path), 0);
    *slash = '/';
    return t->path;
}

static inline void tmp_write(struct tempdir *t, const char *name, const void *data, size_t n)
{
    tempdir_put(tmp_path(t, name), data, n);
}

/* A 2 x 2 PPM of one colour. */
static inline void tmp_ppm(struct tempdir *t, const char *name, unsigned char red)
{
    unsigned char ppm[11 + 12] = "P6 2 2 255\n";
    for (int i = 0; i < 4; i++)
        ppm[11 + 3 * i] = red;
    tmp_write(t, name, ppm, sizeof ppm);
}

#endif
