/* embed.c -- the encoder over a data set, a batch at a time; what fills up the last batch is dropped.
 * Images that are streamed are decoded ahead while the device is at work. */
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
    uint32_t *index; /* [batch] */
    float *row;      /* [batch][dim] */
};

static int record(ctr_embedder *e, ctr_dev *dev, ctr_store *store,
                  const struct ctr_embedder_params *p)
{
    int rc = 0;
    struct ctr_encoder_params encoder = p->encoder_params;
    encoder.training = 0;
    CTR_TRY(ctr_graph_create(&e->g, dev, store));
    e->source = ctr_images_source(e->images, e->g, e->batch, NULL);
    e->h = ctr_encode(e->g, p->encoder,
                      ctr_augment_plain(e->g, e->source, p->image_size, p->image_size, 0), &encoder);
    if (p->head) {
        struct ctr_head_params head = *p->head;
        head.training = 0;
        e->h = ctr_head(e->g, "projection_head", e->h, &head);
    }
    CTR_TRY(ctr_graph_status(e->g));
    ctr_graph_keep(e->h);
    e->dim = e->h->count / e->batch;
    CTR_TRY(ctr_graph_plan(e->g, NULL));
    CTR_TRY(ctr_graph_lower(e->g));
out:
    return rc;
}

int ctr_embedder_create(ctr_embedder **out, ctr_dev *dev, ctr_store *store,
                        const struct ctr_images *images, const struct ctr_embedder_params *params)
{
    int rc = 0;
    ctr_embedder *e = ctr_alloc(1, sizeof *e);
    if (!e)
        return CTR_E_FAIL;
    e->images = images;
    e->batch = params->batch;
    CTR_TRY(record(e, dev, store, params));
    e->index = ctr_alloc(e->batch, sizeof *e->index);
    e->row = ctr_alloc(e->batch * e->dim, sizeof *e->row);
    if (!e->index || !e->row)
        CTR_TRY(CTR_E_FAIL);
    *out = e;
    e = NULL;
out:
    ctr_embedder_destroy(&e);
    return rc;
}

void ctr_embedder_destroy(ctr_embedder **embedder)
{
    ctr_embedder *e = *embedder;
    if (!e)
        return;
    ctr_graph_destroy(&e->g);
    free(e->index);
    free(e->row);
    free(e);
    *embedder = NULL;
}

size_t ctr_embedder_dim(const ctr_embedder *embedder)
{
    return embedder->dim;
}

static int all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

/* n rows, of the images [at, at + n) where they are resident, else of `pixels`. */
static int forward(float *features, ctr_embedder *e, const uint8_t *pixels, size_t at, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < e->batch; i++)
        e->index[i] = (uint32_t)(at + (i < n ? i : 0));
    CTR_TRY(ctr_tensor_write(e->source.index, e->index, e->source.index->bytes));
    if (e->source.stream)
        CTR_TRY(ctr_buf_write(e->source.images->buf, 0, pixels,
                              e->source.images->bytes / e->batch * n));
    CTR_TRY(ctr_graph_replay(e->g));
    CTR_TRY(ctr_tensor_read(e->row, e->h, e->h->bytes));
    if (!all_finite(e->row, n * e->dim))
        CTR_TRY(ctr_fail(CTR_E_MODEL, "the encoder's features are not finite"));
    memcpy(features, e->row, n * e->dim * sizeof *e->row);
out:
    return rc;
}

int ctr_embedder_batch(float *features, ctr_embedder *e, const uint8_t *pixels, size_t n)
{
    return forward(features, e, pixels, 0, n);
}

/* The order 0, 1, ... n - 1 for a loader; `used` is its memory. */
static int open_loader(struct ctr_loader **loader, uint32_t *used, const ctr_embedder *e, size_t n)
{
    for (size_t i = 0; i < n; i++)
        used[i] = (uint32_t)i;
    return e->source.stream ? ctr_loader_open(loader, e->images->data, used, n, e->batch, 0) : 0;
}

int ctr_embedder_run(float *features, uint32_t *used, ctr_embedder *e,
                     ctr_data_progress_fn *progress, void *user)
{
    int rc = 0;
    struct ctr_loader *loader = NULL;
    size_t n = ctr_data_info(e->images->data)->n;
    CTR_TRY(open_loader(&loader, used, e, n));
    for (size_t at = 0, m; at < n; at += m) {
        const uint8_t *pixels = NULL;
        const uint32_t *index = NULL;
        m = n - at < e->batch ? n - at : e->batch;
        if (loader) {
            CTR_TRY(ctr_loader_next(loader, &pixels, &index, &m));
            memcpy(used + at, index, m * sizeof *used);
        }
        CTR_TRY(forward(features + at * e->dim, e, pixels, at, m));
        if (progress)
            CTR_TRY(progress(user, at + m, n));
    }
out:
    ctr_loader_close(&loader);
    return rc;
}
