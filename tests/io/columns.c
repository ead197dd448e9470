/* JSON lines as columns: keys that come late, lines without them, what is no number, broken files. */
#include "io/columns.h"
#include "base/os.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../tempdir.h"

static int read_text(struct ctr_columns *c, const char *text)
{
    struct tempdir t;
    tempdir_make(&t);
    tempdir_put(tempdir_path(&t, "m.jsonl"), text, strlen(text));
    int rc = ctr_columns_read(c, tempdir_path(&t, "m.jsonl"));
    tempdir_remove(&t);
    return rc;
}

static void columns(void **state)
{
    (void)state;
    struct ctr_columns c = {0};
    assert_int_equal(read_text(&c, "{\"step\":1,\"loss\":5.5,\"top\":null}\n"
                                   "{\"step\":2,\"ok\":true,\"name\":\"x\"}\n"
                                   "{}\n"
                                   "{\"step\":3,\"late\":-1e-3}\n"
                                   "{\"step\":4,\"lo"),
                     0);
    assert_int_equal(c.rows, 4);
    assert_int_equal(c.n, 3);
    const double *step = ctr_columns_find(&c, "step"), *loss = ctr_columns_find(&c, "loss"),
                 *late = ctr_columns_find(&c, "late");
    assert_null(ctr_columns_find(&c, "top"));
    assert_true(step[0] == 1 && step[1] == 2 && isnan(step[2]) && step[3] == 3);
    assert_true(loss[0] == 5.5 && isnan(loss[1]) && isnan(loss[3]));
    assert_true(isnan(late[0]) && isnan(late[2]) && late[3] == -1e-3);
    ctr_columns_free(&c);
    assert_int_equal(c.rows + c.n, 0);
}

/* Columns grow together, those that begin in the middle too. */
static void many_lines(void **state)
{
    (void)state;
    struct ctr_columns c = {0};
    size_t n = 1000, at = 0;
    char *text = malloc(64 * n);
    for (size_t i = 0; i < n; i++)
        at += (size_t)sprintf(text + at, "{\"%s\":%zu}\n", i < 300 ? "first" : "second", i);
    assert_int_equal(read_text(&c, text), 0);
    free(text);
    assert_int_equal(c.rows, n);
    for (size_t i = 0; i < n; i++) {
        assert_true(ctr_columns_find(&c, i < 300 ? "first" : "second")[i] == (double)i);
        assert_true(isnan(ctr_columns_find(&c, i < 300 ? "second" : "first")[i]));
    }
    ctr_columns_free(&c);
}

static void broken(void **state)
{
    (void)state;
    struct ctr_columns c = {0};
    assert_int_equal(read_text(&c, ""), 0);
    assert_int_equal(c.rows, 0);
    assert_int_equal(read_text(&c, "{\"a\":1}\n[2]\n"), CTR_E_DATA);
    assert_non_null(strstr(ctr_error_text(), "m.jsonl:2: the line is no JSON object"));
    assert_int_equal(c.rows, 0);
    assert_int_equal(read_text(&c, "{\"a\":1}\n{\"a\":\n"), CTR_E_DATA);
    assert_int_equal(ctr_columns_read(&c, "/nowhere/m.jsonl"), CTR_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns), cmocka_unit_test(many_lines),
                                       cmocka_unit_test(broken)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
