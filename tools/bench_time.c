/* bench_time.c -- one row: an op recorded, built, and timed as a step would run it.
 *
 * In: a family's case. Out: times of everything the op launches, packing, padding and sums
 * included, enqueued in a row without waiting in between; the wait at the end is shared by as many
 * runs as take 5 ms. Inputs are uniform in [-1, 1), so that no denormals or zeros make it faster or
 * slower; small tensors are found in caches, as they are by whom it is compared with. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "op/op.h"
#include "opt_train.h"

#define SAMPLE_S    0.005
#define WARM_S      0.1 /* until the driver's threads have found a processor each */
#define ENOUGH_S    2.0 /* of one run, as a warm-up */
#define MIN_SAMPLES 5
#define MAX_SAMPLES 1000

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int run_times(double *seconds, ctr_dev *dev, int (*run)(void *user), void *user, unsigned n)
{
    int rc = 0;
    double start = ctr_now();
    for (unsigned i = 0; i < n; i++)
        CTR_TRY(run(user));
    CTR_TRY(ctr_dev_finish(dev));
    *seconds = ctr_now() - start;
out:
    return rc;
}

int bench_sample(struct bench_row *row, ctr_dev *dev, const struct bench_options *o,
                 int (*run)(void *user), void *user)
{
    int rc = 0;
    double once, spent = 0, *t = ctr_alloc(MAX_SAMPLES, sizeof *t);
    unsigned n = 0;
    if (!t)
        return CTR_E_FAIL;
    CTR_TRY(run_times(&once, dev, run, user, 1));
    for (double warm = 0; once < ENOUGH_S && warm < WARM_S; warm += once)
        CTR_TRY(run_times(&once, dev, run, user, 1));
    unsigned runs = once < SAMPLE_S ? (unsigned)(SAMPLE_S / (once > 1e-6 ? once : 1e-6)) + 1 : 1;
    while (n < MAX_SAMPLES && (o->repeat ? n < o->repeat : n < MIN_SAMPLES || spent < o->seconds)) {
        CTR_TRY(run_times(&t[n], dev, run, user, runs));
        spent += t[n];
        t[n++] /= runs;
    }
    qsort(t, n, sizeof *t, by_value);
    row->samples = n;
    row->min_s = t[0];
    row->max_s = t[n - 1];
    row->median_s = n % 2 ? t[n / 2] : (t[n / 2 - 1] + t[n / 2]) / 2;
out:
    free(t);
    return rc;
}

static size_t nodes_of(const ctr_graph *g)
{
    size_t n = 0;
    while (ctr_graph_node(g, n))
        n++;
    return n;
}

void bench_start(struct bench_graph *b)
{
    b->first = nodes_of(b->g);
}

int bench_backward(struct bench_graph *b, ctr_tensor *y)
{
    if (!y)
        return ctr_graph_status(b->g);
    ctr_tensor *dy = ctr_graph_input(b->g, "dy", CTR_F32, y->rank, y->dim);
    dy = ctr_cast(b->g, dy, y->dtype);
    bench_start(b);
    return ctr_graph_backward(b->g, y, dy);
}

/* ---- kernels to force ---- */

static int has_op(const ctr_graph *g, const char *pair, size_t n)
{
    const ctr_node *node;
    for (size_t i = 0; (node = ctr_graph_node(g, i)); i++)
        if (strlen(node->op->name) == n && memcmp(node->op->name, pair, n) == 0)
            return 1;
    return 0;
}

/* The parts of --kernel that speak of this graph, then the case's own. */
static void forced(struct ctr_str *out, const ctr_graph *g, const char *list, unsigned *used)
{
    for (unsigned k = 0; list && *list; k++) {
        size_t n = ctr_variant_item_length(list);
        if (has_op(g, list, strcspn(list, "=,"))) {
            ctr_str_addf(out, "%s%.*s", out->n ? "," : "", (int)n, list);
            *used |= 1u << (k < 31 ? k : 31);
        }
        list += n + (list[n] == ',');
    }
}

/* "op=variant ..." of the nodes timed, each once. */
static void name_variants(struct bench_row *row, const struct bench_graph *b)
{
    const ctr_node *node;
    size_t n = 0;
    row->variants[0] = '\0';
    for (size_t i = b->first; (node = ctr_graph_node(b->g, i)); i++) {
        char text[96];
        snprintf(text, sizeof text, "%s=%s", node->op->name, node->variant->name);
        if (strstr(row->variants, text))
            continue;
        n += (size_t)snprintf(row->variants + n, sizeof row->variants - n, "%s%s", n ? " " : "",
                              text);
        if (n >= sizeof row->variants)
            break;
    }
}

/* ---- inputs ---- */

