/* eval.h -- how good features are: nearest neighbours and a linear classifier, on frozen features.
 *
 * A feature set is x[n][D] with label[n] in [0, classes); rows labelled -1 are ignored. */
#ifndef CTR_EVAL_EVAL_H
#define CTR_EVAL_EVAL_H

#include "dev/dev.h"

struct ctr_features {
    float *x;
    int32_t *label;
    size_t n, D;
};

/* Drops unlabelled rows in place. */
void ctr_features_drop_unlabelled(struct ctr_features *f);
void ctr_features_free(struct ctr_features *f);

/* Share of `test` whose label the neighbours in `bank` vote for, by cosine similarity.
 * k10: the 10 nearest, one vote each (ties: the class of the nearest among them).
 * k200: the 200 nearest weighted by exp(similarity / 0.1) (Wu et al., arXiv:1805.01978). */
struct ctr_knn_result {
    double k10, k200;
};
int ctr_knn(struct ctr_knn_result *out, ctr_dev *dev, const struct ctr_features *bank,
            const struct ctr_features *test, unsigned classes);

/* Share of `test` that a softmax regression trained on `train` gets right. Features are standardised
 * by the training set's mean and deviation; AdamW without decay, learning rate 0.01 with cosine
 * decay, 100 epochs of batches of up to 1,000, last epoch. */
int ctr_linear_probe(double *accuracy, ctr_dev *dev, const struct ctr_features *train,
                     const struct ctr_features *test, unsigned classes, uint64_t seed);

#endif
