/* eval.h -- how good features are: nearest neighbours and linear classifiers, on frozen features.
 *
 * A feature set is x[n][D] with label[n] in [0, classes); rows labelled -1 are dropped first. Every
 * protocol gives a guess for each test row and never reads the test set's labels, which may be NULL;
 * what has to be chosen is chosen on a part of the training set. docs/EVALUATION.md has the
 * definitions and their sources. */
#ifndef CTR_EVAL_EVAL_H
#define CTR_EVAL_EVAL_H

#include "dev/dev.h"
#include "io/text.h"

struct ctr_features {
    float *x;
    int32_t *label;
    size_t n, D;
};

/* Drops unlabelled rows in place. */
void ctr_features_drop_unlabelled(struct ctr_features *f);
void ctr_features_free(struct ctr_features *f);
/* order[n]: rows to fit on, *n_fit of them, then those to choose on: one in five of each class, drawn
 * by the seed; a class of fewer than five rows has none there. */
int ctr_features_split(uint32_t *order, size_t *n_fit, const struct ctr_features *f,
                       unsigned classes, uint64_t seed);
/* A copy of the rows row[n], in that order. */
int ctr_features_rows(struct ctr_features *out, const struct ctr_features *f, const uint32_t *row,
                      size_t n);
/* A copy of `per_class` rows of each class, drawn by the seed, in order; all rows of a class that has
 * fewer. */
int ctr_features_few(struct ctr_features *out, const struct ctr_features *f, unsigned classes,
                     size_t per_class, uint64_t seed);

/* Rows of x[n][D] brought to length one in y (which may be x); rows of zeros stay. */
void ctr_rows_unit(float *y, const float *x, size_t n, size_t D);
/* CTR_E_DATA "vector 17 holds ..." (`what` it is called) for the first row with a value that is not finite. */
int ctr_rows_check(const float *x, size_t n, size_t D, const char *what);

/* Share of right guesses. */
double ctr_accuracy(const int32_t *guess, const int32_t *label, size_t n);

/* k rows of the bank nearest by cosine similarity vote: with temperature 0 one vote each, else
 * weighted by exp(similarity / temperature) (Wu et al., arXiv:1805.01978). Ties: the class of the
 * nearest among them. A bank of fewer than k rows votes as a whole. */
#define CTR_KNN_K_MAX 1000
struct ctr_knn {
    unsigned k; /* 1 to CTR_KNN_K_MAX */
    double temperature;
};
/* guess[n_votes][test n]. */
int ctr_knn(int32_t *guess, ctr_dev *dev, const struct ctr_features *bank,
            const struct ctr_features *test, unsigned classes, const struct ctr_knn *votes,
            size_t n_votes);
/* The vote for `train` as a bank that is best on one row in five, the others being the bank, of the
 * products of ctr_knn_tried's lists; the first of equals. Ten votes where there are no rows to choose
 * on. */
int ctr_knn_choose(struct ctr_knn *out, ctr_dev *dev, const struct ctr_features *train,
                   unsigned classes, uint64_t seed);
/* Number i of those tried; 0 past the last. */
int ctr_knn_tried(struct ctr_knn *out, size_t i);

/* Linear classifiers of features standardised by the training set's mean and deviation. */
enum ctr_probe {
    /* softmax regression, AdamW without decay, learning rate 0.01 with cosine decay, 100 epochs of
     * batches of up to 1,000, last epoch: no choice to make */
    CTR_PROBE_SGD,
    /* least squares onto one-hot classes with an L2 penalty, in closed form; the penalty is chosen
     * on one row in five, then all rows count */
    CTR_PROBE_RIDGE,
    /* softmax regression with an L2 penalty, minimised to the end by L-BFGS; the penalty is chosen in the
     * same way */
    CTR_PROBE_LBFGS,
    CTR_PROBES
};
const char *ctr_probe_name(enum ctr_probe probe);
/* guess[test n]. *penalty (or NULL): what was chosen, per row; 0 where there is no choice. */
int ctr_probe_run(int32_t *guess, double *penalty, ctr_dev *dev, enum ctr_probe probe,
                  const struct ctr_features *train, const struct ctr_features *test,
                  unsigned classes, uint64_t seed);

/* counts[classes][classes]: how many rows of each class (first index) were taken for each. */
void ctr_confusion(uint64_t *counts, const int32_t *guess, const int32_t *label, size_t n,
                   unsigned classes);
/* The same as a picture, each row in per cent of its sum, freed with free(). caption: a line below. */
int ctr_confusion_draw(struct ctr_canvas *out, const uint64_t *counts, unsigned classes,
                       const char *const *names, const char *caption);

#endif
