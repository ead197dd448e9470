/* A configuration comes back as it was; files edited by hand are read strictly. */
#include "train/config.h"
#include "base/os.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <math.h>
#include <sys/stat.h>
#include "../tempdir.h"

static const struct ctr_json_field fields[] = {
    {"data", CTR_JSON_STR, 0, 0, "/d\xc3\xa4ta \"x\"\n"},
    {"lr", CTR_JSON_NUM, 0.1, 0, NULL},
    {"third", CTR_JSON_NUM, 1.0 / 3, 0, NULL},
    {"one", CTR_JSON_NUM, 1.0, 0, NULL},
    {"tiny", CTR_JSON_NUM, 5e-324, 0, NULL},
    {"huge", CTR_JSON_NUM, 1e300, 0, NULL},
    {"seed", CTR_JSON_INT, 0, INT64_MAX, NULL},
    {"ok", CTR_JSON_BOOL, 0, 1, NULL},
};
enum { N = sizeof fields / sizeof *fields };

static void round_trip(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_config config = {0};
    struct ctr_str diff = {0};
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "config.json");
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it is installed, a comma is the decimal sign */
    assert_int_equal(ctr_config_write(path, fields, N), 0);
    assert_int_equal(ctr_config_read(&config, path), 0);
    setlocale(LC_ALL, "C");
    assert_int_equal(config.n, N);
    for (size_t i = 0; i < N; i++) {
        assert_string_equal(config.fields[i].key, fields[i].key);
        assert_int_equal(config.fields[i].kind, fields[i].kind);
        assert_true(config.fields[i].num == fields[i].num);
        assert_true(config.fields[i].whole == fields[i].whole);
    }
    assert_string_equal(ctr_config_find(config.fields, "data", config.n)->str, fields[0].str);
    assert_null(ctr_config_find(config.fields, "Data", config.n));
    assert_true(ctr_config_hash(config.fields, config.n) == ctr_config_hash(fields, N));
    assert_int_equal(ctr_config_diff(&diff, fields, config.fields, NULL, N, config.n), 0);
    assert_null(diff.s);
    ctr_config_free(&config);
    tempdir_remove(&t);
}

static void differences(void **state)
{
    (void)state;
    const struct ctr_json_field a[] = {ctr_json_int("batch", 256), ctr_json_num("lr", 0.5),
                                       ctr_json_str("data", "x"), ctr_json_num("t", 2)};
    const struct ctr_json_field b[] = {ctr_json_str("data", "y"), ctr_json_int("batch", 512),
                                       ctr_json_int("seed", 1), ctr_json_int("t", 2)};
    static const char *const except[] = {"data", NULL};
    struct ctr_str diff = {0};
    assert_int_equal(ctr_config_diff(&diff, a, b, except, 4, 4), 3);
    assert_string_equal(diff.s, "batch: 256 -> 512\nlr: 0.5 -> (none)\nseed: (none) -> 1\n");
    ctr_str_free(&diff);
    assert_int_equal(ctr_config_diff(&diff, a, b, NULL, 4, 4), 4);
    ctr_str_free(&diff);
    struct ctr_json_field swapped[] = {a[1], a[0], a[3], a[2]}, other[] = {a[1], a[0], a[3], b[0]};
    assert_true(ctr_config_hash(a, 4) == ctr_config_hash(swapped, 4));
    assert_true(ctr_config_hash(a, 4) != ctr_config_hash(other, 4));
    assert_true(ctr_config_hash(a, 4) != ctr_config_hash(a, 3));
}

static void refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{\"a\":1,\"a\":2}",
        "{\"a\":[1]}",
        "{\"a\":{}}",
        "{\"a\":null}",
        "{\"a\":1} x",
        "{\"a\":nan}",
        "{\"a\":1e999}",
        "{\"a\":\"\xff\"}",
        "{a:1}",
        "{\"a\":99999999999999999999}",
    };
    struct tempdir t;
    struct ctr_config config = {0};
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "config.json");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        tempdir_put(path, bad[i], strlen(bad[i]));
        if (ctr_config_read(&config, path) != CTR_E_MODEL)
            fail_msg("%s", bad[i]);
        assert_non_null(strstr(ctr_error_text(), path));
    }
    tempdir_put(path, "{}", 2);
    assert_int_equal(truncate(path, 2 << 20), 0);
    assert_int_equal(ctr_config_read(&config, path), CTR_E_MODEL); /* too large */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ctr_config_read(&config, path), CTR_E_MODEL);
    struct ctr_json_field nan = ctr_json_num("x", NAN),
                          twice[] = {ctr_json_int("k", 1), ctr_json_int("k", 2)};
    assert_int_equal(ctr_config_write(path, &nan, 1), CTR_E_USAGE);
    assert_int_equal(ctr_config_write(path, twice, 2), CTR_E_USAGE);
    assert_int_equal(access(path, F_OK), -1);
    assert_null(config.fields);
    tempdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(differences),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
