/* The bytes of .npy files as numpy/lib/format.py describes them. */
#include "io/npy.h"
#include "base/os.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
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

static void arrays(void **state)
{
    (void)state;
    struct tempdir t;
    const float f[6] = {1, 2, 3, 4, 5, 6};
    const int64_t labels[3] = {-1, 2, INT64_MAX};
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "x.npy");
    assert_int_equal(ctr_npy_write_f32(path, f, (uint64_t[]){2, 3}, 2), 0);
    check(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", f, 24);
    assert_int_equal(ctr_npy_write_i64(path, labels, (uint64_t[]){3}, 1), 0);
    check(path, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", labels, 24);
    assert_int_equal(ctr_npy_write_f32(path, f, NULL, 0), 0);
    check(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", f, 4);
    assert_int_equal(ctr_npy_write_f32(path, NULL, (uint64_t[]){0, 128}, 2), 0);
    check(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 128), }", NULL, 0);
    tempdir_remove(&t);
}

static void refused(void **state)
{
    (void)state;
    const float f = 1;
    const uint64_t big[11] = {1ull << 33, 1ull << 33, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    assert_int_equal(ctr_npy_write_f32("/proc/x", &f, big, 2), CTR_E_USAGE);
    assert_int_equal(ctr_npy_write_f32("/proc/x", &f, big + 2, 9), CTR_E_USAGE);
    assert_int_equal(ctr_npy_write_f32("/proc/x", NULL, big + 2, 1), CTR_E_USAGE);
    assert_int_equal(ctr_npy_write_f32("/proc/nowhere/x", &f, big + 2, 1), CTR_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
