/* evaluate.c -- opens a run, embeds both splits of a data set, scores the features. See evaluate.h.
 * The untrained encoder is the run's own at its start: same architecture, same seed. */
#include "train/evaluate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/embed.h"
#include "io/png.h"
#include "train/classifier.h"
#include "train/impl.h"
#include "train/state.h"
#include "train/weights.h"

enum { TRAIN, TEST, SPLITS };

struct evaluation {
    const struct ctr_evaluate_params *params;
    struct ctr_evaluation *out;
    void (*stage)(void *user, const char *what);
    void *user;
    struct ctr_weights weights; /* zeros: a trainer's encoder */
    const char *path;          /* of the data */
    uint64_t seed;
    size_t image_size;
    unsigned channels, bits;
    struct ctr_encoder_params encoder_params;
    const struct ctr_encoder *encoder;
    ctr_dev *dev;
    ctr_store *store;
    struct ctr_data *data[SPLITS];
    struct ctr_images images[SPLITS];
    ctr_embedder *embedder[SPLITS];
    size_t n_twice; /* files skipped in listing that both parts of one split told of */
    struct ctr_features features[SPLITS];
};

static void say(const struct evaluation *e, const char *what)
{
    if (e->stage)
        e->stage(e->user, what);
}

/* What the newest checkpoint says of itself. */
static int open_run(struct evaluation *e)
{
    struct ctr_weights *w = &e->weights;
    int rc = ctr_weights_open(w, e->params->run);
    if (rc != 0)
        return rc;
    e->encoder = w->encoder;
    e->encoder_params = w->params;
    e->path = w->data;
    e->image_size = w->image_size;
    e->channels = w->channels;
    e->bits = w->bits;
    e->seed = e->out->seed = w->seed;
    e->out->step = w->step;
    snprintf(e->out->encoder, sizeof e->out->encoder, "%s", e->encoder->name);
    return 0;
}

static int open_split(struct evaluation *e, int split)
{
    const struct ctr_evaluate_params *p = e->params;
    struct ctr_data_params params = {.path = p->data ? p->data : e->path,
                                     .split = split == TEST && !e->out->held_out ? "test" : "train",
                                     .part = !e->out->held_out ? CTR_DATA_WHOLE
                                             : split == TRAIN  ? CTR_DATA_KEPT
                                                               : CTR_DATA_HELD_OUT,
                                     .image_size = (unsigned)e->image_size,
                                     .channels = e->channels,
                                     .bits = e->bits,
                                     .threads = (unsigned)p->threads,
                                     .max_bad = 0.5,
                                     .limit = p->limit};
    int rc = ctr_data_open(&e->data[split], &params);
    if (rc == 0 && split == TRAIN && !e->out->held_out &&
        !ctr_data_info(e->data[TRAIN])->has_test) {
        ctr_data_close(&e->data[TRAIN]);
        e->out->held_out = 1;
        return open_split(e, TRAIN);
    }
    return rc;
}

/* Decoded on the way to the device, where they fit. */
static int load_split(struct evaluation *e, int split)
{
    return ctr_images_open(&e->images[split], e->dev, e->data[split], 0, NULL, NULL);
}

static int open_data(struct evaluation *e)
{
    int rc = 0;
    if (!e->params->data && !*e->path)
        CTR_TRY(ctr_fail(CTR_E_USAGE,
                         "'%s' does not say what it was trained on: name the images by --data",
                         e->params->run));
    CTR_TRY(open_split(e, TRAIN));
    const struct ctr_data_info *train = ctr_data_info(e->data[TRAIN]);
    if (train->n_classes == 0)
        CTR_TRY(ctr_hint(ctr_fail(CTR_E_DATA, "'%s' has no labels to evaluate with", train->path),
                         "give --data a folder with one sub-folder per class"));
    CTR_TRY(open_split(e, TEST));
    e->n_twice = e->out->held_out ? ctr_data_n_skipped(e->data[TEST]) : 0;
    CTR_TRY(load_split(e, TRAIN));
    CTR_TRY(load_split(e, TEST));
    const struct ctr_data_info *test = ctr_data_info(e->data[TEST]);
    if (test->n_classes != train->n_classes)
        CTR_TRY(ctr_fail(CTR_E_DATA, "train and test have %u and %u classes", train->n_classes,
                         test->n_classes));
    e->out->classes = train->n_classes;
    snprintf(e->out->data, sizeof e->out->data, "%s", train->path);
out:
    return rc;
}

