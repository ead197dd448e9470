/* The search for faster kernels: what it chooses, what it refuses, when it ends, what takes the process with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "tune_rig.h"

/* ---- what is chosen ---- */

static void test_fastest_is_chosen(void **state)
{
    struct fixture f;
    start(&f);
    add(&f, &fake, N, 0);
    add(&f, &fake, N, 0);
    tune(&f);
    assert_string_equal(f.chosen, "own:1 2");
    assert_int_equal(f.report.shapes, 1);
    assert_int_equal(f.report.tried, 4);
    assert_int_equal(f.report.refused, 0);
    assert_true(f.report.chosen_s < f.report.own_s / 2);
    assert_true(f.error == 0);
    assert_null(store_file(&f, ".trying"));
    assert_ok(ctr_graph_plan(f.g, &(struct ctr_plan_params){.tuned = ctr_tuned_list(f.tuned)}));
    assert_int_equal(ctr_graph_node(f.g, 1)->config.v[0], 1);
    assert_string_equal(ctr_graph_choices(f.g, 0), ctr_tuned_list(f.tuned));
    assert_string_equal(ctr_graph_choices(f.g, 1), ctr_tuned_list(f.tuned));
    assert_int_equal(ctr_tune(&f.report, f.tuned, f.g, &f.params), CTR_E_USAGE); /* planned */
    end(&f);
}

/* What is known is not tried again, unless all is asked for: then the general variant, too. */
static void test_known_is_kept(void **state)
{
    struct fixture f;
    start(&f);
    add(&f, &fake, N, 0);
    tune(&f);
    reopen(&f);
    tune(&f);
    assert_string_equal(f.chosen, "own:1 1 known");
    assert_int_equal(f.report.tried, 0);
    f.params.full = 1;
    tune(&f);
    assert_string_equal(f.chosen, "own:1 1");
    assert_int_equal(f.report.tried, 5);
    end(&f);
}

static void refuses(const char *variant)
{
    struct fixture f;
    start(&f);
    dangerous = variant;
    add(&f, &fake, N, 0);
    tune(&f);
    assert_string_equal(f.chosen, "own 1");
    assert_int_equal(f.report.tried, 1);
    assert_int_equal(f.report.refused, 1);
    assert_ok(ctr_graph_plan(f.g, &(struct ctr_plan_params){.tuned = ctr_tuned_list(f.tuned)}));
    assert_non_null(strstr(ctr_graph_choices(f.g, 0), "=own\n"));
    assert_string_equal(ctr_graph_choices(f.g, 1), "");
    end(&f);
}

static void test_wrong_is_refused(void **state)
{
    refuses("wrong");
}

static void test_incomplete_is_refused(void **state)
{
    refuses("incomplete");
}

static void test_failing_is_refused(void **state)
{
    refuses("failing");
}

static void test_slower_is_not_chosen(void **state)
{
    struct fixture f;
    start(&f);
    f.params.full = 1;
    dangerous = "none"; /* leaves the general one: half as fast as the own one */
    add(&f, &fake, N, 0);
    tune(&f);
    assert_string_equal(f.chosen, "own 1");
    assert_int_equal(f.report.tried, 1);
    end(&f);
}

/* Whole numbers mean something, unless the op gives a range. */
static void test_whole_numbers(void **state)
{
    struct fixture f;
    start(&f);
    add(&f, &whole, N, 1);
    tune(&f);
    assert_int_equal(f.report.shapes, 0);
    add(&f, &bounded, N, 1);
    tune(&f);
    assert_int_equal(f.report.shapes, 1);
    assert_string_equal(f.chosen, "own:1 1");
    end(&f);
}

/* ---- when it ends ---- */

static void test_budget(void **state)
{
    struct fixture f;
    start(&f);
    add(&f, &fake, N, 0);
    add(&f, &fake, N / 2, 0);
    f.params.budget_s = 1e-9;
    tune(&f);
    assert_true(f.report.out_of_time);
    assert_int_equal(f.report.tried, 0);
    assert_int_equal(f.report.known, 0);
    f.params.budget_s = 0;
    tune(&f);
    assert_false(f.report.out_of_time);
    assert_int_equal(f.report.known, 2);
    end(&f);
}

static int stop_after_three(void *user, const struct ctr_tune_progress *p)
{
    return p->tried >= 3;
}