static int fill_input(ctr_tensor *t)
{
    struct ctr_rng rng;
    uint32_t *x = ctr_alloc((t->bytes + 3) / 4, sizeof *x);
    if (!x)
        return CTR_E_FAIL;
    ctr_rng_init(&rng, 1, CTR_RNG_TEST, 0, 0);
    for (size_t i = 0; i < t->bytes / 4; i++) {
        float v = 2 * ctr_rng_uniform(&rng) - 1;
        uint32_t seed = (uint32_t)((i * 2654435761u) >> 3);
        memcpy(&x[i], &v, 4);
        if (t->dtype == CTR_U8) /* pixels */
            x[i] = seed;
        else if (t->dtype != CTR_F32) /* indices and the like: the first image, the first step */
            x[i] = 0;
    }
    int rc = ctr_tensor_write(t, x, t->bytes);
    free(x);
    return rc;
}

static int fill_inputs(const struct bench_graph *b)
{
    const ctr_node *node;
    for (size_t i = 0; (node = ctr_graph_node(b->g, i)); i++)
        for (unsigned k = 0; k < node->n_in; k++)
            if (node->in[k] && node->in[k]->role == CTR_ROLE_INPUT && !node->in[k]->content) {
                int rc = fill_input(node->in[k]);
                if (rc != 0)
                    return rc;
            }
    return 0;
}

/* ---- a row ---- */

struct launches {
    ctr_launch *const *launch;
    size_t n;
};

static int run_launches(void *user)
{
    const struct launches *l = user;
    int rc = 0;
    for (size_t i = 0; i < l->n; i++)
        CTR_TRY(ctr_launch_run(l->launch[i]));
out:
    return rc;
}

/* Plans, lowers, builds. Outputs are kept, since the timed part runs again and again on them. */
static int build(struct bench_graph *b, ctr_dev *dev, const char *kernels)
{
    int rc = 0;
    const ctr_node *node;
    for (size_t i = 0; (node = ctr_graph_node(b->g, i)); i++)
        for (unsigned k = 0; k < node->n_out; k++)
            ctr_graph_keep(node->out[k]);
    CTR_TRY(ctr_graph_plan(b->g, &(struct ctr_plan_params){.kernels = kernels}));
    CTR_TRY(ctr_graph_lower(b->g));
    CTR_TRY(ctr_dev_build(dev, 1, NULL, NULL));
    CTR_TRY(ctr_store_init(b->store, 1));
    CTR_TRY(fill_inputs(b));
    CTR_TRY(ctr_graph_replay(b->g));
out:
    return rc;
}

static int runs_variant(const struct bench_graph *b, const char *op, const char *variant)
{
    const ctr_node *node;
    for (size_t i = b->first; (node = ctr_graph_node(b->g, i)); i++)
        if (strcmp(node->op->name, op) == 0)
            return strcmp(node->variant->name, variant) == 0;
    return 0;
}

static void add_costs(struct bench_row *row, const struct launches *l)
{
    row->launches = l->n;
    for (size_t i = 0; i < l->n; i++) {
        struct ctr_launch_cost cost = ctr_launch_cost(l->launch[i]);
        row->flops += cost.flops;
        row->work += cost.work;
        row->bytes += cost.bytes;
        row->floor_s += cost.floor_s;
    }
}

int bench_op(struct bench_row *row, int *skipped, ctr_dev *dev, const struct bench_options *o,
             const char *variant, unsigned *used)
{
    int rc = 0;
    const struct bench_family *f = row->family;
    const char *op = row->pass & (BENCH_FWD | BENCH_ONE) ? f->fwd_op : f->bwd_op;
    struct bench_graph b = {.storage = opt_storage(o->precision)};
    struct ctr_str kernels = {0};
    *skipped = 0;
    CTR_TRY(ctr_store_create(&b.store, dev));
    CTR_TRY(ctr_graph_create(&b.g, dev, b.store));
    CTR_TRY(f->record(&b, row->v, row->pass));
    CTR_TRY(ctr_graph_status(b.g));
    forced(&kernels, b.g, o->kernel, used);
    if (variant)
        ctr_str_addf(&kernels, "%s%s=%s", kernels.n ? "," : "", op, variant);
    if (kernels.failed)
        CTR_TRY(ctr_fail(CTR_E_FAIL, "out of memory"));
    CTR_TRY(build(&b, dev, kernels.s));
    if (variant && !runs_variant(&b, op, variant)) {
        *skipped = 1;
        goto out;
    }
    struct launches l = {0};
    l.launch = ctr_graph_launches(b.g, b.first, SIZE_MAX, &l.n);
    name_variants(row, &b);
    add_costs(row, &l);
    CTR_TRY(bench_sample(row, dev, o, run_launches, &l));
out:
    ctr_str_free(&kernels);
    ctr_graph_destroy(&b.g);
    ctr_store_destroy(&b.store);
    return rc;
}
