/* classify.c -- see classify.h. In: features of examples with their classes. Out: a linear
 * classifier, and shares. */
#include "eval/classify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/few.h"

#define TOLERANCE 1e-4 /* as in logistic.c */

/* Examples of the smallest class. */
static int smallest(size_t *least, const struct ctr_features *f, unsigned classes)
{
    size_t *n_of = ctr_alloc(classes, sizeof *n_of);
    if (!n_of)
        return CTR_E_FAIL;
    for (size_t i = 0; i < f->n; i++)
        n_of[f->label[i]]++;
    *least = f->n;
    for (unsigned k = 0; k < classes; k++)
        *least = n_of[k] < *least ? n_of[k] : *least;
    free(n_of);
    return 0;
}

/* w: the classes' means, of length one, over the temperature; features are taken as they are. */
static void fit_mean(struct ctr_linear *l, const struct ctr_features *f)
{
    memset(l->mean, 0, l->D * sizeof *l->mean);
    for (size_t d = 0; d < l->D; d++)
        l->scale[d] = 1;
    for (size_t i = 0; i < f->n; i++)
        for (size_t d = 0; d < l->D; d++)
            l->w[(size_t)f->label[i] * l->D + d] += f->x[i * l->D + d];
    ctr_rows_unit(l->w, l->w, l->classes, l->D);
    for (size_t i = 0; i < l->classes * l->D; i++)
        l->w[i] /= (float)CTR_CLASSIFY_TEMPERATURE;
}

/* With the penalty that was chosen before, on all rows. */
static int fit_again(struct ctr_linear *l, double penalty, ctr_dev *dev,
                     const struct ctr_features *f)
{
    uint32_t *row = ctr_alloc(f->n, sizeof *row);
    if (!row)
        return CTR_E_FAIL;
    for (size_t i = 0; i < f->n; i++)
        row[i] = (uint32_t)i;
    int rc = ctr_linear_fit_logistic(l, dev, f, row, f->n, penalty, TOLERANCE, 0);
    free(row);
    return rc;
}

int ctr_classify_fit(struct ctr_linear *l, struct ctr_classify_how *how, ctr_dev *dev,
                     const struct ctr_features *train, unsigned classes, uint64_t seed)
{
    size_t least = 0;
    int rc = smallest(&least, train, classes);
    if (rc == 0 && least == 0)
        rc = ctr_fail(CTR_E_DATA, "a class has no example");
    if (rc == 0)
        rc = ctr_linear_init(l, train, classes);
    if (rc != 0)
        return rc;
    if (how->kind == CTR_CLASSIFY_AUTO)
        how->kind = least < 2 ? CTR_CLASSIFY_MEAN : CTR_CLASSIFY_LOGISTIC;
    if (how->kind == CTR_CLASSIFY_MEAN)
        fit_mean(l, train);
    else if (how->penalty > 0)
        rc = fit_again(l, how->penalty, dev, train);
    else
        rc = ctr_linear_fit_lbfgs(l, &how->penalty, dev, train, seed);
    if (rc != 0)
        ctr_linear_finish(l);
    return rc;
}

/* Logits become shares; their largest. */
static unsigned soften(double *share, unsigned classes)
{
    unsigned best = 0;
    double sum = 0;
    for (unsigned k = 1; k < classes; k++)
        best = share[k] > share[best] ? k : best;
    double most = share[best];
    for (unsigned k = 0; k < classes; k++)
        sum += share[k] = exp(share[k] - most);
    for (unsigned k = 0; k < classes; k++)
        share[k] /= sum;
    return best;
}

unsigned ctr_classify(double *share, const struct ctr_linear *l, const float *x)
{
    ctr_linear_logits(share, l, x);
    return soften(share, l->classes);
}

/* ---- cross-validation ---- */

