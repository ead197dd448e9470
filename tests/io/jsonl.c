/* Lines as other programs read them; what an interrupted run wrote too much is cut off. */
#include "io/jsonl.h"
#include "base/os.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "../tempdir.h"

static void check_file(const char *path, const char *want)
{
    size_t n;
    char *got = tempdir_get(path, &n);
    assert_string_equal(got, want);
    assert_int_equal(n, strlen(want));
    free(got);
}

static void lines(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_append file = {0};
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "m.jsonl");
    const struct ctr_json_field fields[] = {
        ctr_json_int("step", 1),        ctr_json_num("loss", 5.25),     ctr_json_num("lr", 0.1f),
        ctr_json_num("x", NAN),         ctr_json_num("y", -INFINITY),   ctr_json_bool("ok", 1),
        ctr_json_str("s", "a\"\n\xff"), ctr_json_int("big", INT64_MAX),
    };
    assert_int_equal(ctr_jsonl_open(&file, path, -1), 0);
    assert_int_equal(ctr_jsonl_write(&file, fields, 8), 0);
    assert_int_equal(ctr_jsonl_write(&file, NULL, 0), 0);
    ctr_append_close(&file);
    check_file(path,
               "{\"step\":1,\"loss\":5.25,\"lr\":0.100000001,\"x\":null,\"y\":null,\"ok\":true,"
               "\"s\":\"a\\\"\\u000a\\ufffd\",\"big\":9223372036854775807}\n{}\n");
    size_t n;
    char *text = tempdir_get(path, &n);
    json_t *object = json_loadb(text, strcspn(text, "\n"), JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_integer_value(json_object_get(object, "big")), INT64_MAX);
    assert_true(json_is_null(json_object_get(object, "x")));
    json_decref(object);
    free(text);
    tempdir_remove(&t);
}

static void resume_from(const char *text, int64_t step, const char *want)
{
    struct tempdir t;
    struct ctr_append file = {0};
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "m.jsonl");
    tempdir_put(path, text, strlen(text));
    assert_int_equal(ctr_jsonl_open(&file, path, step), 0);
    check_file(path, want);
    struct ctr_json_field field = ctr_json_int("step", 99);
    assert_int_equal(ctr_jsonl_write(&file, &field, 1), 0);
    ctr_append_close(&file);
    char all[512];
    snprintf(all, sizeof all, "%s{\"step\":99}\n", want);
    check_file(path, all);
    tempdir_remove(&t);
}

static void resumed(void **state)
{
    (void)state;
#define L1 "{\"step\":10,\"loss\":1}\n"
#define L2 "{\"step\":20,\"loss\":2}\n"
#define L3 "{\"step\":30,\"loss\":3}\n"
    resume_from(L1 L2 L3, 20, L1 L2);
    resume_from(L1 L2 L3, 29, L1 L2);
    resume_from(L1 L2 L3, 30, L1 L2 L3);
    resume_from(L1 L2 L3, 9, "");
    resume_from(L1 L2 L3, -1, "");
    resume_from("", 10, "");
    resume_from(L1 "{\"note\":\"no step\"}\n" L2, 20, L1 "{\"note\":\"no step\"}\n" L2);
    resume_from(L1 "{\"step\":20,\"lo", 20, L1); /* killed while it wrote */
    resume_from(L1 "{\"step\":20}", 20, L1);     /* before the newline */
    resume_from(L1 "{\"step\":20,\n" L2, 20, L1);
    resume_from(L1 "[20]\n" L2, 20, L1);
    resume_from(L1 "{\"step\":\"20\"}\n", 20, L1);
    resume_from(L1 "\n", 20, L1);
    resume_from("\xff\xfe\n", 20, "");
}

static void full_disk(void **state)
{
    (void)state;
    struct tempdir t;
    struct ctr_append file = {0};
    struct rlimit old, small;
    struct ctr_json_field field = ctr_json_int("step", 1);
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "m.jsonl");
    assert_int_equal(ctr_jsonl_open(&file, path, -1), 0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){.rlim_cur = 15, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int first = ctr_jsonl_write(&file, &field, 1), second = ctr_jsonl_write(&file, &field, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(first, 0);
    assert_int_equal(second, CTR_E_IO);
    check_file(path, "{\"step\":1}\n");
    assert_int_equal(ctr_jsonl_write(&file, &field, 1), 0);
    check_file(path, "{\"step\":1}\n{\"step\":1}\n");
    ctr_append_close(&file);
    assert_int_equal(ctr_jsonl_open(&file, "/proc/nowhere/x", -1), CTR_E_IO);
    assert_int_equal(ctr_jsonl_open(&file, t.dir, -1), CTR_E_IO);
    tempdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(resumed),
        cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
