/* JSON text, strict numbers, edit distance. */
#include "base/str.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void json_escapes(void **state)
{
    (void)state;
    struct ctr_str s = {0};
    ctr_str_json(&s, "a\"b\\c\n\x1b \xc3\xa9 \xff");
    ctr_str_add(&s, " ", 1);
    ctr_str_json_num(&s, 0.25);
    ctr_str_add(&s, " ", 1);
    ctr_str_json_num(&s, NAN);
    assert_false(s.failed);
    assert_string_equal(s.s, "\"a\\\"b\\\\c\\u000a\\u001b \xc3\xa9 \\ufffd\" 0.25 null");
    ctr_str_free(&s);
}

static void toml_values(void **state)
{
    (void)state;
    struct ctr_str s = {0};
    ctr_str_quote(&s, "a\"b\\c\n \xff");
    const double values[] = {0.3, 1, 1e-8, 1.0 / 3, -1e300};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        ctr_str_add(&s, " ", 1);
        ctr_str_add_double(&s, values[i]);
    }
    assert_false(s.failed);
    assert_string_equal(s.s, "\"a\\\"b\\\\c\\u000a \xff\" 0.3 1 1e-08 0.3333333333333333 -1e+300");
    ctr_str_free(&s);
}

static void numbers_are_strict(void **state)
{
    (void)state;
    unsigned long long u = 5;
    double d = 5;
    const char *bad_u[] = {"", "-1", "+1", "0x10", "1e9", "1 ", " 1", "99999999999999999999"};
    const char *bad_d[] = {"", "nan", "inf", "1,5", "0x1p3", " 1", "1 ", "1e999", "."};
    for (size_t i = 0; i < sizeof bad_u / sizeof *bad_u; i++)
        assert_int_equal(ctr_parse_u64(bad_u[i], &u), CTR_E_USAGE);
    for (size_t i = 0; i < sizeof bad_d / sizeof *bad_d; i++)
        assert_int_equal(ctr_parse_double(bad_d[i], &d), CTR_E_USAGE);
    assert_true(u == 5 && d == 5);
    assert_int_equal(ctr_parse_u64("18446744073709551615", &u), 0);
    assert_true(u == UINT64_MAX);
    assert_int_equal(ctr_parse_double("-1.5e-3", &d), 0);
    assert_true(d == -1.5e-3);
}

static void distance(void **state)
{
    (void)state;
    assert_int_equal(ctr_str_distance("epoch", "epochs", 2), 1);
    assert_int_equal(ctr_str_distance("train", "train", 2), 0);
    assert_int_equal(ctr_str_distance("train", "devices", 2), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_escapes),
        cmocka_unit_test(toml_values),
        cmocka_unit_test(numbers_are_strict),
        cmocka_unit_test(distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