struct folds {
    const struct ctr_features *f;
    unsigned classes;
    struct ctr_classify_how how;
    ctr_dev *dev;
    uint64_t seed;
    size_t parts;
    uint32_t *rank; /* [n] rank modulo parts is a row's part; each part has some of each class */
    double *logit;  /* [n][classes] by a classifier that has not seen the row */
    double *share;  /* [classes] */
};

static int judge_part(const struct folds *c, size_t part)
{
    int rc = 0;
    size_t kept = 0;
    struct ctr_classify_how how = c->how;
    struct ctr_linear l = {0};
    struct ctr_features others = {0};
    uint32_t *row = ctr_alloc(c->f->n, sizeof *row);
    if (!row)
        return CTR_E_FAIL;
    for (size_t i = 0; i < c->f->n; i++)
        if (c->rank[i] % c->parts != part)
            row[kept++] = (uint32_t)i;
    CTR_TRY(ctr_features_rows(&others, c->f, row, kept));
    CTR_TRY(ctr_classify_fit(&l, &how, c->dev, &others, c->classes, c->seed));
    for (size_t i = 0; i < c->f->n; i++)
        if (c->rank[i] % c->parts == part)
            ctr_linear_logits(c->logit + i * c->classes, &l, c->f->x + i * c->f->D);
out:
    ctr_linear_finish(&l);
    ctr_features_free(&others);
    free(row);
    return rc;
}

/* Mean of -log of the share of a row's own class, and how many rows are right. */
static double surprise(size_t *right, const struct folds *c, double temperature)
{
    double sum = 0;
    *right = 0;
    for (size_t i = 0; i < c->f->n; i++) {
        for (unsigned k = 0; k < c->classes; k++)
            c->share[k] = c->logit[i * c->classes + k] / temperature;
        *right += soften(c->share, c->classes) == (unsigned)c->f->label[i];
        sum -= log(fmax(c->share[c->f->label[i]], 1e-300));
    }
    return sum / (double)c->f->n;
}

/* Of 1/16 to 64, in steps of an eighth of an octave. */
static double best_temperature(const struct folds *c)
{
    double best = 1, least = INFINITY;
    size_t right;
    for (int step = -32; step <= 48; step++) {
        double temperature = exp2(step / 8.0), s = surprise(&right, c, temperature);
        if (s < least) {
            least = s;
            best = temperature;
        }
    }
    return best;
}

static void cool(struct ctr_linear *l, double temperature)
{
    for (size_t i = 0; i < l->classes * l->D; i++)
        l->w[i] = (float)(l->w[i] / temperature);
    for (size_t k = 0; k < l->classes; k++)
        l->b[k] = (float)(l->b[k] / temperature);
}

int ctr_classify_check(double *share, struct ctr_linear *l, const struct ctr_classify_how *how,
                       ctr_dev *dev, const struct ctr_features *f, uint64_t seed)
{
    int rc = 0;
    size_t right = 0;
    struct folds c = {.f = f, .classes = l->classes, .how = *how, .dev = dev, .seed = seed};
    size_t *n_of = ctr_alloc(c.classes, sizeof *n_of);
    c.rank = ctr_alloc(f->n, sizeof *c.rank);
    c.logit = ctr_alloc(f->n, c.classes * sizeof *c.logit);
    c.share = ctr_alloc(c.classes, sizeof *c.share);
    if (!n_of || !c.rank || !c.logit || !c.share)
        CTR_TRY(CTR_E_FAIL);
    *share = NAN;
    CTR_TRY(smallest(&c.parts, f, c.classes));
    if (c.parts < 2)
        goto out;
    c.parts = c.parts < 5 ? c.parts : 5;
    CTR_TRY(ctr_few_rank(c.rank, n_of, f->label, f->n, c.classes, seed, CTR_DRAW_HELD));
    for (size_t part = 0; part < c.parts; part++)
        CTR_TRY(judge_part(&c, part));
    (void)surprise(&right, &c, 1);
    *share = (double)right / (double)f->n;
    cool(l, best_temperature(&c));
out:
    free(c.share);
    free(c.logit);
    free(c.rank);
    free(n_of);
    return rc;
}
