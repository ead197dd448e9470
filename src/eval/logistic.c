/* logistic.c -- softmax regression with an L2 penalty, minimised to the end.
 *
 * W, b minimise mean cross-entropy + penalty / 2 |W|^2 (b free of it); scikit-learn's
 * LogisticRegression(C) has penalty = 1 / (C n). The device gives loss and gradient of all rows by the
 * ops of any network, the host steps (lbfgs.h). Rows that do not fit the device at once go there part
 * by part for each gradient; the last part is filled up with rows of zeros, whose share is taken off
 * again: they know the bias alone. Kornblith, Shlens, Le, arXiv:1805.08974, section A.4, and SimCLR,
 * arXiv:2002.05709, section B.8, score transfer so. */
#include "eval/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/lbfgs.h"
#include "op/op.h"

#define DEFAULT    1e-2 /* where there are no rows to choose on */
#define TOLERANCE  1e-4 /* scikit-learn's */
#define MAX_STEPS  200
#define NOISE      1e-6 /* of a mean of fp32 */

/* Strong ones first: each fit starts where the one before ended. */
static const double penalties[] = {1, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6};

struct logistic {
    const struct ctr_linear *l;
    const struct ctr_features *f;
    const uint32_t *index; /* [n] rows of f */
    size_t n, rows, parts; /* rows of a part; 0: as many as fit */
    double penalty;
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *x, *label, *loss;
    float *block;   /* [rows][D] */
    int32_t *labels; /* [rows] */
    float *wb;      /* [K * D + K] */
};

static int record(struct logistic *o, ctr_dev *dev)
{
    int rc = 0;
    size_t K = o->l->classes, D = o->l->D;
    const struct ctr_init zero = {CTR_INIT_ZERO, 0};
    CTR_TRY(ctr_store_create(&o->store, dev));
    CTR_TRY(ctr_graph_create(&o->g, dev, o->store));
    o->x = ctr_graph_input(o->g, "features", CTR_F32, 2, (size_t[]){o->rows, D});
    o->label = ctr_graph_input(o->g, "labels", CTR_I32, 1, &o->rows);
    ctr_tensor *w = ctr_graph_param(o->g, "weight", 2, (size_t[]){K, D}, zero, 0);
    ctr_tensor *b = ctr_graph_param(o->g, "bias", 1, &K, zero, 0);
    o->loss = ctr_softmax_xent(o->g, ctr_dense(o->g, o->x, w, b, 0), o->label, 0);
    ctr_graph_keep(o->loss);
    CTR_TRY(ctr_graph_backward(o->g, o->loss, NULL));
    CTR_TRY(ctr_graph_plan(o->g, NULL));
    CTR_TRY(ctr_graph_lower(o->g));
    CTR_TRY(ctr_dev_build(dev, 1, NULL, NULL));
out:
    return rc;
}

static int load(struct logistic *o, size_t part)
{
    size_t D = o->l->D, at = part * o->rows;
    memset(o->block, 0, o->rows * D * sizeof *o->block);
    memset(o->labels, 0, o->rows * sizeof *o->labels);
    for (size_t i = 0; i < o->rows && at + i < o->n; i++) {
        ctr_linear_row(o->block + i * D, o->l, o->f, o->index[at + i]);
        o->labels[i] = o->f->label[o->index[at + i]];
    }
    int rc = ctr_tensor_write(o->x, o->block, o->x->bytes);
    return rc != 0 ? rc : ctr_tensor_write(o->label, o->labels, o->label->bytes);
}

static void finish(struct logistic *o)
{
    ctr_graph_destroy(&o->g);
    ctr_store_destroy(&o->store);
    free(o->block);
    free(o->labels);
    free(o->wb);
}

/* Rows that the device can hold, leaving it room for other things. */
static size_t rows_that_fit(ctr_dev *dev, size_t D)
{
    const struct ctr_caps *caps = ctr_dev_caps(dev);
    uint64_t bytes = caps->global_bytes / 4;
    if (bytes > caps->max_alloc_bytes)
        bytes = caps->max_alloc_bytes;
    return (size_t)(bytes / (D * sizeof(float))) + 1;
}

static int start(struct logistic *o, ctr_dev *dev)
{
    size_t D = o->l->D, K = o->l->classes;
    size_t most = o->rows ? o->rows : rows_that_fit(dev, D);
    o->parts = (o->n + most - 1) / most;
    o->rows = (o->n + o->parts - 1) / o->parts;
    o->block = ctr_alloc(o->rows * D, sizeof *o->block);
    o->labels = ctr_alloc(o->rows, sizeof *o->labels);
    o->wb = ctr_alloc(K * D + K, sizeof *o->wb);
    int rc = o->block && o->labels && o->wb ? record(o, dev) : CTR_E_FAIL;
    return rc == 0 && o->parts == 1 ? load(o, 0) : rc;
}

/* The sums of loss and gradient less those of `n` rows of zeros with label 0. */
static void take_off(double *f, double *db, const float *b, size_t n, size_t K)
{
    float top = b[0]; /* a double here ends gcc 12 for arm64 at -O3 */
    double sum = 0;
    for (size_t k = 1; k < K; k++)
        top = fmaxf(top, b[k]);
    for (size_t k = 0; k < K; k++)
        sum += exp((double)b[k] - top);
    *f -= (double)n * (top + log(sum) - b[0]);
    for (size_t k = 0; k < K; k++)
        db[k] -= (double)n * (exp((double)b[k] - top) / sum - (k == 0));
}

