/* model.c -- see model.h. In: a run's weights, images. Out: their vectors. The images are streamed: bad
 * ones are left out, and a data set of any size goes through a batch's memory. */
#include "clcontrast/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "data/image.h"
#include "eval/embed.h"
#include "eval/eval.h"
#include "train/state.h"
#include "train/weights.h"

enum { BATCH = 256 };

struct ctr_model {
    struct ctr_weights weights;
    struct ctr_model_info info;
    size_t batch;
    ctr_store *store;
    struct ctr_images images; /* of the set that is being embedded */
    ctr_embedder *embedder;
};

/* What the network takes; never resident. */
static struct ctr_images images_of(const struct ctr_weights *w, struct ctr_data *data)
{
    return (struct ctr_images){.data = data,
                               .n = data ? ctr_data_info(data)->n : 0,
                               .height = w->image_size,
                               .width = w->image_size,
                               .channels = w->channels,
                               .dtype = w->bits == 8 ? CTR_U8 : CTR_U16};
}

/* A failure that is the model's gets its name. */
static int named(const ctr_model *m, int rc)
{
    return rc == CTR_E_MODEL ? ctr_fail_in(rc, "'%s'", m->weights.path) : rc;
}

static int build(ctr_model *m, ctr_dev *dev, int projections)
{
    int rc = 0;
    const struct ctr_weights *w = &m->weights;
    m->images = images_of(w, NULL);
    CTR_TRY(ctr_store_create(&m->store, dev));
    CTR_TRY(ctr_embedder_create(&m->embedder, dev, m->store, &m->images,
                                &(struct ctr_embedder_params){.encoder = w->encoder,
                                                              .encoder_params = w->params,
                                                              .head = projections ? &w->head : NULL,
                                                              .image_size = w->image_size,
                                                              .batch = m->batch}));
    CTR_TRY(ctr_dev_build(dev, 1, NULL, NULL));
    CTR_TRY(ctr_store_init(m->store, w->seed));
    rc = named(m, ctr_state_restore(m->store, w->st, 0));
out:
    return rc;
}

int ctr_model_open(ctr_model **out, ctr_dev *dev, const char *run_or_file,
                   const struct ctr_model_params *params)
{
    CTR_NEED(out);
    CTR_NEED(dev);
    CTR_NEED(run_or_file);
    int rc = 0, projections = params && params->projections;
    ctr_model *m = ctr_alloc(1, sizeof *m);
    if (!m)
        return CTR_E_FAIL;
    m->batch = params && params->batch ? params->batch : BATCH;
    CTR_TRY(ctr_weights_open(&m->weights, run_or_file));
    const struct ctr_weights *w = &m->weights;
    if (projections && !w->has_head)
        CTR_TRY(ctr_fail(CTR_E_MODEL, "'%s' has no projection head", w->path));
    CTR_TRY(build(m, dev, projections));
    m->info = (struct ctr_model_info){.path = w->path,
                                      .encoder = w->encoder->name,
                                      .data = w->data,
                                      .step = w->step,
                                      .seed = w->seed,
                                      .image_size = w->image_size,
                                      .D = ctr_embedder_dim(m->embedder),
                                      .channels = w->channels,
                                      .bits = w->bits};
    *out = m;
    m = NULL;
out:
    ctr_model_close(&m);
    return rc;
}

void ctr_model_close(ctr_model **model)
{
    ctr_model *m = model ? *model : NULL;
    if (!m)
        return;
    ctr_embedder_destroy(&m->embedder);
    ctr_store_destroy(&m->store);
    ctr_weights_close(&m->weights);
    free(m);
    *model = NULL;
}

const struct ctr_model_info *ctr_model_info(const ctr_model *model)
{
    return &model->info;
}

int ctr_model_data(struct ctr_data **out, const ctr_model *model,
                   const struct ctr_model_data_params *p)
{
    CTR_NEED(out);
    CTR_NEED(model);
    CTR_NEED(p);
    const struct ctr_model_info *info = &model->info;
    const char *path = p->path ? p->path : info->data;
    if (!*path)
        return ctr_hint(ctr_fail(CTR_E_USAGE, "'%s' does not say what it was trained on", info->path),
                        "name the images, by --data");
    return ctr_data_open(out, &(struct ctr_data_params){.path = path,
                                                        .split = p->split ? p->split : "all",
                                                        .image_size = (unsigned)info->image_size,
                                                        .channels = info->channels,
                                                        .bits = info->bits,
                                                        .threads = p->threads,
                                                        .max_bad = 1,
                                                        .limit = p->limit});
}

/* ---- a data set ---- */

static int make_room(struct ctr_embedding *e, size_t n, size_t D)
{
    *e = (struct ctr_embedding){.n = n, .D = D};
    if (n && D > SIZE_MAX / sizeof *e->x / n)
        return ctr_fail(CTR_E_FAIL, "out of host memory for %zu vectors", n);
    e->x = ctr_alloc(n * D, sizeof *e->x);
    e->label = ctr_alloc(n, sizeof *e->label);
    e->name = ctr_alloc(n, sizeof *e->name);
    e->image = ctr_alloc(n, sizeof *e->image);
    return e->x && e->label && e->name && e->image ? 0 : CTR_E_FAIL;
}

