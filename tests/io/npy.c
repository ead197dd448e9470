/* The bytes of .npy files as numpy/lib/format.py describes them. */
#include "io/npy.h"
#include "base/os.h"
#include "base/outfile.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include "io/vectors.h"
#include "../filefaults.h"
#include "../tempdir.h"

static void check(const char *path, const char *dict, const void *data, size_t bytes)
{
    size_t n;
    char *got = tempdir_get(path, &n);
    size_t len = (size_t)(uint8_t)got[8] | (size_t)(uint8_t)got[9] << 8;
    assert_memory_equal(got, "\x93NUMPY\1\0", 8);
    assert_int_equal((10 + len) % 64, 0);
    assert_memory_equal(got + 10, dict, strlen(dict));
    for (size_t i = 10 + strlen(dict); i < 9 + len; i++)
        assert_int_equal(got[i], ' ');
    assert_int_equal(got[9 + len], '\n');
    assert_int_equal(n, 10 + len + bytes);
    if (bytes)
        assert_memory_equal(got + 10 + len, data, bytes);
    free(got);
}

static int put(const char *path, const char *descr, const void *data, const uint64_t *dims,
               unsigned rank)
{
    struct ctr_outfile file;
    int rc = ctr_outfile_open(&file, path);
    if (rc == 0 && (rc = ctr_npy_write(&file, descr, data, dims, rank)) == 0)
        rc = ctr_outfile_sync(&file); /* commit finds it done */
    if (rc == 0)
        return ctr_outfile_commit(&file);
    ctr_outfile_abort(&file);
    return rc;
}

static void arrays(void **state)
{
    (void)state;
    struct tempdir t;
    const float f[6] = {1, 2, 3, 4, 5, 6};
    const int64_t labels[3] = {-1, 2, INT64_MAX};
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "x.npy");
    assert_int_equal(put(path, "<f4", f, (uint64_t[]){2, 3}, 2), 0);
    check(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", f, 24);
    assert_int_equal(put(path, "<i8", labels, (uint64_t[]){3}, 1), 0);
    check(path, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", labels, 24);
    assert_int_equal(put(path, "<f4", f, NULL, 0), 0);
    check(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", f, 4);
    assert_int_equal(put(path, "<f4", NULL, (uint64_t[]){0, 128}, 2), 0);
    check(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 128), }", NULL, 0);
    tempdir_remove(&t);
}

static void refused(void **state)
{
    (void)state;
    const float f = 1;
    const uint64_t big[11] = {1ull << 33, 1ull << 33, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct tempdir t;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "x.npy");
    assert_int_equal(put(path, "<f4", &f, big, 2), CTR_E_USAGE);
    assert_int_equal(put(path, "<f4", &f, big + 2, 9), CTR_E_USAGE);
    assert_int_equal(put(path, "<f4", NULL, big + 2, 1), CTR_E_USAGE);
    assert_int_equal(put("/proc/nowhere/x", "<f4", &f, big + 2, 1), CTR_E_IO);
    assert_int_equal(rmdir(t.dir), 0); /* nothing left behind */
}

static const char *of(struct tempdir *t, const char *ending)
{
    char name[32];
    snprintf(name, sizeof name, "x.%s", ending);
    return tempdir_path(t, name);
}

static int is_old(const char *path)
{
    size_t n = 0;
    char *data = access(path, F_OK) == 0 ? tempdir_get(path, &n) : NULL;
    int old = data && strcmp(data, "old") == 0;
    free(data);
    return old;
}

/* What `embed` writes: five files that belong together. Each call fails, alone or with all after it: the
 * earlier files are what they were; in between them and the new ones is only a set that does not say it is
 * one, and of it no row has a name of the other. */
static void failing_calls(void **state)
{
    (void)state;
    static const char *const endings[] = {"npy", "labels.npy", "classes.txt", "paths.txt", "json"};
    static const char *const name[] = {"a", "b"}, *const class_name[] = {"c"};
    static const int errors[] = {EIO, ENOSPC};
    const struct ctr_vectors v = {.n = 2,
                                  .D = 3,
                                  .x = (float[6]){1, 2, 3, 4, 5, 6},
                                  .label = (int32_t[2]){0},
                                  .name = name,
                                  .class_name = class_name,
                                  .n_classes = 1};
    struct tempdir t;
    long old = 0, between = 0;
    tempdir_make(&t);
    char path[64];
    snprintf(path, sizeof path, "%s/x.npy", t.dir);
    for (int mode = 0; mode < 4; mode++)
        for (long at = 1, done = 0; !done; at++) {
            int n_old = 0, there = 0;
            for (int i = 0; i < 5; i++)
                tempdir_put(of(&t, endings[i]), "old", 3);
            filefaults_arm(at, errors[mode % 2], mode / 2);
            int rc = ctr_vectors_write(path, &v);
            done = !filefaults_disarm();
            for (int i = 0; i < 5; i++) {
                there += access(of(&t, endings[i]), F_OK) == 0;
                n_old += is_old(of(&t, endings[i]));
            }
            if (rc == 0) {
                assert_int_equal(n_old, 0);
                assert_int_equal(there, 5);
                continue;
            }
            assert_int_equal(rc, CTR_E_IO);
            assert_non_null(strstr(ctr_error_text(), t.dir));
            old += n_old == 5;
            between += n_old < 5;
            assert_true(n_old == 5 || access(of(&t, "json"), F_OK) != 0);
            assert_true(n_old == 0 || n_old == there);
        }
    assert_true(old >= 4 * 5 * 4 && between >= 4 * 5);
    tempdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_calls),
        cmocka_unit_test(arrays),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
