/* tune_rig.h -- the search and its store with ops of the tests' own. "fake" computes a ReLU: by itself in
 * sixteen launches, and by candidates that are faster (fewer launches), slower, wrong, incomplete,
 * or never come back. Their configuration is the number of launches. Include cmocka.h before. */
#ifndef TESTS_GRAPH_TUNE_RIG_H
#define TESTS_GRAPH_TUNE_RIG_H

#include <dirent.h>

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

#endif
