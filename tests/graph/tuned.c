/* The store of what a search has found: damage, other devices, no place, two at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/file.h>

#include "tune_rig.h"

static void corrupt(struct fixture *f, size_t how, char *data, size_t n)
{
    const char *path = store_file(f, ".txt");
    switch (how) {
    case 0: /* truncated */
        tempdir_put(path, data, n / 2);
        break;
    case 1: /* a line lost at the end */
        tempdir_put(path, data, n - 22);
        break;
    case 2: /* a bit */
        data[n / 2] ^= 1;
        tempdir_put(path, data, n);
        data[n / 2] ^= 1;
        break;
    case 3:
        tempdir_put(path, "", 0);
        break;
    case 4:
        tempdir_put(path, "\0\0\n", 3);
        break;
    default: /* another file under this name: its head is another's */
        data[sizeof "clcontrast choices 1\ndevice "] ^= 1;
        tempdir_put(path, data, n);
        data[sizeof "clcontrast choices 1\ndevice "] ^= 1;
    }
}

static void test_damaged_store(void **state)
{
    struct fixture f;
    size_t n;
    start(&f);
    add(&f, &fake, 1000, 0);
    tune(&f);
    assert_non_null(ctr_tuned_entry(f.tuned, 0));
    char *data = tempdir_get(store_file(&f, ".txt"), &n);
    for (size_t how = 0; how < 6; how++) {
        corrupt(&f, how, data, n);
        reopen(&f);
        assert_null(ctr_tuned_entry(f.tuned, 0));
        assert_string_equal(ctr_tuned_list(f.tuned), "");
    }
    tune(&f); /* and it is replaced */
    reopen(&f);
    assert_non_null(ctr_tuned_entry(f.tuned, 0));
    free(data);
    end(&f);
}

/* Another device has another file. */
static void test_other_device(void **state)
{
    struct fixture f;
    ctr_dev *null = NULL;
    ctr_tuned *other = NULL;
    start(&f);
    add(&f, &fake, 1000, 0);
    tune(&f);
    assert_ok(ctr_dev_open(&null, "null", NULL));
    assert_ok(ctr_tuned_open(&other, null));
    assert_null(ctr_tuned_entry(other, 0));
    ctr_tuned_close(&other);
    ctr_dev_destroy(&null);
    end(&f);
}

static void test_no_place(void **state)
{
    struct fixture f;
    start(&f);
    add(&f, &fake, 1000, 0);
    tempdir_put(tempdir_path(&f.dir, "file"), "", 0);
    setenv("XDG_CACHE_HOME", f.dir.path, 1);
    reopen(&f);
    assert_int_equal(ctr_tune(&f.report, f.tuned, f.g, &f.params), CTR_E_IO);
    setenv("XDG_CACHE_HOME", f.dir.dir, 1);
    assert_ok(ctr_mkdirs(tempdir_path(&f.dir, "clcontrast")));
    tempdir_put(tempdir_path(&f.dir, "clcontrast/tuned"), "", 0); /* a file in the folder's place */
    reopen(&f);
    assert_int_equal(ctr_tune(&f.report, f.tuned, f.g, &f.params), CTR_E_IO);
    setenv("CTR_KERNEL_DIR", f.dir.dir, 1); /* kernels whose text may change at any time */
    reopen(&f);
    assert_int_equal(ctr_tune(&f.report, f.tuned, f.g, &f.params), CTR_E_USAGE);
    unsetenv("CTR_KERNEL_DIR");
    end(&f);
}

static void test_one_at_a_time(void **state)
{
    struct fixture f;
    start(&f);
    add(&f, &fake, 1000, 0);
    tune(&f);
    int fd = open(store_file(&f, ".lock"), O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    f.params.full = 1;
    assert_int_equal(ctr_tune(&f.report, f.tuned, f.g, &f.params), CTR_E_USAGE);
    close(fd);
    tune(&f);
    end(&f);
}

static void test_clear(void **state)
{
    struct fixture f;
    size_t n;
    start(&f);
    assert_ok(ctr_tuned_clear(&n));
    assert_int_equal(n, 0);
    add(&f, &fake, 1000, 0);
    tune(&f);
    assert_ok(ctr_tuned_clear(&n));
    assert_int_equal(n, 1);
    reopen(&f);
    assert_null(ctr_tuned_entry(f.tuned, 0));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_store),
        cmocka_unit_test(test_other_device),
        cmocka_unit_test(test_no_place),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
