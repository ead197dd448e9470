/* pass.c -- see pass.h. */
#include "train/impl.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

/* A method that sees labels must not see those that the evaluation of data without a test split of
 * their own tests on (evaluate.h). */
static int open_data(struct ctr_data **out, ctr_trainer *t, int validation)
{
    const struct ctr_train_params *p = t->params;
    struct ctr_data_params params = {.path = p->data,
                                     .split = p->split,
                                     .image_size = (unsigned)p->image_size,
                                     .channels = (unsigned)p->channels,
                                     .bits = (unsigned)p->bits,
                                     .threads = (unsigned)p->threads,
                                     .max_bad = 0.5,
                                     .part = t->held_out ? CTR_DATA_KEPT : CTR_DATA_WHOLE,
                                     .limit = p->limit,
                                     .validation_share = p->validation,
                                     .validation = validation,
                                     .few_seed = p->seed};
    if (!validation)
        params.few = p->labels;
    int rc = ctr_data_open(out, &params);
    if (rc != 0 || t->held_out || !t->needs_labels || ctr_data_info(*out)->has_test)
        return rc;
    ctr_data_close(out);
    t->held_out = 1;
    return open_data(out, t, validation);
}

/* Whether there is a class for each image, if the method needs one. */
static int check_labels(const ctr_trainer *t, const struct ctr_data *data)
{
    const struct ctr_data_info *info = ctr_data_info(data);
    size_t n = 0;
    while (n < info->n && info->n_classes > 0 && info->labels[n] >= 0)
        n++;
    if (!t->needs_labels || n == info->n)
        return 0;
    return ctr_hint(ctr_fail(CTR_E_DATA, "the method %s needs labels; the images in '%s' have none",
                             t->method->name, info->path),
                    "put the images into a sub-folder per class, or use another --method");
}

int ctr_pass_open(struct ctr_pass *pass, ctr_trainer *t, int validation,
                  ctr_data_progress_fn *progress)
{
    int rc = 0;
    pass->trainer = t;
    CTR_TRY(open_data(&pass->data, t, validation));
    pass->n_listed = ctr_data_n_skipped(pass->data);
    CTR_TRY(
        ctr_images_open(&pass->images, t->dev, pass->data, t->params->stream ? 1 : 0, progress, t));
    CTR_TRY(check_labels(t, pass->data));
    pass->batch.steps = ctr_data_info(pass->data)->n / t->params->batch;
out:
    return rc;
}

void ctr_pass_close(struct ctr_pass *pass)
{
    ctr_loader_close(&pass->loader);
    ctr_graph_destroy(&pass->g);
    ctr_images_close(&pass->images);
    ctr_data_close(&pass->data);
    free(pass->order);
    free(pass->rates);
}

static ctr_tensor *views_of(const struct ctr_pass *pass, struct ctr_augment_source source)
{
    const ctr_trainer *t = pass->trainer;
    return ctr_augment(pass->g, source, pass->batch.step, t->views, t->view_size, t->view_size,
                       &t->params->augment);
}

/* Local views go on counting, so as to have draws of their own. */
static ctr_tensor *local_views_of(const struct ctr_pass *pass, struct ctr_augment_source source)
{
    const ctr_trainer *t = pass->trainer;
    struct ctr_augment_params line = t->params->augment_local;
    line.first_view = t->views;
    return ctr_augment(pass->g, source, pass->batch.step, (unsigned)t->params->local_views,
                       t->local_size, t->local_size, &line);
}

/* The images of a micro-batch. Since draws depend on the image, their views are those of the whole
 * batch. */
static struct ctr_augment_source turn_source(const struct ctr_pass *pass, ctr_tensor *turn)
{
    const struct ctr_train_params *p = pass->trainer->params;
    size_t turns = p->batch / p->micro_batch;
    struct ctr_augment_source source = pass->source;
    source.index = ctr_turn_take(pass->g, source.index, turn, turns, 1);
    if (source.stream)
        source.images = ctr_turn_take(pass->g, source.images, turn, turns, 1);
    return source;
}

static ctr_tensor *turn_views(void *user, ctr_graph *g, ctr_tensor *turn)
{
    return views_of(user, turn_source(user, turn));
}

static ctr_tensor *turn_local_views(void *user, ctr_graph *g, ctr_tensor *turn)
{
    return local_views_of(user, turn_source(user, turn));
}

/* The views at once, or how those of a micro-batch are made. */
static void record_views(struct ctr_pass *pass, struct ctr_method_io *io)
{
    const struct ctr_train_params *p = pass->trainer->params;
    io->L = (unsigned)p->local_views;
    if (p->micro_batch && p->micro_batch < p->batch) {
        io->micro = (struct ctr_micro){.images = p->micro_batch,
                                       .views = turn_views,
                                       .local = turn_local_views,
                                       .user = pass};
        return;
    }
    io->views = views_of(pass, pass->source);
    if (io->L)
        io->local = local_views_of(pass, pass->source);
}

