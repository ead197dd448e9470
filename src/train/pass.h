/* pass.h -- batches of a set of images on their way through the method: images, resident or
 * streamed, views, labels, loss and figures. Training has one, validation another, over the same
 * store.
 *
 *     ctr_pass_open      data and images
 *     ctr_pass_record    a graph, up to the method's loss; ctr_pass_figures after what follows it
 *     ctr_pass_begin     an epoch, once the graph is planned and built
 *     ctr_pass_step      one batch, enqueued
 *     ctr_pass_close */
#ifndef CTR_TRAIN_PASS_H
#define CTR_TRAIN_PASS_H

#include "data/batch.h"
#include "data/images.h"
#include "method/method.h"
#include "train/ring.h"
#include "train/train.h"

struct ctr_pass {
    const ctr_trainer *trainer;
    struct ctr_data *data;
    size_t n_listed; /* images skipped in listing them, before any was read */
    struct ctr_images images;
    struct ctr_loader *loader; /* streaming */
    ctr_graph *g;              /* NULL until recorded */
    struct ctr_batch batch;    /* batch.steps: of an epoch; the images beyond are left out */
    struct ctr_augment_source source;
    ctr_tensor *ring, *labels; /* labels: i32 of all images; NULL unless the method needs them */
    int has_top1, has_similarity, has_right;
    uint32_t *order;
    float *rates; /* [batch.steps], zeros at first */
};

/* The images to train on or, for validation, those held out. batch.steps may be 0. */
int ctr_pass_open(struct ctr_pass *pass, ctr_trainer *t, int validation,
                  ctr_data_progress_fn *progress);
void ctr_pass_close(struct ctr_pass *pass);
/* Makes the graph and fills io: the method is built, its loss there. */
int ctr_pass_record(struct ctr_pass *pass, struct ctr_method_io *io, int training);
/* Records the ring that the method's figures go to. */
int ctr_pass_figures(struct ctr_pass *pass, const struct ctr_method_io *io);
/* Sets out on an epoch, at its step `at`: in an order drawn by the run's seed and the epoch, at the
 * learning rates that are in `rates`. done: see CTR_CURSOR_DONE. */
int ctr_pass_begin(struct ctr_pass *pass, uint32_t epoch, uint64_t at, uint64_t done);
int ctr_pass_step(struct ctr_pass *pass);
/* A row of the ring; NaN: the method has no such figure. */
struct ctr_train_figures ctr_pass_row(const struct ctr_pass *pass, const float row[CTR_RING_COLS]);

#endif
