/* health.h -- does it learn? What a sample of projections tells, and a verdict in plain words.
 *
 * In: projections of two views of some images, the loss of an epoch. Out: figures that move long
 * before an evaluation could tell, and what they mean. Host only. The figures and verdicts: clcontrast/train.h. */
#ifndef CTR_EVAL_HEALTH_H
#define CTR_EVAL_HEALTH_H

#include <stddef.h>

#include "clcontrast/train.h"

/* Images that are worth looking at: more cost time and tell the same. */
#define CTR_HEALTH_IMAGES 128
/* z[rows][D]: n images' first views, then, when rows is 2 n, their second ones. */
int ctr_health_measure(struct ctr_health *health, const float *z, size_t rows, size_t n, size_t D);

/* From epoch to epoch; begins as {0}. */
struct ctr_health_watch {
    double best; /* loss */
    unsigned epochs, worse;
};
/* What a finished epoch shows. loss: its mean; chance: of guessing, 0: unknown; top1: share of rows
 * whose positive is nearest, NaN: unknown; of guessing it is e^-chance. */
enum ctr_verdict ctr_health_judge(struct ctr_health_watch *watch, const struct ctr_health *health,
                                  double loss, double chance, double top1);

#endif
