/* trial.c -- see trial.h. In: a node. Out: copies of it that run, what they compute, their time.
 * Timed alternately with the own choice, so that what disturbs the machine meets both. */
#include "graph/trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/rng.h"

#define SAMPLE_S 4e-3 /* shortest sample: several runs of a small kernel make one */
#define MAX_RUNS 64
#define HOPELESS 1.5         /* slower than this twice: not sampled any more */
#define POISON   0x7fc0deadu /* a NaN: what a candidate does not write is seen */

/* ---- copies ---- */

int ctr_bench_suits(const ctr_node *node)
{
    for (unsigned i = 0; i < node->n_in; i++)
        if (node->in[i] && !ctr_dtype_is_float(node->in[i]->dtype) && !node->op->whole_below)
            return 0;
    return node->n_out > 0;
}

static void end_trial(struct ctr_trial *trial)
{
    ctr_graph_destroy(&trial->g);
    trial->node = NULL;
}

/* The node's inputs in another graph, over the bench's buffers; one that is read twice stays one.
 */
static void copy_inputs(ctr_tensor **in, ctr_graph *g, const struct ctr_bench *b)
{
    const ctr_node *node = b->node;
    for (unsigned i = 0; i < node->n_in; i++) {
        const ctr_tensor *t = node->in[i];
        in[i] = NULL;
        for (unsigned k = 0; k < i && t; k++)
            if (node->in[k] == t)
                in[i] = in[k];
        if (!t || in[i])
            continue;
        in[i] = ctr_graph_input(g, t->name, t->dtype, t->rank, t->dim);
        ctr_graph_bind(in[i], b->in[i]);
    }
}

/* Planned and described; c NULL: as the op takes it by itself. */
static int make_trial(struct ctr_trial *out, const struct ctr_bench *b,
                      const struct ctr_candidate *c)
{
    int rc = 0;
    const ctr_node *node = b->node;
    ctr_tensor *in[CTR_MAX_IO];
    struct ctr_trial t = {NULL, NULL};
    CTR_TRY(ctr_graph_create(&t.g, b->from->dev, NULL));
    copy_inputs(in, t.g, b);
    t.node = ctr_node_add(t.g, node->op, node->attr, node->attr_bytes, node->n_in, in, node->n_in);
    for (unsigned i = 0; i < node->n_out; i++) {
        const ctr_tensor *o = node->out[i];
        ctr_graph_keep(ctr_node_out(t.g, t.node, o->dtype, o->rank, o->dim));
    }
    CTR_TRY(ctr_graph_status(t.g));
    if (c) {
        t.node->variant = c->variant;
        t.node->config = c->config;
    }
    CTR_TRY(ctr_graph_plan(t.g, NULL));
    CTR_TRY(ctr_graph_lower(t.g));
    *out = t;
    t.g = NULL;
out:
    end_trial(&t);
    return rc;
}

static int build_and_run(struct ctr_trial *trial)
{
    ctr_dev *dev = ctr_graph_dev(trial->g);
    int rc = ctr_dev_build(dev, 0, NULL, NULL);
    if (rc == 0)
        rc = ctr_graph_poison(trial->g, POISON);
    if (rc == 0)
        rc = ctr_graph_replay(trial->g);
    return rc == 0 ? ctr_dev_finish(dev) : rc;
}

/* ---- made-up numbers: between -1 and 1, or whole ones below a bound ---- */

static void draw(void *raw, const ctr_tensor *t, unsigned below, unsigned stream)
{
    struct ctr_rng rng;
    ctr_rng_init(&rng, 1, CTR_RNG_TEST, stream, 1);
    for (size_t k = 0; k < t->count; k++) {
        uint32_t u = ctr_rng_u32(&rng);
        if (t->dtype == CTR_F32)
            ((float *)raw)[k] = (float)(u >> 8) * 0x1p-23f - 1.0f;
        else if (t->dtype == CTR_F16) /* exponents 11 to 14 of a bias of 15 */
            ((uint16_t *)raw)[k] = (uint16_t)((u & 0x83ff) | (11 + (u >> 16) % 4) << 10);
        else if (t->dtype == CTR_BF16) /* 123 to 126 of a bias of 127 */
            ((uint16_t *)raw)[k] = (uint16_t)((u & 0x807f) | (123 + (u >> 16) % 4) << 7);
        else if (t->dtype == CTR_U8)
            ((uint8_t *)raw)[k] = (uint8_t)(u % below);
        else
            ((uint32_t *)raw)[k] = u % below;
    }
}