static int build(struct evaluation *e)
{
    int rc = 0;
    const struct ctr_embedder_params params = {.encoder = e->encoder,
                                               .encoder_params = e->encoder_params,
                                               .image_size = e->image_size,
                                               .batch = e->params->batch};
    for (int s = 0; s < SPLITS; s++)
        CTR_TRY(ctr_embedder_create(&e->embedder[s], e->dev, e->store, &e->images[s], &params));
    CTR_TRY(ctr_dev_build(e->dev, 1, NULL, NULL));
out:
    return rc;
}

static int make_room(struct evaluation *e, size_t D)
{
    for (int s = 0; s < SPLITS; s++) {
        struct ctr_features *f = &e->features[s];
        ctr_features_free(f);
        f->n = ctr_data_info(e->data[s])->n;
        f->D = D;
        f->x = ctr_alloc(f->n * D, sizeof *f->x);
        f->label = ctr_alloc(f->n, sizeof *f->label);
        if (!f->x || !f->label)
            return CTR_E_FAIL;
    }
    return 0;
}

/* What stands in for a bad image does not count. */
static int embed_split(struct evaluation *e, int split)
{
    struct ctr_features *f = &e->features[split];
    const int32_t *labels = ctr_data_info(e->data[split])->labels;
    uint32_t *used = ctr_alloc(f->n, sizeof *used);
    int rc = used ? ctr_embedder_run(f->x, used, e->embedder[split], NULL, NULL) : CTR_E_FAIL;
    for (size_t i = 0; rc == 0 && i < f->n; i++)
        f->label[i] = used[i] == i ? labels[i] : -1;
    free(used);
    return rc;
}

static int embed(struct evaluation *e)
{
    int rc = make_room(e, ctr_embedder_dim(e->embedder[TRAIN]));
    for (int s = 0; rc == 0 && s < SPLITS; s++)
        rc = embed_split(e, s);
    return rc;
}

/* Pixels in [0,1] as features, decoded again on the host. */
static int pixels(struct evaluation *e)
{
    int rc = make_room(e, e->image_size * e->image_size * e->channels);
    for (int s = 0; rc == 0 && s < SPLITS; s++) {
        struct ctr_features *f = &e->features[s];
        uint8_t *bytes = ctr_alloc(ctr_data_bytes(e->data[s]), 1);
        const uint16_t *wide = (const uint16_t *)bytes;
        if (!bytes)
            return CTR_E_FAIL;
        rc = ctr_data_read_all(e->data[s], bytes, NULL, NULL);
        f->n = ctr_data_info(e->data[s])->n; /* streamed so far: bad images leave only now */
        memcpy(f->label, ctr_data_info(e->data[s])->labels, f->n * sizeof *f->label);
        for (size_t i = 0; i < f->n * f->D; i++)
            f->x[i] = e->bits == 8 ? (float)bytes[i] / 255.0f : (float)wide[i] / 65535.0f;
        free(bytes);
    }
    return rc;
}

static int score(struct ctr_scores *out, uint64_t *confusion, struct evaluation *e)
{
    for (int s = 0; s < SPLITS; s++)
        ctr_features_drop_unlabelled(&e->features[s]);
    e->out->n_train = e->features[TRAIN].n;
    e->out->n_test = e->features[TEST].n;
    return ctr_score(out, confusion, e->dev, &e->features[TRAIN], &e->features[TEST],
                     e->out->classes, &e->params->score, e->seed);
}

/* The trained encoder's scores, and the picture if it is wanted. */
static int score_trained(struct evaluation *e)
{
    const struct ctr_score_params *p = &e->params->score;
    struct ctr_scores *scores = &e->out->trained;
    uint64_t *counts = NULL;
    int rc = 0;
    char caption[160];
    struct ctr_canvas picture = {0};
    if (e->params->confusion || e->params->picture) {
        counts = ctr_alloc((size_t)e->out->classes * e->out->classes, sizeof *counts);
        if (!counts)
            return CTR_E_FAIL;
    }
    CTR_TRY(score(scores, counts, e));
    if (!counts)
        return 0;
    if (p->n_probes > 0)
        snprintf(caption, sizeof caption, "linear probe, %s",
                 ctr_probe_name(p->probe[p->n_probes - 1]));
    else
        snprintf(caption, sizeof caption, "nearest neighbours, k = %u",
                 scores->knn[p->n_knn - 1].vote.k);
    uint64_t right = 0;
    for (size_t k = 0; k < e->out->classes; k++)
        right += counts[k * e->out->classes + k];
    snprintf(caption + strlen(caption), sizeof caption - strlen(caption),
             ": %.2f %% of %zu test images", 100.0 * (double)right / (double)e->out->n_test,
             e->out->n_test);
    CTR_TRY(ctr_confusion_draw(&picture, counts, e->out->classes,
                               ctr_data_info(e->data[TEST])->class_names, caption));
    if (e->params->confusion)
        CTR_TRY(ctr_png_write(e->params->confusion, picture.pixels, picture.width, picture.height, 3, 0));
    if (e->params->picture) {
        *e->params->picture = picture;
        picture.pixels = NULL;
    }
out:
    free(picture.pixels);
    free(counts);
    return rc;
}