/* Adds one part's sums. */
static int add_part(double *f, double *gradient, struct logistic *o, size_t part)
{
    size_t KD = o->l->classes * o->l->D, K = o->l->classes;
    float loss;
    int rc = 0;
    if (o->parts > 1)
        CTR_TRY(load(o, part));
    CTR_TRY(ctr_graph_replay(o->g));
    CTR_TRY(ctr_tensor_read(&loss, o->loss, sizeof loss));
    CTR_TRY(ctr_store_read(o->wb, o->store, 0, CTR_STORE_GRADS));
    CTR_TRY(ctr_store_read(o->wb + KD, o->store, 1, CTR_STORE_GRADS));
    *f += (double)loss * (double)o->rows;
    for (size_t i = 0; i < KD + K; i++)
        gradient[i] += (double)o->wb[i] * (double)o->rows;
out:
    return rc;
}

static int value(double *f, double *gradient, const double *x, void *user)
{
    struct logistic *o = user;
    size_t K = o->l->classes, KD = K * o->l->D;
    int rc = 0;
    *f = 0;
    memset(gradient, 0, (KD + K) * sizeof *gradient);
    for (size_t i = 0; i < KD + K; i++)
        o->wb[i] = (float)x[i];
    CTR_TRY(ctr_store_write(o->store, 0, CTR_STORE_VALUES, o->wb));
    CTR_TRY(ctr_store_write(o->store, 1, CTR_STORE_VALUES, o->wb + KD));
    for (size_t part = 0; part < o->parts; part++)
        CTR_TRY(add_part(f, gradient, o, part));
    for (size_t k = 0; k < K; k++)
        o->wb[k] = (float)x[KD + k];
    take_off(f, gradient + KD, o->wb, o->rows * o->parts - o->n, K);
    *f /= (double)o->n;
    for (size_t i = 0; i < KD + K; i++)
        gradient[i] /= (double)o->n;
    for (size_t i = 0; i < KD; i++) {
        *f += 0.5 * o->penalty * x[i] * x[i];
        gradient[i] += o->penalty * x[i];
    }
out:
    return rc;
}

/* l's w and b from where they are to the minimum. */
static int minimise(struct ctr_linear *l, struct logistic *o, double tolerance)
{
    size_t K = l->classes, KD = K * l->D;
    double *x = ctr_alloc(KD + K, sizeof *x);
    if (!x)
        return CTR_E_FAIL;
    for (size_t i = 0; i < KD + K; i++)
        x[i] = i < KD ? l->w[i] : l->b[i - KD];
    int rc = ctr_lbfgs(x, NULL,
                       &(struct ctr_lbfgs){.value = value,
                                           .user = o,
                                           .n = KD + K,
                                           .tolerance = tolerance,
                                           .noise = NOISE,
                                           .max_steps = MAX_STEPS});
    for (size_t i = 0; rc == 0 && i < KD + K; i++)
        *(i < KD ? &l->w[i] : &l->b[i - KD]) = (float)x[i];
    free(x);
    return rc;
}

int ctr_linear_fit_logistic(struct ctr_linear *l, ctr_dev *dev, const struct ctr_features *f,
                            const uint32_t *index, size_t n, double penalty, double tolerance,
                            size_t rows)
{
    struct logistic o = {.l = l, .f = f, .index = index, .n = n, .rows = rows, .penalty = penalty};
    int rc = start(&o, dev);
    if (rc == 0)
        rc = minimise(l, &o, tolerance);
    finish(&o);
    return rc;
}

struct path {
    struct ctr_linear *l;
    struct logistic o;
};

static int fit_next(int *fitted, void *ctx, double penalty)
{
    struct path *p = ctx;
    p->o.penalty = penalty;
    *fitted = 1;
    return minimise(p->l, &p->o, TOLERANCE);
}

int ctr_linear_fit_lbfgs(struct ctr_linear *l, double *penalty, ctr_dev *dev,
                         const struct ctr_features *train, uint64_t seed)
{
    int rc = 0;
    size_t n_fit = 0;
    struct path p = {.l = l};
    uint32_t *order = ctr_alloc(train->n, sizeof *order);
    *penalty = DEFAULT;
    if (!order)
        return CTR_E_FAIL;
    CTR_TRY(ctr_features_split(order, &n_fit, train, l->classes, seed));
    if (n_fit < train->n) {
        p.o = (struct logistic){.l = l, .f = train, .index = order, .n = n_fit};
        CTR_TRY(start(&p.o, dev));
        CTR_TRY(ctr_linear_choose(penalty, l, train, order + n_fit, train->n - n_fit, penalties,
                                  sizeof penalties / sizeof *penalties, fit_next, &p));
    }
    CTR_TRY(ctr_linear_fit_logistic(l, dev, train, order, train->n, *penalty, TOLERANCE, 0));
out:
    finish(&p.o);
    free(order);
    return rc;
}