/* What was found before a stop is kept, and the search goes on from there another time. */
static void test_stop(void **state)
{
    struct fixture f;
    start(&f);
    add(&f, &fake, N, 0);
    f.params.progress = stop_after_three;
    tune(&f);
    assert_true(f.report.stopped);
    assert_string_equal(f.chosen, "own:1 1");
    assert_int_equal(ctr_tuned_entry(f.tuned, 0)->depth, CTR_TUNE_PART);
    f.params.progress = NULL;
    tune(&f);
    assert_int_equal(f.report.tried, 4);
    assert_int_equal(ctr_tuned_entry(f.tuned, 0)->depth, CTR_TUNE_QUICK);
    end(&f);
}

/* The costly shape comes first. */
static int first_is_large(void *user, const struct ctr_tune_progress *p)
{
    char *found = user;
    if (!*found)
        snprintf(found, 64, "%s", p->what);
    return 1;
}

static void test_order(void **state)
{
    struct fixture f;
    char found[64] = "";
    start(&f);
    add(&f, &fake, 100, 0);
    add(&f, &fake, N, 0);
    f.params = (struct ctr_tune_params){.user = found, .progress = first_is_large};
    tune(&f);
    assert_int_equal(strncmp(found, "1048576", 7), 0);
    end(&f);
}

/* ---- a candidate that takes the process with it ---- */

static int child(void)
{
    struct fixture f = {.params = {0}};
    if (ctr_dev_open(&f.dev, getenv("CTR_TEST_DEVICE"), NULL) == CTR_E_NODEVICE)
        return 77;
    if (ctr_graph_create(&f.g, f.dev, NULL) || ctr_tuned_open(&f.tuned, f.dev))
        return 1;
    add(&f, &fake, N, 0);
    return ctr_tune(&f.report, f.tuned, f.g, &f.params) ? 2 : 3;
}

/* First of all tests: a driver that was loaded does not survive a fork. */
static void test_crash(void **state)
{
    struct fixture f;
    int status;
    tempdir_make(&f.dir);
    setenv("XDG_CACHE_HOME", f.dir.dir, 1);
    dangerous = "killing";
    pid_t pid = fork();
    if (pid == 0)
        _exit(child());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    struct tempdir dir = f.dir;
    start(&f); /* skips the test where there is no device */
    tempdir_remove(&f.dir);
    f.dir = dir;
    setenv("XDG_CACHE_HOME", f.dir.dir, 1);
    dangerous = "killing";
    reopen(&f);
    assert_int_equal(WEXITSTATUS(status), 99);
    assert_non_null(store_file(&f, ".trying"));
    add(&f, &fake, N, 0);
    tune(&f);
    assert_string_equal(f.chosen, "own 1");
    assert_int_equal(f.report.tried, 0);
    assert_non_null(strstr(ctr_tuned_skipped(f.tuned, 0), "=killing"));
    assert_null(store_file(&f, ".trying"));
    end(&f);
}

/* A marker left behind, or what looks like one. */
static void test_marker(void **state)
{
    struct fixture f;
    start(&f);
    dangerous = "counted";
    add(&f, &fake, N, 0);
    tune(&f);
    assert_true(lowered > 0);
    char *text = strdup(ctr_tuned_list(f.tuned)); /* "fake@SHAPE=counted" */
    assert_non_null(strstr(text, "=counted"));
    text[strcspn(text, "\n")] = '\0';
    char *txt = strdup(store_file(&f, ".txt"));
    assert_int_equal(unlink(txt), 0);
    strcpy(strrchr(txt, '.'), ".trying");
    tempdir_put(txt, text, strlen(text));
    lowered = 0;
    reopen(&f);
    tune(&f);
    assert_int_equal(lowered, 0);
    assert_string_equal(f.chosen, "own 1");
    assert_string_equal(ctr_tuned_skipped(f.tuned, 0), text);
    assert_null(store_file(&f, ".trying"));
    f.params.full = 1; /* not then either, nor by another process */
    reopen(&f);
    tune(&f);
    assert_int_equal(lowered, 0);
    for (size_t i = 0; i < 2; i++) { /* nonsense is no candidate */
        tempdir_put(txt, i ? "a b" : "", i ? 3 : 0);
        tune(&f);
        assert_null(ctr_tuned_skipped(f.tuned, 1));
    }
    free(text);
    free(txt);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash), /* first: it forks */
        cmocka_unit_test(test_fastest_is_chosen),
        cmocka_unit_test(test_known_is_kept),
        cmocka_unit_test(test_wrong_is_refused),
        cmocka_unit_test(test_incomplete_is_refused),
        cmocka_unit_test(test_failing_is_refused),
        cmocka_unit_test(test_slower_is_not_chosen),
        cmocka_unit_test(test_whole_numbers),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_marker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
