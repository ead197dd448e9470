/* validation.h -- the loss on held-out images: a second graph over the trainer's store, which
 * records the method once more, with running statistics and without update.
 *
 * It belongs to a trainer whose own graph is recorded:
 *     ctr_validation_create   data, images, graph
 *     ctr_validation_plan     memory and launches, before ctr_dev_build
 *     ctr_validation_run      as often as wanted */
#ifndef CTR_TRAIN_VALIDATION_H
#define CTR_TRAIN_VALIDATION_H

#include "train/train.h"

struct ctr_validation;

/* As the trainer's parameters say. CTR_E_USAGE when the share is less than a batch. */
int ctr_validation_create(struct ctr_validation **out, ctr_trainer *t,
                          ctr_data_progress_fn *progress);
void ctr_validation_destroy(struct ctr_validation **v);
int ctr_validation_plan(struct ctr_validation *v, const ctr_trainer *t);
/* Waits for the device. */
int ctr_validation_run(struct ctr_train_figures *figures, struct ctr_validation *v);

/* Images that are used: a multiple of the batch. */
size_t ctr_validation_n(const struct ctr_validation *v);
/* Images, activations and the rest on the device. */
uint64_t ctr_validation_bytes(const struct ctr_validation *v);
/* Images that were found bad, beyond what listing them tells. */
size_t ctr_validation_n_skipped(const struct ctr_validation *v);
struct ctr_data_skip ctr_validation_skip(const struct ctr_validation *v, size_t i);

#endif