static struct ctr_method_io method_io(const struct ctr_pass *pass, int training)
{
    const ctr_trainer *t = pass->trainer;
    const struct ctr_train_params *p = t->params;
    return (struct ctr_method_io){
        .g = pass->g,
        .N = p->batch,
        .V = t->views,
        .step = pass->batch.step,
        .encoder = t->encoder,
        .encoder_params = {.stem = ctr_stem_for(p->stem, t->image_size), /* as evaluation has it */
                           .width = p->width,
                           .training = training,
                           .storage = p->precision,
                           .normalize = p->normalize},
        .frozen = p->encoder_rate == 0,
        .head = {.layers = (unsigned)p->head_layers,
                 .hidden = p->head_hidden,
                 .out = p->head_out,
                 .bn = p->head_bn,
                 .training = training},
        .option = p->method_option,
        .steps = t->total_steps,
    };
}

static void record_labels(struct ctr_pass *pass, struct ctr_method_io *io)
{
    const struct ctr_data_info *info = ctr_data_info(pass->data);
    pass->labels = ctr_graph_input(pass->g, "labels", CTR_I32, 1, &info->n);
    io->label = ctr_batch_labels(pass->g, pass->labels, pass->source.index);
    io->classes = info->n_classes;
}

int ctr_pass_record(struct ctr_pass *pass, struct ctr_method_io *io, int training)
{
    const ctr_trainer *t = pass->trainer;
    const struct ctr_train_params *p = t->params;
    int rc = 0;
    pass->order = ctr_alloc(ctr_data_info(pass->data)->n, sizeof *pass->order);
    pass->rates = ctr_alloc(pass->batch.steps, sizeof *pass->rates);
    if (!pass->order || !pass->rates)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(ctr_graph_create(&pass->g, t->dev, t->store));
    ctr_batch_record(&pass->batch, pass->g, pass->batch.steps, p->batch, p->seed,
                     !pass->images.buf);
    pass->source = ctr_images_source(&pass->images, pass->g, p->batch, pass->batch.index);
    *io = method_io(pass, training);
    record_views(pass, io);
    if (t->needs_labels)
        record_labels(pass, io);
    CTR_TRY(ctr_graph_status(pass->g));
    CTR_TRY(t->method->build(io));
out:
    return rc;
}

int ctr_pass_figures(struct ctr_pass *pass, const struct ctr_method_io *io)
{
    pass->ring = ctr_ring_record(pass->g, pass->batch.step,
                                 (ctr_tensor *[]){io->loss, io->top1, io->similarity, io->right});
    pass->has_top1 = io->top1 != NULL;
    pass->has_similarity = io->similarity != NULL;
    pass->has_right = io->right != NULL;
    return ctr_graph_status(pass->g);
}

int ctr_pass_begin(struct ctr_pass *pass, uint32_t epoch, uint64_t at, uint64_t done)
{
    const struct ctr_train_params *p = pass->trainer->params;
    const struct ctr_data_info *info = ctr_data_info(pass->data);
    struct ctr_rng rng;
    int rc = 0;
    ctr_rng_init(&rng, p->seed, CTR_RNG_SHUFFLE, epoch, 0);
    ctr_rng_permutation(&rng, pass->order, (uint32_t)info->n);
    if (pass->labels)
        CTR_TRY(ctr_tensor_write(pass->labels, info->labels, pass->labels->bytes));
    if (!pass->images.buf) {
        ctr_loader_close(&pass->loader);
        CTR_TRY(ctr_loader_open(&pass->loader, pass->data, pass->order + at * p->batch,
                                (pass->batch.steps - at) * p->batch, p->batch, 0));
    }
    CTR_TRY(ctr_batch_begin(&pass->batch, epoch, (uint32_t)at, (uint32_t)done,
                            pass->images.buf ? pass->order : NULL, pass->rates));
out:
    return rc;
}

/* Streaming: the next batch's pixels, and whose they are. */
static int feed(struct ctr_pass *pass)
{
    const uint8_t *pixels;
    const uint32_t *index;
    size_t n;
    int rc = ctr_loader_next(pass->loader, &pixels, &index, &n);
    if (rc == 0)
        rc = ctr_tensor_write(pass->source.images, pixels, pass->source.images->bytes);
    if (rc == 0)
        rc = ctr_tensor_write(pass->source.index, index, pass->source.index->bytes);
    return rc;
}

int ctr_pass_step(struct ctr_pass *pass)
{
    int rc = pass->loader ? feed(pass) : 0;
    return rc == 0 ? ctr_graph_replay(pass->g) : rc;
}

struct ctr_train_figures ctr_pass_row(const struct ctr_pass *pass, const float row[CTR_RING_COLS])
{
    return (struct ctr_train_figures){
        .loss = row[0],
        .positive_top1 = pass->has_top1 ? row[1] : NAN,
        .positive_similarity = pass->has_similarity ? row[2] : NAN,
        .pairs_right = pass->has_right ? row[3] : NAN,
    };
}
