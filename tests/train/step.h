/* step.h -- one step of a method on fixed inputs, for comparing with other implementations. */
#ifndef CTR_TESTS_TRAIN_STEP_H
#define CTR_TESTS_TRAIN_STEP_H

#include "method/method.h"

#define STEP_NUMBER 3 /* of the run's STEP_TOTAL, from 1 */
#define STEP_TOTAL  8
#define STEP_CLASSES 5

struct step {
    ctr_dev *dev;
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *views, *local, *label, *number;
    struct ctr_method_io io;
    const char *method; /* NULL: simclr */
    unsigned V, L;      /* views of an image, 0: what the method needs; local ones of half the side */
    double option[CTR_MAX_OPTIONS];
    int keep_outputs;
    size_t micro;    /* images of a micro-batch; 0: none */
    size_t distinct; /* image i of a view is image i mod distinct; 0: all differ */
    int no_norm;     /* heads without batch-norm */
    struct ctr_plan_params plan;
    float *x, *x_local; /* what `views` and `local` are given: smoothed uniform noise in [0,1) */
};

/* Records forward, backward and after_update of `encoder`, `width` times as wide, under the method
 * with its defaults, but a queue of 64 and 0.1 of labels smoothed (head hidden = the encoder's
 * dimension, out 128, batch-norm), for N images of H x H, draws parameters from seed 1 and images from seed 2, labels
 * image i as i mod STEP_CLASSES, sets shadows to (1 + 0.2 cos k) times value k and rows of a queue to
 * directions of cos(i + (i mod 7)), i over all its values, and runs it once. In: all zero but what
 * is said in the struct. */
int step_run(struct step *s, const char *device, const char *encoder, double width, size_t N,
             size_t H);
void step_finish(struct step *s);

#endif
