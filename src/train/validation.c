/* validation.c -- see validation.h. The batches are drawn once, by the run's seed, and so are the
 * views: what differs from epoch to epoch is the network alone. */
#include "train/validation.h"

#include <stdlib.h>

#include "base/mem.h"
#include "train/impl.h"

#define EPOCH UINT32_MAX /* of the order and the views' draws; no epoch of training */

struct ctr_validation {
    struct ctr_pass pass;
};

int ctr_validation_create(struct ctr_validation **out, ctr_trainer *t,
                          ctr_data_progress_fn *progress)
{
    int rc = 0;
    struct ctr_method_io io;
    struct ctr_validation *v = ctr_alloc(1, sizeof *v);
    if (!v)
        return CTR_E_FAIL;
    CTR_TRY(ctr_pass_open(&v->pass, t, 1, progress));
    if (v->pass.batch.steps == 0)
        CTR_TRY(
            ctr_hint(ctr_fail(CTR_E_USAGE,
                              "a validation share of %g is %zu images, less than a batch of %llu",
                              t->params->validation, ctr_data_info(v->pass.data)->n,
                              (unsigned long long)t->params->batch),
                     "hold out more, or use a smaller --batch: the loss depends on it"));
    CTR_TRY(ctr_pass_record(&v->pass, &io, 0));
    CTR_TRY(ctr_pass_figures(&v->pass, &io));
    *out = v;
    v = NULL;
out:
    ctr_validation_destroy(&v);
    return rc;
}

void ctr_validation_destroy(struct ctr_validation **validation)
{
    struct ctr_validation *v = *validation;
    if (!v)
        return;
    ctr_pass_close(&v->pass);
    free(v);
    *validation = NULL;
}

/* Forced kernels are taken where there are such ops: backward ones are not. What was tuned is left
 * out: a resumed run knows it for its own graph alone. */
int ctr_validation_plan(struct ctr_validation *v, const ctr_trainer *t)
{
    int rc = ctr_graph_plan(v->pass.g, &(struct ctr_plan_params){.tuned = t->params->kernels});
    return rc == 0 ? ctr_graph_lower(v->pass.g) : rc;
}

int ctr_validation_run(struct ctr_train_figures *figures, struct ctr_validation *v)
{
    size_t steps = v->pass.batch.steps;
    float row[CTR_RING_ROWS][CTR_RING_COLS];
    struct ctr_train_figures sum = {0};
    int rc = 0;
    CTR_TRY(ctr_pass_begin(&v->pass, EPOCH, 0, 0));
    for (size_t i = 0; i < steps; i++) {
        CTR_TRY(ctr_pass_step(&v->pass));
        CTR_TRY(ctr_tensor_read(row, v->pass.ring, sizeof row));
        struct ctr_train_figures of = ctr_pass_row(&v->pass, row[i % CTR_RING_ROWS]);
        sum.loss += of.loss;
        sum.positive_top1 += of.positive_top1;
        sum.positive_similarity += of.positive_similarity;
        sum.pairs_right += of.pairs_right;
    }
    *figures = (struct ctr_train_figures){
        .loss = sum.loss / (double)steps,
        .positive_top1 = sum.positive_top1 / (double)steps,
        .positive_similarity = sum.positive_similarity / (double)steps,
        .pairs_right = sum.pairs_right / (double)steps,
    };
out:
    return rc;
}

size_t ctr_validation_n(const struct ctr_validation *v)
{
    return v->pass.batch.steps * v->pass.batch.N;
}

uint64_t ctr_validation_bytes(const struct ctr_validation *v)
{
    struct ctr_plan_report r = ctr_graph_report(v->pass.g);
    return (v->pass.images.buf ? ctr_buf_bytes(v->pass.images.buf) : 0) + r.arena_bytes +
           r.input_bytes;
}

size_t ctr_validation_n_skipped(const struct ctr_validation *v)
{
    return ctr_data_n_skipped(v->pass.data) - v->pass.n_listed;
}

struct ctr_data_skip ctr_validation_skip(const struct ctr_validation *v, size_t i)
{
    return ctr_data_skip(v->pass.data, v->pass.n_listed + i);
}
