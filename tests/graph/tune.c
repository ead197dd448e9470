/* The search and its store, with ops of this test's own. "fake" computes a ReLU: by itself in
 * sixteen launches, and by candidates that are faster (fewer launches), slower, wrong, incomplete,
 * or never come back. Their configuration is the number of launches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "graph/tune.h"

#include "../dev/rig.h"

#define N ((size_t)1 << 20)

static int emit(ctr_graph *g, ctr_node *node, const char *kernel, size_t n)
{
    ctr_tensor *x = node->in[0], *y = node->out[0];
    int fill = strcmp(kernel, "builtin_fill") == 0;
    struct ctr_launch_spec spec = {.file = fill ? "graph/builtin.cl" : "op/relu.cl",
                                   .kernel = kernel,
                                   .n_args = 4,
                                   .bytes = 8.0 * (double)n};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = fill ? CTR_F32(0.25f) : CTR_BUF(x->buf);
    spec.args[2] = CTR_U64(n);
    spec.args[3] = CTR_U32(ctr_grid_chunks(g, &spec, n));
    return ctr_emit(g, &spec);
}

static int relu_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    int launches = node->config.v[0] ? node->config.v[0] : 16;
    for (int i = 0; i < launches && rc == 0; i++)
        rc = emit(g, node, "relu_fwd", node->in[0]->count);
    return rc;
}

static int slow_lower(ctr_graph *g, ctr_node *node)
{
    return relu_lower(g, node) || relu_lower(g, node) ? CTR_E_FAIL : 0;
}

static int wrong_lower(ctr_graph *g, ctr_node *node)
{
    return emit(g, node, "builtin_fill", node->in[0]->count);
}

static int incomplete_lower(ctr_graph *g, ctr_node *node)
{
    return emit(g, node, "relu_fwd", node->in[0]->count - 1);
}

static int failing_lower(ctr_graph *g, ctr_node *node)
{
    return emit(g, node, "no_such_kernel", node->in[0]->count);
}

static int killing_lower(ctr_graph *g, ctr_node *node)
{
    _exit(99);
}

static const char *dangerous; /* the variant that may be tried, beside the first */
static int lowered;           /* graphs of "counted" so far */

static int is_named(const char *name)
{
    return dangerous && strcmp(dangerous, name) == 0;
}

static int wants_wrong(const struct ctr_caps *caps, const ctr_node *node)
{
    return is_named("wrong");
}

static int wants_incomplete(const struct ctr_caps *caps, const ctr_node *node)
{
    return is_named("incomplete");
}

static int wants_failing(const struct ctr_caps *caps, const ctr_node *node)
{
    return is_named("failing");
}

static int wants_killing(const struct ctr_caps *caps, const ctr_node *node)
{
    return is_named("killing");
}

static int counted_lower(ctr_graph *g, ctr_node *node)
{
    lowered++;
    return emit(g, node, "relu_fwd", node->in[0]->count);
}

static int wants_counted(const struct ctr_caps *caps, const ctr_node *node)
{
    return is_named("counted");
}

static size_t faster_and_slower(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                                const ctr_node *node)
{
    static const int launches[] = {4, 64, 1, 32};
    size_t n = 0;
    for (; !dangerous && n < 4 && n < room; n++)
        out[n] = (struct ctr_config){{launches[n]}};
    return n;
}

static const struct ctr_variant variants[] = {
    {.name = "own", .lower = relu_lower, .configs = faster_and_slower},
    {.name = "wrong", .usable = wants_wrong, .lower = wrong_lower},
    {.name = "incomplete", .usable = wants_incomplete, .lower = incomplete_lower},
    {.name = "failing", .usable = wants_failing, .lower = failing_lower},
    {.name = "killing", .usable = wants_killing, .lower = killing_lower},
    {.name = "counted", .usable = wants_counted, .lower = counted_lower},
    {.name = "general", .lower = slow_lower},
    {0}};
static const struct ctr_op fake = {.name = "fake", .variants = variants};
static const struct ctr_op whole = {.name = "whole", .variants = variants};
static const struct ctr_op bounded = {.name = "bounded", .variants = variants, .whole_below = 4};

struct fixture {
    struct tempdir dir;
    ctr_dev *dev;
    ctr_graph *g;
    ctr_tuned *tuned;
    struct ctr_tune_report report;
    struct ctr_tune_params params;
    char chosen[64];
    double error;
};

static void add(struct fixture *f, const struct ctr_op *op, size_t n, int with_whole)
{
    ctr_tensor *x = ctr_graph_input(f->g, "x", CTR_F32, 1, &n);
    ctr_tensor *places = with_whole ? ctr_graph_input(f->g, "places", CTR_U8, 1, &n) : NULL;
    ctr_node *node = ctr_node_add(f->g, op, NULL, 0, 2, (ctr_tensor *[]){x, places}, 1);
    assert_non_null(ctr_node_out(f->g, node, CTR_F32, 1, &n));
}

static void keep_row(void *user, const struct ctr_tuned_entry *e, unsigned nodes, int fresh)
{
    struct fixture *f = user;
    snprintf(f->chosen, sizeof f->chosen, "%s %u%s", e->chosen, nodes, fresh ? "" : " known");
    f->error = e->error;
}

static void start(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    tempdir_make(&f->dir);
    setenv("XDG_CACHE_HOME", f->dir.dir, 1);
    dangerous = NULL;
    f->dev = rig_open(NULL);
    f->params = (struct ctr_tune_params){.user = f, .row = keep_row};
    assert_ok(ctr_graph_create(&f->g, f->dev, NULL));
    assert_ok(ctr_tuned_open(&f->tuned, f->dev));
}

static void end(struct fixture *f)
{
    ctr_tuned_close(&f->tuned);
    ctr_graph_destroy(&f->g);
    ctr_dev_destroy(&f->dev);
    tempdir_remove(&f->dir);
}

static void tune(struct fixture *f)
{
    f->chosen[0] = '\0';
    assert_ok(ctr_tune(&f->report, f->tuned, f->g, &f->params));
}

static void reopen(struct fixture *f)
{
    ctr_tuned_close(&f->tuned);
    assert_ok(ctr_tuned_open(&f->tuned, f->dev));
}

/* The file in the store that ends so, or NULL. */
static const char *store_file(struct fixture *f, const char *ending)
{
    char name[300] = "";
    DIR *d = opendir(tempdir_path(&f->dir, "clcontrast/tuned"));
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (strstr(e->d_name, ending))
            snprintf(name, sizeof name, "clcontrast/tuned/%.255s", e->d_name);
    if (d)
        closedir(d);
    return *name ? tempdir_path(&f->dir, name) : NULL;
}

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

/* ---- the store ---- */

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
        cmocka_unit_test(test_damaged_store),
        cmocka_unit_test(test_other_device),
        cmocka_unit_test(test_no_place),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
