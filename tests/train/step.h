/* step.h -- one SimCLR step on fixed inputs, for comparing with other implementations. */
#ifndef CTR_TESTS_TRAIN_STEP_H
#define CTR_TESTS_TRAIN_STEP_H

#include "method/method.h"

struct step {
    ctr_dev *dev;
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *views;
    struct ctr_method_io io;
    int keep_outputs;
    struct ctr_plan_params plan;
    float *x; /* what `views` is given: smoothed uniform noise in [0,1) */
};

/* Records forward and backward of `encoder`, `width` times as wide, under SimCLR (temperature 0.5, head hidden = the
 * encoder's dimension, out 128, batch-norm) for N pairs of H x H images, draws parameters from seed
 * 1 and images from seed 2, and runs it once. In: all zero, or with keep_outputs, so that every node's
 * first output stays readable, or `plan` set. */
int step_run(struct step *s, const char *device, const char *encoder, double width, size_t N,
             size_t H);
void step_finish(struct step *s);

#endif
