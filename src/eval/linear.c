/* linear.c -- softmax regression on frozen features. Trained on the device with the same ops as any
 * network, a batch at a time from the host; the test set is scored on the host. Protocol: eval.h.
 */
#include "eval/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "op/op.h"
#include "optim/optim.h"

#define EPOCHS        100
#define BATCH         1000
#define LEARNING_RATE 0.01

struct probe {
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *x, *label, *scalars;
    const struct ctr_features *train;
    const float *mean, *scale; /* [D]: a feature becomes (x - mean) * scale */
    size_t batch, D;
    unsigned classes;
};

/* Mean and 1 / deviation of each feature; features that never change are switched off. */
static void standardise(float *mean, float *scale, const struct ctr_features *f)
{
    for (size_t d = 0; d < f->D; d++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < f->n; i++)
            sum += f->x[i * f->D + d];
        sum /= (double)f->n;
        for (size_t i = 0; i < f->n; i++)
            square += (f->x[i * f->D + d] - sum) * (f->x[i * f->D + d] - sum);
        double deviation = sqrt(square / (double)f->n);
        mean[d] = (float)sum;
        scale[d] = deviation > 1e-8 ? (float)(1 / deviation) : 0.0f;
    }
}

static int record(struct probe *p, ctr_dev *dev)
{
    int rc = 0;
    const struct ctr_optim *adamw = ctr_optim_find("adamw");
    double option[CTR_MAX_OPTIONS];
    const struct ctr_init zero = {CTR_INIT_ZERO, 0};
    size_t K = p->classes;
    for (size_t i = 0; adamw->options[i].name; i++)
        option[i] = adamw->options[i].init;
    CTR_TRY(ctr_store_create(&p->store, dev));
    ctr_store_moments(p->store, adamw->moments);
    CTR_TRY(ctr_graph_create(&p->g, dev, p->store));
    p->x = ctr_graph_input(p->g, "features", CTR_F32, 2, (size_t[]){p->batch, p->D});
    p->label = ctr_graph_input(p->g, "labels", CTR_I32, 1, &p->batch);
    p->scalars = ctr_graph_input(p->g, "scalars", CTR_F32, 1, (size_t[]){2});
    ctr_tensor *w = ctr_graph_param(p->g, "weight", 2, (size_t[]){K, p->D}, zero, 0);
    ctr_tensor *b = ctr_graph_param(p->g, "bias", 1, &K, zero, CTR_PARAM_NO_DECAY);
    ctr_tensor *loss = ctr_softmax_xent(p->g, ctr_dense(p->g, p->x, w, b, 0), p->label);
    CTR_TRY(ctr_graph_backward(p->g, loss, NULL));
    CTR_TRY(adamw->record(p->g, p->scalars, 0.0f, option));
    CTR_TRY(ctr_graph_plan(p->g, NULL));
    CTR_TRY(ctr_graph_lower(p->g));
    CTR_TRY(ctr_dev_build(dev, 1, NULL, NULL));
    CTR_TRY(ctr_store_init(p->store, 0));
out:
    return rc;
}

static int fit(struct probe *p, uint64_t seed)
{
    int rc = 0;
    size_t n = p->train->n, D = p->D, steps = n / p->batch;
    struct ctr_schedule schedule = {.base = LEARNING_RATE, .total = EPOCHS * steps};
    uint32_t *order = ctr_alloc(n, sizeof *order);
    float *x = ctr_alloc(p->batch * D, sizeof *x);
    int32_t *label = ctr_alloc(p->batch, sizeof *label);
    if (!order || !x || !label)
        CTR_TRY(CTR_E_FAIL);
    for (size_t step = 0; step < EPOCHS * steps; step++) {
        if (step % steps == 0) {
            struct ctr_rng rng;
            ctr_rng_init(&rng, seed, CTR_RNG_SHUFFLE, (uint32_t)(step / steps), 1);
            ctr_rng_permutation(&rng, order, (uint32_t)n);
        }
        for (size_t i = 0; i < p->batch; i++) {
            size_t from = order[step % steps * p->batch + i];
            for (size_t d = 0; d < D; d++)
                x[i * D + d] = (p->train->x[from * D + d] - p->mean[d]) * p->scale[d];
            label[i] = p->train->label[from];
        }
        const float scalars[2] = {(float)ctr_schedule_rate(&schedule, step), (float)(step + 1)};
        CTR_TRY(ctr_tensor_write(p->x, x, p->x->bytes));
        CTR_TRY(ctr_tensor_write(p->label, label, p->label->bytes));
        CTR_TRY(ctr_tensor_write(p->scalars, scalars, sizeof scalars));
        CTR_TRY(ctr_graph_replay(p->g));
    }
out:
    free(label);
    free(x);
    free(order);
    return rc;
}

/* Share of f whose largest logit is its label. */
static int score(double *accuracy, const struct probe *p, const struct ctr_features *f)
{
    int rc = 0;
    size_t K = p->classes, D = p->D, right = 0;
    float *w = ctr_alloc(K * D, sizeof *w), *b = ctr_alloc(K, sizeof *b);
    if (!w || !b)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(ctr_store_read(w, p->store, 0, CTR_STORE_VALUES));
    CTR_TRY(ctr_store_read(b, p->store, 1, CTR_STORE_VALUES));
    for (size_t i = 0; i < f->n; i++) {
        double best = -INFINITY;
        int32_t guess = -1;
        for (size_t k = 0; k < K; k++) {
            double logit = b[k];
            for (size_t d = 0; d < D; d++)
                logit += (double)w[k * D + d] * (f->x[i * D + d] - p->mean[d]) * p->scale[d];
            if (logit > best) {
                best = logit;
                guess = (int32_t)k;
            }
        }
        right += guess == f->label[i];
    }
    *accuracy = (double)right / (double)f->n;
out:
    free(b);
    free(w);
    return rc;
}

int ctr_linear_probe(double *accuracy, ctr_dev *dev, const struct ctr_features *train,
                     const struct ctr_features *test, unsigned classes, uint64_t seed)
{
    int rc = 0;
    float *mean = NULL, *scale = NULL;
    if (train->n == 0 || test->n == 0)
        return ctr_fail(CTR_E_DATA, "no labelled images to learn a classifier from");
    struct probe p = {.train = train,
                      .D = train->D,
                      .classes = classes,
                      .batch = train->n < BATCH ? train->n : BATCH};
    mean = ctr_alloc(train->D, sizeof *mean);
    scale = ctr_alloc(train->D, sizeof *scale);
    if (!mean || !scale)
        CTR_TRY(CTR_E_FAIL);
    standardise(mean, scale, train);
    p.mean = mean;
    p.scale = scale;
    CTR_TRY(record(&p, dev));
    CTR_TRY(fit(&p, seed));
    CTR_TRY(score(accuracy, &p, test));
out:
    ctr_graph_destroy(&p.g);
    ctr_store_destroy(&p.store);
    free(scale);
    free(mean);
    return rc;
}
