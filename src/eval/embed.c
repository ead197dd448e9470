/* embed.c -- the encoder over a data set, a batch at a time; the last batch is filled up with its
 * first image and the surplus dropped. */
#include "eval/embed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct ctr_embedder {
    const struct ctr_images *images;
    size_t batch, dim;
    ctr_graph *g;
    struct ctr_augment_source source;
    ctr_tensor *h;
};

int ctr_embedder_create(ctr_embedder **out, ctr_dev *dev, ctr_store *store,
                        const struct ctr_images *images, const struct ctr_encoder *encoder,
                        struct ctr_encoder_params params, size_t image_size, size_t batch)
{
    int rc = 0;
    ctr_embedder *e = ctr_alloc(1, sizeof *e);
    if (!e)
        return CTR_E_FAIL;
    params.training = 0;
    e->images = images;
    e->batch = batch;
    CTR_TRY(ctr_graph_create(&e->g, dev, store));
    e->source = ctr_images_source(images, e->g, batch, NULL);
    e->h = encoder->build(e->g, ctr_augment_plain(e->g, e->source, image_size, image_size, 0),
                          &params);
    CTR_TRY(ctr_graph_status(e->g));
    ctr_graph_keep(e->h);
    e->dim = e->h->count / batch;
    CTR_TRY(ctr_graph_plan(e->g, NULL));
    CTR_TRY(ctr_graph_lower(e->g));
    *out = e;
    e = NULL;
out:
    ctr_embedder_destroy(&e);
    return rc;
}

void ctr_embedder_destroy(ctr_embedder **embedder)
{
    if (!*embedder)
        return;
    ctr_graph_destroy(&(*embedder)->g);
    free(*embedder);
    *embedder = NULL;
}

size_t ctr_embedder_dim(const ctr_embedder *embedder)
{
    return embedder->dim;
}

/* Brings images [at, at + n) to the device; index[i] tells which one stands in row i. */
static int feed(ctr_embedder *e, uint32_t *index, uint8_t *pixels, size_t at, size_t n)
{
    for (size_t i = 0; i < e->batch; i++)
        index[i] = (uint32_t)(at + (i < n ? i : 0));
    if (e->source.stream) {
        int rc = ctr_data_read(e->images->data, pixels, index, index, e->batch);
        if (rc == 0)
            rc = ctr_tensor_write(e->source.images, pixels, e->source.images->bytes);
        if (rc != 0)
            return rc;
    }
    return ctr_tensor_write(e->source.index, index, e->source.index->bytes);
}

static int all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

int ctr_embedder_run(float *features, int32_t *labels, ctr_embedder *e)
{
    int rc = 0;
    const struct ctr_data_info *info = ctr_data_info(e->images->data);
    uint32_t *index = ctr_alloc(e->batch, sizeof *index);
    float *h = ctr_alloc(e->batch * e->dim, sizeof *h);
    uint8_t *pixels = e->source.stream ? ctr_alloc(e->source.images->bytes, 1) : NULL;
    if (!index || !h || (e->source.stream && !pixels))
        CTR_TRY(CTR_E_FAIL);
    for (size_t at = 0; at < info->n; at += e->batch) {
        size_t n = info->n - at < e->batch ? info->n - at : e->batch;
        CTR_TRY(feed(e, index, pixels, at, n));
        CTR_TRY(ctr_graph_replay(e->g));
        CTR_TRY(ctr_tensor_read(h, e->h, e->h->bytes));
        memcpy(features + at * e->dim, h, n * e->dim * sizeof *h);
        if (!all_finite(h, n * e->dim))
            CTR_TRY(ctr_fail(CTR_E_MODEL, "the encoder's features are not finite"));
        for (size_t i = 0; labels && i < n; i++) /* what stands in for a bad image does not count */
            labels[at + i] = index[i] == at + i ? info->labels[at + i] : -1;
    }
out:
    free(pixels);
    free(h);
    free(index);
    return rc;
}
