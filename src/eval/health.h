/* health.h -- does it learn? What a sample of projections tells, and a verdict in plain words.
 *
 * In: projections of two views of some images, the loss of an epoch. Out: figures that move long
 * before an evaluation could tell, and what they mean. Host only. */
#ifndef CTR_EVAL_HEALTH_H
#define CTR_EVAL_HEALTH_H

#include <stddef.h>
#include <stdint.h>

/* Of rows divided by their lengths; NaN where it cannot be told. */
struct ctr_health {
    /* mean squared distance of two views of an image: 0 the same, 2 unrelated (Wang, Isola,
     * arXiv:2005.10242, alpha = 2) */
    double alignment;
    /* log mean e^(-2 d^2) over pairs of images: 0 all the same, about -4 spread over the sphere
     * (the same paper, t = 2) */
    double uniformity;
    /* directions in use: e to the entropy of the singular values' shares; from 1 to rank_max, the
     * lesser of D and the sample's rows (Garrido et al., RankMe, arXiv:2210.02885) */
    double rank, rank_max;
    /* mean over columns of the standard deviation, times sqrt(D): 0 collapsed, 1 spread (Chen, He,
     * arXiv:2011.10566, figure 2) */
    double std;
};
/* Images that are worth looking at: more cost time and tell the same. */
#define CTR_HEALTH_IMAGES 128
/* z[rows][D]: n images' first views, then, when rows is 2 n, their second ones. */
int ctr_health_measure(struct ctr_health *health, const float *z, size_t rows, size_t n, size_t D);

enum ctr_verdict {
    CTR_VERDICT_EARLY, /* too soon to tell */
    CTR_VERDICT_LEARNS,
    CTR_VERDICT_STUCK,    /* no better than guessing */
    CTR_VERDICT_COLLAPSE, /* all images alike */
    CTR_VERDICT_NARROW,   /* nearly all in a line or plane */
    CTR_VERDICT_WORSE     /* the loss rises */
};
/* From epoch to epoch; begins as {0}. */
struct ctr_health_watch {
    double best; /* loss */
    unsigned epochs, worse;
};
/* What a finished epoch shows. loss: its mean; chance: of guessing, 0: unknown; top1: share of rows
 * whose positive is nearest, NaN: unknown; of guessing it is e^-chance. */
enum ctr_verdict ctr_health_judge(struct ctr_health_watch *watch, const struct ctr_health *health,
                                  double loss, double chance, double top1);
/* "stuck at chance: ..." with what may help; NULL for the first two. */
const char *ctr_verdict_text(enum ctr_verdict verdict);

#endif