/* Leaves out the rows where another image stands in; labels and names of the others. */
static void keep_good(struct ctr_embedding *e, const struct ctr_data_info *info)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++) {
        if (e->image[i] != i)
            continue;
        if (n != i)
            memcpy(e->x + n * e->D, e->x + i * e->D, e->D * sizeof *e->x);
        e->label[n] = info->labels[i];
        e->name[n] = info->names[i];
        e->image[n++] = (uint32_t)i;
    }
    e->n = n;
}

int ctr_model_embed(struct ctr_embedding *out, ctr_model *m, struct ctr_data *data, int unit,
                    ctr_data_progress_fn *progress, void *user)
{
    CTR_NEED(out);
    CTR_NEED(m);
    CTR_NEED(data);
    int rc = 0;
    const struct ctr_data_info *info = ctr_data_info(data);
    const struct ctr_model_info *is = &m->info;
    *out = (struct ctr_embedding){0};
    if (info->height != is->image_size || info->width != is->image_size ||
        info->channels != is->channels || 8 * info->sample_bytes != is->bits)
        return ctr_fail(CTR_E_USAGE, "'%s' is not opened as '%s' takes images", info->path, is->path);
    m->images = images_of(&m->weights, data);
    CTR_TRY(make_room(out, info->n, is->D));
    CTR_TRY(named(m, ctr_embedder_run(out->x, out->image, m->embedder, progress, user)));
    keep_good(out, info);
    if (unit)
        ctr_rows_unit(out->x, out->x, out->n, out->D);
out:
    m->images.data = NULL;
    if (rc != 0)
        ctr_embedding_free(out);
    return rc;
}

void ctr_embedding_free(struct ctr_embedding *e)
{
    if (!e)
        return;
    free(e->x);
    free(e->label);
    free(e->name);
    free(e->image);
    *e = (struct ctr_embedding){0};
}

/* ---- single images: files, or pixels in memory ---- */

struct singles {
    const char *const *paths;        /* or */
    const struct ctr_pixels *pixels; /* with all members settled */
    const struct ctr_model_info *model;
};

static int copy_pixels(struct ctr_image *out, const struct singles *s, size_t i)
{
    const struct ctr_pixels *p = s->pixels;
    const unsigned wants = s->model->channels;
    const struct ctr_pixel pixel = {.channels = p->channels,
                                    .bytes = p->bits / 8,
                                    .alpha = p->channels != wants &&
                                             (p->channels == 2 || p->channels == 4)};
    int rc = ctr_image_alloc(out, p->width, p->height, pixel);
    if (rc != 0)
        return rc;
    size_t bytes = ctr_image_bytes(out);
    memcpy(out->pixels, (const uint8_t *)p->values + i * bytes, bytes);
    rc = ctr_image_fit(out, (unsigned)s->model->image_size);
    return rc ? rc : ctr_image_convert(out, wants, s->model->bits / 8);
}

/* Image i as the network takes it. */
static int load(uint8_t *to, const struct singles *s, size_t i)
{
    struct ctr_image image = {0};
    const struct ctr_model_info *m = s->model;
    int rc = s->pixels ? copy_pixels(&image, s, i)
                       : ctr_image_read(&image, s->paths[i], (unsigned)m->image_size, m->channels,
                                        m->bits / 8);
    if (rc == 0)
        memcpy(to, image.pixels, ctr_image_bytes(&image));
    ctr_image_free(&image);
    return rc;
}

static int embed_singles(float *x, ctr_model *m, const struct singles *s, size_t n, int unit)
{
    int rc = 0;
    const struct ctr_model_info *is = &m->info;
    size_t each = is->image_size * is->image_size * is->channels * is->bits / 8;
    uint8_t *pixels = ctr_alloc(m->batch < n ? m->batch : n, each);
    if (!pixels)
        return CTR_E_FAIL;
    for (size_t at = 0; at < n; at += m->batch) {
        size_t rows = n - at < m->batch ? n - at : m->batch;
        for (size_t i = 0; i < rows; i++)
            CTR_TRY(load(pixels + i * each, s, at + i));
        CTR_TRY(named(m, ctr_embedder_batch(x + at * is->D, m->embedder, pixels, rows)));
    }
    if (unit)
        ctr_rows_unit(x, x, n, is->D);
out:
    free(pixels);
    return rc;
}

int ctr_model_embed_files(float *x, ctr_model *m, const char *const *paths, size_t n, int unit)
{
    CTR_NEED(m);
    CTR_NEED(n == 0 || (x && paths));
    return embed_singles(x, m, &(struct singles){.paths = paths, .model = &m->info}, n, unit);
}

int ctr_model_embed_pixels(float *x, ctr_model *m, const struct ctr_pixels *pixels, int unit)
{
    CTR_NEED(x);
    CTR_NEED(m);
    CTR_NEED(pixels);
    struct ctr_pixels p = *pixels;
    p.channels = p.channels ? p.channels : m->info.channels;
    p.bits = p.bits ? p.bits : m->info.bits;
    if (p.channels > CTR_CHANNELS_MAX || (p.bits != 8 && p.bits != 16))
        return ctr_fail(CTR_E_USAGE, "images of %u channels of %u bits", p.channels, p.bits);
    if (ctr_image_check_size(p.width, p.height) != 0)
        return ctr_fail_in(CTR_E_USAGE, "images of %u x %u pixels", p.width, p.height);
    return embed_singles(x, m, &(struct singles){.pixels = &p, .model = &m->info}, p.n, unit);
}