static int make_input(struct ctr_bench *b, unsigned i)
{
    const ctr_tensor *t = b->node->in[i];
    size_t bytes = (t->bytes + 3) / 4 * 4;
    int rc = ctr_buf_create(&b->in[i], b->from->dev, bytes, t->name);
    void *raw = rc == 0 ? ctr_alloc(bytes, 1) : NULL;
    if (!raw)
        return rc ? rc : CTR_E_FAIL;
    draw(raw, t, b->node->op->whole_below, i);
    rc = ctr_buf_write(b->in[i], 0, raw, bytes);
    free(raw);
    return rc;
}

int ctr_bench_prepare(struct ctr_bench *b)
{
    for (unsigned i = 0; i < b->node->n_in; i++) {
        int rc = b->node->in[i] ? make_input(b, i) : 0;
        if (rc != 0)
            return rc;
    }
    return make_trial(&b->own, b, NULL);
}

void ctr_bench_end(struct ctr_bench *b)
{
    end_trial(&b->own);
    for (unsigned i = 0; i < CTR_MAX_IO; i++) {
        ctr_buf_destroy(&b->in[i]);
        free(b->want[i]);
    }
}

/* ---- what came out ---- */

static double half_value(uint32_t h)
{
    int e = (int)(h >> 10 & 31), m = (int)(h & 1023);
    double v = e == 31 ? (m ? NAN : INFINITY) : ldexp(m + (e ? 1024 : 0), (e ? e : 1) - 25);
    return h >> 15 ? -v : v;
}

