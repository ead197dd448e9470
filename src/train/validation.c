/* validation.c -- see validation.h. The batches are drawn once, by the run's seed, and so are the
 * views: what differs from epoch to epoch is the network alone. */
#include "train/validation.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/impl.h"

#define EPOCH UINT32_MAX /* of the views' draws; no epoch of training */

struct ctr_validation {
    struct ctr_data *data;
    size_t n_listed; /* skipped in listing, as the training images' list tells, too */
    struct ctr_images images;
    struct ctr_loader *loader; /* streaming */
    ctr_graph *g;
    struct ctr_batch batch;
    struct ctr_augment_source source;
    ctr_tensor *labels, *ring;
    int has_top1, has_similarity, has_right;
    uint32_t *order;
    float *rates; /* zeros */
};

static int open_data(struct ctr_validation *v, ctr_trainer *t, ctr_data_progress_fn *progress)
{
    const struct ctr_train_params *p = t->params;
    int rc = 0;
    CTR_TRY(ctr_trainer_open_data(&v->data, t, 1));
    v->n_listed = ctr_data_n_skipped(v->data);
    CTR_TRY(ctr_images_open(&v->images, t->dev, v->data, p->stream ? 1 : 0, progress, t));
    CTR_TRY(ctr_trainer_check_labels(t, v->data));
    size_t n = ctr_data_info(v->data)->n, steps = n / p->batch;
    if (steps == 0)
        CTR_TRY(
            ctr_hint(ctr_fail(CTR_E_USAGE,
                              "a validation share of %g is %zu images, less than a batch of %llu",
                              p->validation, n, (unsigned long long)p->batch),
                     "hold out more, or use a smaller --batch: the loss depends on it"));
    v->batch.steps = steps;
    v->order = ctr_alloc(n, sizeof *v->order);
    v->rates = ctr_alloc(steps, sizeof *v->rates);
    if (!v->order || !v->rates)
        CTR_TRY(CTR_E_FAIL);
    struct ctr_rng rng;
    ctr_rng_init(&rng, p->seed, CTR_RNG_SHUFFLE, EPOCH, 0);
    ctr_rng_permutation(&rng, v->order, (uint32_t)n);
out:
    return rc;
}

static int record(struct ctr_validation *v, ctr_trainer *t)
{
    const struct ctr_train_params *p = t->params;
    int rc = ctr_graph_create(&v->g, t->dev, t->store);
    if (rc != 0)
        return rc;
    struct ctr_method_io io = ctr_trainer_io(t, v->g, 0);
    ctr_batch_record(&v->batch, v->g, v->batch.steps, p->batch, p->seed, !v->images.buf);
    v->source = ctr_images_source(&v->images, v->g, p->batch, v->batch.index);
    struct ctr_view_source from = {t, v->source, v->batch.step};
    ctr_trainer_views(&io, &from);
    if (t->needs_labels) {
        v->labels = ctr_graph_input(v->g, "labels", CTR_I32, 1, &ctr_data_info(v->data)->n);
        io.label = ctr_batch_labels(v->g, v->labels, v->source.index);
        io.classes = ctr_data_info(v->data)->n_classes;
    }
    if ((rc = ctr_graph_status(v->g)) == 0)
        rc = t->method->build(&io);
    v->ring = ctr_ring_record(v->g, v->batch.step,
                              (ctr_tensor *[]){io.loss, io.top1, io.similarity, io.right});
    v->has_top1 = io.top1 != NULL;
    v->has_similarity = io.similarity != NULL;
    v->has_right = io.right != NULL;
    return rc != 0 ? rc : ctr_graph_status(v->g);
}

int ctr_validation_create(struct ctr_validation **out, ctr_trainer *t,
                          ctr_data_progress_fn *progress)
{
    int rc = 0;
    struct ctr_validation *v = ctr_alloc(1, sizeof *v);
    if (!v)
        return CTR_E_FAIL;
    CTR_TRY(open_data(v, t, progress));
    CTR_TRY(record(v, t));
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
    ctr_loader_close(&v->loader);
    ctr_graph_destroy(&v->g);
    ctr_images_close(&v->images);
    ctr_data_close(&v->data);
    free(v->order);
    free(v->rates);
    free(v);
    *validation = NULL;
}

/* Forced kernels are taken where there are such ops: backward ones are not. What was tuned is left
 * out: a resumed run knows it for its own graph alone. */
int ctr_validation_plan(struct ctr_validation *v, const ctr_trainer *t)
{
    int rc = ctr_graph_plan(v->g, &(struct ctr_plan_params){.tuned = t->params->kernels});
    return rc == 0 ? ctr_graph_lower(v->g) : rc;
}

static int begin(struct ctr_validation *v)
{
    const struct ctr_data_info *info = ctr_data_info(v->data);
    int rc = 0;
    if (v->labels)
        CTR_TRY(ctr_tensor_write(v->labels, info->labels, v->labels->bytes));
    if (!v->images.buf) {
        ctr_loader_close(&v->loader);
        CTR_TRY(ctr_loader_open(&v->loader, v->data, v->order, v->batch.steps * v->batch.N,
                                v->batch.N, 0));
    }
    CTR_TRY(ctr_batch_begin(&v->batch, EPOCH, 0, 0, v->images.buf ? v->order : NULL, v->rates));
out:
    return rc;
}

int ctr_validation_run(struct ctr_validation_scores *scores, struct ctr_validation *v)
{
    double sum[CTR_RING_COLS] = {0}, steps = (double)v->batch.steps;
    float row[CTR_RING_ROWS][CTR_RING_COLS];
    int rc = 0;
    CTR_TRY(begin(v));
    for (size_t i = 0; i < v->batch.steps; i++) {
        if (v->loader)
            CTR_TRY(ctr_trainer_feed(v->loader, &v->source));
        CTR_TRY(ctr_graph_replay(v->g));
        CTR_TRY(ctr_tensor_read(row, v->ring, sizeof row));
        for (size_t k = 0; k < CTR_RING_COLS; k++)
            sum[k] += row[i % CTR_RING_ROWS][k];
    }
    *scores = (struct ctr_validation_scores){
        .loss = sum[0] / steps,
        .positive_top1 = v->has_top1 ? sum[1] / steps : NAN,
        .positive_similarity = v->has_similarity ? sum[2] / steps : NAN,
        .pairs_right = v->has_right ? sum[3] / steps : NAN,
    };
out:
    return rc;
}

size_t ctr_validation_n(const struct ctr_validation *v)
{
    return v->batch.steps * v->batch.N;
}

uint64_t ctr_validation_bytes(const struct ctr_validation *v)
{
    struct ctr_plan_report r = ctr_graph_report(v->g);
    return (v->images.buf ? ctr_buf_bytes(v->images.buf) : 0) + r.arena_bytes + r.input_bytes;
}

size_t ctr_validation_n_skipped(const struct ctr_validation *v)
{
    return ctr_data_n_skipped(v->data) - v->n_listed;
}

struct ctr_data_skip ctr_validation_skip(const struct ctr_validation *v, size_t i)
{
    return ctr_data_skip(v->data, v->n_listed + i);
}
