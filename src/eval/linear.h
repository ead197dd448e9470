/* linear.h -- a linear classifier of standardised features, and the ways to fit one (sgd.c, ridge.c,
 * logistic.c).
 * Standardising knows the training features, never a label. */
#ifndef CTR_EVAL_LINEAR_H
#define CTR_EVAL_LINEAR_H

#include "eval/eval.h"

struct ctr_linear {
    size_t D;
    unsigned classes;
    float *mean, *scale; /* [D]: a feature becomes (x - mean) * scale */
    float *w, *b;        /* [classes][D], [classes]; the largest w x + b is the guess */
};

/* mean and scale from f; w and b zero. finish frees. */
int ctr_linear_init(struct ctr_linear *l, const struct ctr_features *f, unsigned classes);
void ctr_linear_finish(struct ctr_linear *l);
/* y[D]: row i of f, standardised. */
void ctr_linear_row(float *y, const struct ctr_linear *l, const struct ctr_features *f, size_t i);
/* out[classes]: w x + b of standardised x[D], in double. */
void ctr_linear_logits(double *out, const struct ctr_linear *l, const float *x);
/* guess[n] for rows index[n] of f; NULL: rows 0 to n - 1. */
void ctr_linear_guess(int32_t *guess, const struct ctr_linear *l, const struct ctr_features *f,
                      const uint32_t *index, size_t n);
/* Share of rows index[n] that are guessed right; negative: out of memory. */
double ctr_linear_accuracy(const struct ctr_linear *l, const struct ctr_features *f,
                           const uint32_t *index, size_t n);

/* Fits with each penalty and keeps in *penalty the one whose guesses are best on rows held[n_held] of f,
 * the first among equals; ends after two in a row that are worse. Untouched without rows or fits. fit
 * fills l; *fitted 0: passed over. */
typedef int ctr_linear_fit_fn(int *fitted, void *ctx, double penalty);
int ctr_linear_choose(double *penalty, const struct ctr_linear *l, const struct ctr_features *f,
                      const uint32_t *held, size_t n_held, const double *penalties, size_t n,
                      ctr_linear_fit_fn *fit, void *ctx);

/* These fill w and b. */
int ctr_linear_fit_sgd(struct ctr_linear *l, ctr_dev *dev, const struct ctr_features *train,
                       uint64_t seed);
int ctr_linear_fit_ridge(struct ctr_linear *l, double *penalty, ctr_dev *dev,
                         const struct ctr_features *train, uint64_t seed);
int ctr_linear_fit_lbfgs(struct ctr_linear *l, double *penalty, ctr_dev *dev,
                         const struct ctr_features *train, uint64_t seed);
/* The minimum of mean cross-entropy + penalty / 2 |w|^2 over rows index[n] of f, from what w and b are;
 * see lbfgs.h for the tolerance. At most `rows` are on the device at a time; 0: what fits. */
int ctr_linear_fit_logistic(struct ctr_linear *l, ctr_dev *dev, const struct ctr_features *f,
                            const uint32_t *index, size_t n, double penalty, double tolerance,
                            size_t rows);

#endif
