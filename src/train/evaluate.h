/* evaluate.h -- what a trained encoder's features are worth, beside the same encoder untrained and
 * raw pixels, by the protocols of eval/eval.h. */
#ifndef CTR_TRAIN_EVALUATE_H
#define CTR_TRAIN_EVALUATE_H

#include <stddef.h>
#include <stdint.h>

#include "eval/score.h"

struct ctr_evaluate_params {
    const char *run;    /* run directory: its newest checkpoint is taken */
    const char *data;   /* NULL: what the run was trained on */
    const char *device; /* see dev.h */
    uint64_t limit;     /* images of each split at most; 0: all */
    uint64_t batch, threads;
    struct ctr_score_params score;
    int no_baselines;
    const char *confusion; /* PNG of the trained encoder's, see ctr_score; NULL: none */
    struct ctr_canvas *picture; /* the same in memory, its pixels freed with free(); NULL: none */
};

struct ctr_evaluation {
    uint64_t step, seed;         /* of the checkpoint, of the run */
    size_t n_train, n_test, dim; /* dim: length of a feature vector */
    unsigned classes;
    int held_out;     /* the data had no test split: a fifth of the images served as one */
    size_t n_skipped; /* files that could not be used */
    char encoder[32], data[4096];
    struct ctr_scores trained, untrained, pixels;
    size_t n_learnt_from; /* images that the run was trained on */
};

/* Data without a test split are divided by the names of the images, see enum ctr_data_part. `stage`
 * (may be NULL) is told what begins: "features of the trained encoder", ... */
int ctr_evaluate(struct ctr_evaluation *out, const struct ctr_evaluate_params *params,
                 void (*stage)(void *user, const char *what), void *user);

/* The encoder of a trainer as it is now (before its run: the untrained one), on the trainer's device,
 * as `trained`; there are no baselines. params->run and ->device are not looked at. */
struct ctr_trainer;
int ctr_evaluate_trainer(struct ctr_evaluation *out, struct ctr_trainer *trainer,
                         const struct ctr_evaluate_params *params);

#endif