static double value_at(const void *raw, enum ctr_dtype dtype, size_t k)
{
    if (dtype == CTR_F32)
        return ((const float *)raw)[k];
    if (dtype == CTR_F16)
        return half_value(((const uint16_t *)raw)[k]);
    uint32_t bits = (uint32_t)((const uint16_t *)raw)[k] << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* fp32: sums in another order, or what the variants say of their arithmetic. Halves: a last digit
 * here and there. Whole numbers (places of maxima): near ties. */
static double allowed(enum ctr_dtype dtype, const struct ctr_variant *a,
                      const struct ctr_variant *b)
{
    double error = a->error > b->error ? a->error : b->error;
    if (dtype == CTR_F32 && error > 0)
        return error;
    return dtype == CTR_F32 ? 1e-5 : dtype == CTR_F16 ? 1e-3 : dtype == CTR_BF16 ? 8e-3 : 1e-4;
}

static double share_that_differs(const char *got, const char *want, const ctr_tensor *t)
{
    size_t size = ctr_dtype_bytes(t->dtype), n = 0;
    for (size_t k = 0; k < t->count; k++)
        n += memcmp(got + k * size, want + k * size, size) != 0;
    return (double)n / (double)t->count;
}

/* sqrt(sum (got - want)^2 / sum want^2), infinite when anything is not finite. */
static double relative_error(const void *got, const void *want, const ctr_tensor *t)
{
    double diff = 0, norm = 0;
    for (size_t k = 0; k < t->count; k++) {
        double g = value_at(got, t->dtype, k), w = value_at(want, t->dtype, k);
        diff += (g - w) * (g - w);
        norm += w * w;
    }
    double e = norm > 0 ? sqrt(diff / norm) : sqrt(diff);
    return isfinite(e) ? e : INFINITY;
}

static int keep_results(struct ctr_bench *b)
{
    for (unsigned i = 0; i < b->own.node->n_out; i++) {
        const ctr_tensor *t = b->own.node->out[i];
        if (!(b->want[i] = ctr_alloc(t->bytes, 1)))
            return CTR_E_FAIL;
        int rc = ctr_tensor_read(b->want[i], t, t->bytes);
        if (rc != 0)
            return rc;
        if (ctr_dtype_is_float(t->dtype) && relative_error(b->want[i], b->want[i], t) != 0)
            return ctr_fail(CTR_E_DIVERGED, "its results on made-up numbers are not finite");
    }
    return 0;
}

/* Output i of a trial against what the own choice computed. */
static int compare(double *error, const struct ctr_bench *b, const ctr_node *trial, unsigned i)
{
    const ctr_tensor *t = trial->out[i];
    void *got = ctr_alloc(t->bytes, 1);
    if (!got)
        return CTR_E_FAIL;
    int rc = ctr_tensor_read(got, t, t->bytes);
    double e = ctr_dtype_is_float(t->dtype) ? relative_error(got, b->want[i], t)
                                            : share_that_differs(got, b->want[i], t);
    free(got);
    if (rc == 0 && !(e <= allowed(t->dtype, b->own.node->variant, trial->variant)))
        rc = ctr_fail(CTR_E_FAIL, "it differs from '%s' by %.1e", b->own.node->variant->name, e);
    if (rc == 0 && ctr_dtype_is_float(t->dtype) && e > *error)
        *error = e;
    return rc;
}

/* ---- time ---- */

static int sample(double *seconds, struct ctr_trial *trial, unsigned runs)
{
    int rc = 0;
    double start = ctr_now();
    for (unsigned i = 0; i < runs && rc == 0; i++)
        rc = ctr_graph_replay(trial->g);
    if (rc == 0)
        rc = ctr_dev_finish(ctr_graph_dev(trial->g));
    *seconds = (ctr_now() - start) / runs;
    return rc;
}

static int ascending(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static int ratio_of(double *ratio, struct ctr_bench *b, struct ctr_trial *trial, size_t samples)
{
    int rc = 0;
    double own[CTR_BENCH_SAMPLES], other[CTR_BENCH_SAMPLES];
    for (size_t i = 0; i < 2; i++) {
        CTR_TRY(sample(&own[i], &b->own, 1));
        CTR_TRY(sample(&other[i], trial, 1));
    }
    own[0] = fmin(own[0], own[1]);
    other[0] = fmin(other[0], other[1]);
    *ratio = other[0] / own[0];
    if (*ratio > HOPELESS)
        return 0;
    double shorter = fmin(own[0], other[0]);
    unsigned runs = shorter * MAX_RUNS < SAMPLE_S ? MAX_RUNS : 1 + (unsigned)(SAMPLE_S / shorter);
    for (size_t i = 0; i < samples; i++) {
        CTR_TRY(sample(&own[i], &b->own, runs));
        CTR_TRY(sample(&other[i], trial, runs));
    }
    double own_s = median(own, samples);
    *ratio = median(other, samples) / own_s;
    b->own_s = own_s < b->own_s ? own_s : b->own_s;
out:
    return rc;
}

int ctr_bench_own(struct ctr_bench *b)
{
    int rc = build_and_run(&b->own);
    if (rc == 0)
        rc = sample(&b->own_s, &b->own, 1);
    return rc == 0 ? keep_results(b) : rc;
}

int ctr_bench_try(double *ratio, double *error, struct ctr_bench *b, const struct ctr_candidate *c,
                  size_t samples)
{
    int rc = 0;
    struct ctr_trial trial = {NULL, NULL};
    *error = 0;
    CTR_TRY(make_trial(&trial, b, c));
    CTR_TRY(build_and_run(&trial));
    for (unsigned i = 0; i < trial.node->n_out; i++)
        CTR_TRY(compare(error, b, trial.node, i));
    CTR_TRY(ratio_of(ratio, b, &trial, samples));
out:
    end_trial(&trial);
    return rc;
}
