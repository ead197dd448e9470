/* linear.c -- linear classifiers: standardising, guessing on the host, and the list of ways to fit.
 * See linear.h; protocols in eval.h. */
#include "eval/linear.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/os.h"

/* Mean and 1 / deviation of each feature; features that never change are switched off. Sums run over
 * the rows in order. */
static int standardise(struct ctr_linear *l, const struct ctr_features *f)
{
    double *sum = ctr_alloc(l->D, sizeof *sum), *square = ctr_alloc(l->D, sizeof *square);
    if (sum && square) {
        for (size_t i = 0; i < f->n; i++)
            for (size_t d = 0; d < l->D; d++)
                sum[d] += f->x[i * l->D + d];
        for (size_t d = 0; d < l->D; d++)
            sum[d] /= (double)f->n;
        for (size_t i = 0; i < f->n; i++)
            for (size_t d = 0; d < l->D; d++)
                square[d] += (f->x[i * l->D + d] - sum[d]) * (f->x[i * l->D + d] - sum[d]);
        for (size_t d = 0; d < l->D; d++) {
            double deviation = sqrt(square[d] / (double)f->n);
            l->mean[d] = (float)sum[d];
            l->scale[d] = deviation > 1e-8 ? (float)(1 / deviation) : 0.0f;
        }
    }
    int rc = sum && square ? 0 : CTR_E_FAIL;
    free(square);
    free(sum);
    return rc;
}

int ctr_linear_init(struct ctr_linear *l, const struct ctr_features *f, unsigned classes)
{
    *l = (struct ctr_linear){.D = f->D, .classes = classes};
    l->mean = ctr_alloc(f->D, sizeof *l->mean);
    l->scale = ctr_alloc(f->D, sizeof *l->scale);
    l->w = ctr_alloc(classes * f->D, sizeof *l->w);
    l->b = ctr_alloc(classes, sizeof *l->b);
    int rc = l->mean && l->scale && l->w && l->b ? standardise(l, f) : CTR_E_FAIL;
    if (rc != 0)
        ctr_linear_finish(l);
    return rc;
}

void ctr_linear_finish(struct ctr_linear *l)
{
    free(l->mean);
    free(l->scale);
    free(l->w);
    free(l->b);
    *l = (struct ctr_linear){0};
}

void ctr_linear_row(float *y, const struct ctr_linear *l, const struct ctr_features *f, size_t i)
{
    for (size_t d = 0; d < l->D; d++)
        y[d] = (f->x[i * l->D + d] - l->mean[d]) * l->scale[d];
}

/* ---- guessing ---- */

#define ROWS 64

struct guessing {
    int32_t *guess;
    const struct ctr_linear *l;
    const struct ctr_features *f;
    const uint32_t *index;
    size_t n;
};

static double logit(const struct ctr_linear *l, size_t class, const float *x)
{
    double sum = l->b[class];
    for (size_t d = 0; d < l->D; d++)
        sum += (double)l->w[class * l->D + d] * (x[d] - l->mean[d]) * l->scale[d];
    return sum;
}

void ctr_linear_logits(double *out, const struct ctr_linear *l, const float *x)
{
    for (size_t k = 0; k < l->classes; k++)
        out[k] = logit(l, k, x);
}

static int32_t largest(const struct ctr_linear *l, const float *x)
{
    double best = -INFINITY;
    int32_t guess = -1;
    for (size_t k = 0; k < l->classes; k++) {
        double value = logit(l, k, x);
        if (value > best) {
            best = value;
            guess = (int32_t)k;
        }
    }
    return guess;
}

static void guess_rows(void *ctx, size_t block)
{
    const struct guessing *g = ctx;
    size_t end = (block + 1) * ROWS < g->n ? (block + 1) * ROWS : g->n;
    for (size_t i = block * ROWS; i < end; i++)
        g->guess[i] = largest(g->l, g->f->x + (g->index ? g->index[i] : i) * g->l->D);
}

void ctr_linear_guess(int32_t *guess, const struct ctr_linear *l, const struct ctr_features *f,
                      const uint32_t *index, size_t n)
{
    struct guessing g = {guess, l, f, index, n};
    ctr_parallel(0, (n + ROWS - 1) / ROWS, guess_rows, &g);
}

double ctr_linear_accuracy(const struct ctr_linear *l, const struct ctr_features *f,
                           const uint32_t *index, size_t n)
{
    size_t right = 0;
    int32_t *guess = ctr_alloc(n, sizeof *guess);
    if (!guess)
        return -1;
    ctr_linear_guess(guess, l, f, index, n);
    for (size_t i = 0; i < n; i++)
        right += guess[i] == f->label[index[i]];
    free(guess);
    return n ? (double)right / (double)n : 0;
}

/* ---- choosing ---- */

int ctr_linear_choose(double *penalty, const struct ctr_linear *l, const struct ctr_features *f,
                      const uint32_t *held, size_t n_held, const double *penalties, size_t n,
                      ctr_linear_fit_fn *fit, void *ctx)
{
    double best = -1;
    unsigned worse = 0; /* in a row */
    for (size_t i = 0; n_held > 0 && i < n && worse < 2; i++) {
        int fitted = 0, rc = fit(&fitted, ctx, penalties[i]);
        if (rc != 0)
            return rc;
        double share = fitted ? ctr_linear_accuracy(l, f, held, n_held) : 0;
        if (share < 0)
            return CTR_E_FAIL;
        worse = fitted && share < best ? worse + 1 : 0;
        if (fitted && share > best) {
            best = share;
            *penalty = penalties[i];
        }
    }
    return 0;
}

/* ---- the list ---- */

static int fit_sgd(struct ctr_linear *l, double *penalty, ctr_dev *dev,
                   const struct ctr_features *train, uint64_t seed)
{
    *penalty = 0;
    return ctr_linear_fit_sgd(l, dev, train, seed);
}

static const struct {
    const char *name;
    int (*fit)(struct ctr_linear *l, double *penalty, ctr_dev *dev,
               const struct ctr_features *train, uint64_t seed);
} probes[CTR_PROBES] = {
    [CTR_PROBE_SGD] = {"sgd", fit_sgd},
    [CTR_PROBE_RIDGE] = {"ridge", ctr_linear_fit_ridge},
    [CTR_PROBE_LBFGS] = {"lbfgs", ctr_linear_fit_lbfgs},
};

const char *ctr_probe_name(enum ctr_probe probe)
{
    return probes[probe].name;
}

int ctr_probe_run(int32_t *guess, double *penalty, ctr_dev *dev, enum ctr_probe probe,
                  const struct ctr_features *train, const struct ctr_features *test,
                  unsigned classes, uint64_t seed)
{
    struct ctr_linear l;
    double chosen = 0;
    if (train->n == 0 || test->n == 0)
        return ctr_fail(CTR_E_DATA, "no labelled images to learn a classifier from");
    int rc = ctr_linear_init(&l, train, classes);
    if (rc != 0)
        return rc;
    rc = probes[probe].fit(&l, &chosen, dev, train, seed);
    if (rc == 0)
        ctr_linear_guess(guess, &l, test, NULL, test->n);
    if (rc == 0 && penalty)
        *penalty = chosen;
    ctr_linear_finish(&l);
    return rc;
}
