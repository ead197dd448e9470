/* classify.h -- a classifier from a few labelled images, which says how sure it is, on features of length one
 * (ctr_rows_unit). Either kind ends in a ctr_linear. */
#ifndef CTR_EVAL_CLASSIFY_H
#define CTR_EVAL_CLASSIFY_H

#include "eval/linear.h"

enum ctr_classifier {
    CTR_CLASSIFY_AUTO,     /* the first where each class has two examples, else the second */
    CTR_CLASSIFY_LOGISTIC, /* CTR_PROBE_LBFGS of eval.h */
    /* cosine similarity to the mean of a class's examples (Snell et al., Prototypical Networks, arXiv:1703.05175, with
     * the cosine), over CTR_CLASSIFY_TEMPERATURE */
    CTR_CLASSIFY_MEAN
};
#define CTR_CLASSIFY_TEMPERATURE 0.1

/* How it is made: from what is wanted to what it became. */
struct ctr_classify_how {
    enum ctr_classifier kind;
    double penalty; /* of CTR_CLASSIFY_LOGISTIC; 0: it is chosen */
};

/* *l is initialised; finish it. CTR_E_DATA where a class has no example; labels in [0, classes). */
int ctr_classify_fit(struct ctr_linear *l, struct ctr_classify_how *how, ctr_dev *dev, const struct ctr_features *train,
                     unsigned classes, uint64_t seed);
/* share[classes]: what x[D] is taken for, with sum 1. Returns the largest's class, the first of equals. */
unsigned ctr_classify(double *share, const struct ctr_linear *l, const float *x);
/* Cross-validation: classifiers made in the same way of a part of the examples judge the others, in as many parts as the smallest class has
 * examples, at most 5. *right: share of the examples that are taken for what they are. What l says is then divided by the
 * temperature that makes the examples' own classes likeliest (Guo et al., On Calibration of Modern Neural Networks,
 * arXiv:1706.04599), since few examples make sure of everything: shares become about as often right as they say, guesses
 * stay. Where a class has fewer than 2, l stays and *right is NaN. */
int ctr_classify_check(double *right, struct ctr_linear *l, const struct ctr_classify_how *how, ctr_dev *dev,
                       const struct ctr_features *train, uint64_t seed);

#endif
