/* sgd.c -- softmax regression by AdamW, trained on the device with the same ops as any network, a batch
 * at a time from the host. Protocol: eval.h, CTR_PROBE_SGD. */
#include "eval/linear.h"

#include <stdlib.h>

#include "base/mem.h"
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
    const struct ctr_linear *l;
    size_t batch;
};

static int record(struct probe *p, ctr_dev *dev)
{
    int rc = 0;
    const struct ctr_optim *adamw = ctr_optim_find("adamw");
    double option[CTR_MAX_OPTIONS];
    const struct ctr_init zero = {CTR_INIT_ZERO, 0};
    size_t K = p->l->classes, D = p->l->D;
    for (size_t i = 0; adamw->options[i].name; i++)
        option[i] = adamw->options[i].init;
    CTR_TRY(ctr_store_create(&p->store, dev));
    ctr_store_moments(p->store, adamw->moments);
    CTR_TRY(ctr_graph_create(&p->g, dev, p->store));
    p->x = ctr_graph_input(p->g, "features", CTR_F32, 2, (size_t[]){p->batch, D});
    p->label = ctr_graph_input(p->g, "labels", CTR_I32, 1, &p->batch);
    p->scalars = ctr_graph_input(p->g, "scalars", CTR_F32, 1, (size_t[]){2});
    ctr_tensor *w = ctr_graph_param(p->g, "weight", 2, (size_t[]){K, D}, zero, 0);
    ctr_tensor *b = ctr_graph_param(p->g, "bias", 1, &K, zero, CTR_PARAM_NO_DECAY);
    ctr_tensor *loss = ctr_softmax_xent(p->g, ctr_dense(p->g, p->x, w, b, 0), p->label, 0);
    CTR_TRY(ctr_graph_backward(p->g, loss, NULL));
    CTR_TRY(adamw->record(p->g, p->scalars, &(struct ctr_optim_params){.option = option}));
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
    size_t n = p->train->n, D = p->l->D, steps = n / p->batch;
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
            ctr_linear_row(x + i * D, p->l, p->train, from);
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

int ctr_linear_fit_sgd(struct ctr_linear *l, ctr_dev *dev, const struct ctr_features *train,
                       uint64_t seed)
{
    int rc = 0;
    struct probe p = {.l = l, .train = train, .batch = train->n < BATCH ? train->n : BATCH};
    CTR_TRY(record(&p, dev));
    CTR_TRY(fit(&p, seed));
    CTR_TRY(ctr_store_read(l->w, p.store, 0, CTR_STORE_VALUES));
    CTR_TRY(ctr_store_read(l->b, p.store, 1, CTR_STORE_VALUES));
out:
    ctr_graph_destroy(&p.g);
    ctr_store_destroy(&p.store);
    return rc;
}