static int score_all(struct evaluation *e)
{
    int rc = 0;
    say(e, "trained encoder");
    CTR_TRY(ctr_store_init(e->store, e->seed));
    rc = ctr_state_restore(e->store, e->weights.st, 0);
    if (rc == 0)
        rc = embed(e);
    if (rc == CTR_E_MODEL)
        CTR_TRY(ctr_fail_in(rc, "'%s'", e->weights.path));
    CTR_TRY(rc);
    e->out->dim = e->features[TRAIN].D;
    CTR_TRY(score_trained(e));
    CTR_TRY(ctr_classifier_score(&e->out->trained.own.mean, e->weights.st, &e->features[TEST],
                                 ctr_data_info(e->data[TEST])));
    const char *images = ctr_st_meta_value(e->weights.st, "images");
    e->out->n_learnt_from = images ? (size_t)strtoull(images, NULL, 10) : 0;
    if (e->params->no_baselines)
        return 0;
    say(e, "untrained encoder");
    CTR_TRY(ctr_store_init(e->store, e->seed));
    CTR_TRY(embed(e));
    CTR_TRY(score(&e->out->untrained, NULL, e));
    say(e, "raw pixels");
    CTR_TRY(pixels(e));
    CTR_TRY(score(&e->out->pixels, NULL, e));
out:
    return rc;
}

/* What is not lent by a trainer. */
static void close_splits(struct evaluation *e)
{
    for (int s = 0; s < SPLITS; s++) {
        ctr_features_free(&e->features[s]);
        ctr_embedder_destroy(&e->embedder[s]);
        ctr_images_close(&e->images[s]);
        ctr_data_close(&e->data[s]);
    }
}

static void count_skipped(struct evaluation *e)
{
    for (int s = 0; s < SPLITS; s++)
        e->out->n_skipped += ctr_data_n_skipped(e->data[s]);
    e->out->n_skipped -= e->n_twice;
}

int ctr_evaluate(struct ctr_evaluation *out, const struct ctr_evaluate_params *params,
                 void (*stage)(void *user, const char *what), void *user)
{
    int rc = 0;
    struct evaluation e = {.params = params, .out = out, .stage = stage, .user = user};
    *out = (struct ctr_evaluation){0};
    CTR_TRY(open_run(&e));
    CTR_TRY(ctr_dev_open(&e.dev, params->device, NULL));
    say(&e, "reading images");
    CTR_TRY(open_data(&e));
    say(&e, "building kernels");
    CTR_TRY(ctr_store_create(&e.store, e.dev));
    CTR_TRY(build(&e));
    CTR_TRY(score_all(&e));
    count_skipped(&e);
out:
    close_splits(&e);
    ctr_store_destroy(&e.store);
    ctr_weights_close(&e.weights);
    ctr_dev_destroy(&e.dev);
    return rc;
}

int ctr_evaluate_trainer(struct ctr_evaluation *out, struct ctr_trainer *t,
                         const struct ctr_evaluate_params *params)
{
    int rc = 0;
    struct evaluation e = {
        .params = params,
        .out = out,
        .path = t->params->data ? t->params->data : "shapes",
        .seed = t->params->seed,
        .image_size = t->image_size,
        .channels = ctr_data_info(t->pass.data)->channels,
        .bits = 8 * ctr_data_info(t->pass.data)->sample_bytes,
        .encoder_params = {.stem = t->params->stem,
                           .width = t->params->width,
                           .normalize = t->params->normalize},
        .encoder = t->encoder,
        .dev = t->dev,
        .store = t->store,
    };
    *out = (struct ctr_evaluation){.step = t->done};
    snprintf(out->encoder, sizeof out->encoder, "%s", e.encoder->name);
    CTR_TRY(open_data(&e));
    CTR_TRY(build(&e));
    CTR_TRY(embed(&e));
    out->dim = e.features[TRAIN].D;
    CTR_TRY(score_trained(&e));
    count_skipped(&e);
out:
    close_splits(&e);
    return rc;
}
