/* ridge.c -- least squares onto one-hot classes with an L2 penalty, in closed form.
 *
 * W minimises mean |W x + b - onehot|^2 + penalty |W|^2, b free of it: with centred X[n][D] and Y[n][K]
 * (X^T X + n penalty I) W^T = X^T Y. The device makes the products of blocks of rows, the host adds them
 * and factorises in double; another penalty costs a factorisation and no pass over the data. Hastie,
 * Tibshirani, Friedman, The Elements of Statistical Learning, 2nd ed., sections 3.4.1 and 4.2. */
#include "eval/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "op/op.h"

#define BLOCK   2048 /* rows a product; sums of as many are fp32 */
#define PANEL   32   /* rows of the factor that update the others at a time */
#define DEFAULT 0.1  /* where there are no rows to choose on */

static const double penalties[] = {10, 1, 0.1, 0.01, 1e-3, 1e-4, 1e-5};

struct ridge {
    struct ctr_linear *l;
    const struct ctr_features *f;
    ctr_graph *g;
    ctr_tensor *x, *products;
    size_t P;       /* D + K */
    float *block;   /* [P][BLOCK]: features, then one-hot classes, a row of f in each column */
    float *product; /* [P][P] */
    float *row;     /* [D] */
    double *A;      /* [D][D] work */
};

/* ---- sums over rows ---- */

static int record(struct ridge *r, ctr_dev *dev)
{
    int rc = 0;
    CTR_TRY(ctr_graph_create(&r->g, dev, NULL));
    r->x = ctr_graph_input(r->g, "rows", CTR_F32, 2, (size_t[]){r->P, BLOCK});
    r->products = ctr_similarity(r->g, r->x, r->x, 1.0f);
    ctr_graph_keep(r->products);
    CTR_TRY(ctr_graph_status(r->g));
    CTR_TRY(ctr_graph_plan(r->g, NULL));
    CTR_TRY(ctr_graph_lower(r->g));
    CTR_TRY(ctr_dev_build(dev, 1, NULL, NULL));
out:
    return rc;
}

/* sums[P][P] += products of columns of features and one-hot classes, over rows index[n]. */
static int add(double *sums, struct ridge *r, const uint32_t *index, size_t n)
{
    size_t D = r->l->D;
    int rc = 0;
    for (size_t at = 0; at < n; at += BLOCK) {
        memset(r->block, 0, r->P * BLOCK * sizeof *r->block);
        for (size_t i = at; i < n && i < at + BLOCK; i++) {
            ctr_linear_row(r->row, r->l, r->f, index[i]);
            for (size_t d = 0; d < D; d++)
                r->block[d * BLOCK + i - at] = r->row[d];
            r->block[(D + (size_t)r->f->label[index[i]]) * BLOCK + i - at] = 1;
        }
        CTR_TRY(ctr_tensor_write(r->x, r->block, r->x->bytes));
        CTR_TRY(ctr_graph_replay(r->g));
        CTR_TRY(ctr_tensor_read(r->product, r->products, r->products->bytes));
        for (size_t i = 0; i < r->P * r->P; i++)
            sums[i] += r->product[i];
    }
out:
    return rc;
}

/* ---- A = U^T U ---- */

struct panel {
    double *A;
    size_t D, first, end; /* finished rows [first, end) of U */
};

/* Row `row` less what finished rows [first, end) contribute to it, from its diagonal on. */
static void reduce(double *A, size_t D, size_t row, size_t first, size_t end)
{
    double *restrict a = A + row * D;
    for (size_t p = first; p < end; p++) {
        const double *restrict u = A + p * D, factor = u[row];
        for (size_t j = row; j < D; j++)
            a[j] -= factor * u[j];
    }
}

static void reduce_later(void *ctx, size_t i)
{
    const struct panel *p = ctx;
    reduce(p->A, p->D, p->end + i, p->first, p->end);
}

/* The upper triangle of A[D][D] becomes U; whether A is positive definite. */
static int factorise(double *A, size_t D)
{
    for (size_t first = 0; first < D; first += PANEL) {
        struct panel p = {A, D, first, first + PANEL < D ? first + PANEL : D};
        for (size_t i = first; i < p.end; i++) {
            reduce(A, D, i, first, i);
            if (!(A[i * D + i] > 0))
                return 0;
            double scale = 1 / sqrt(A[i * D + i]);
            for (size_t j = i; j < D; j++)
                A[i * D + j] *= scale;
        }
        ctr_parallel(0, D - p.end, reduce_later, &p);
    }
    return 1;
}

/* y[D] = A^-1 y. */
static void solve(double *y, const double *U, size_t D)
{
    for (size_t i = 0; i < D; i++) {
        y[i] /= U[i * D + i];
        for (size_t j = i + 1; j < D; j++)
            y[j] -= U[i * D + j] * y[i];
    }
    for (size_t i = D; i-- > 0;) {
        for (size_t j = i + 1; j < D; j++)
            y[i] -= U[i * D + j] * y[j];
        y[i] /= U[i * D + i];
    }
}

/* w and b from the sums over n rows; *definite is 0, and nothing is done, when rounding has left no
 * positive definite matrix. */
static int fit(int *definite, struct ridge *r, const double *sums, size_t n, double penalty)
{
    size_t D = r->l->D, K = r->l->classes, P = r->P;
    double *total = ctr_alloc(D, sizeof *total), *y = ctr_alloc(D, sizeof *y);
    int rc = total && y ? 0 : CTR_E_FAIL;
    for (size_t d = 0; rc == 0 && d < D; d++)
        for (size_t k = 0; k < K; k++)
            total[d] += sums[d * P + D + k];
    for (size_t i = 0; rc == 0 && i < D * D; i++)
        r->A[i] = sums[i / D * P + i % D] - total[i / D] * total[i % D] / (double)n +
                  (i / D == i % D ? penalty * (double)n : 0);
    *definite = rc == 0 && factorise(r->A, D);
    for (size_t k = 0; *definite && k < K; k++) {
        double share = sums[(D + k) * P + D + k] / (double)n, b = share;
        for (size_t d = 0; d < D; d++)
            y[d] = sums[d * P + D + k] - total[d] * share;
        solve(y, r->A, D);
        for (size_t d = 0; d < D; d++) {
            r->l->w[k * D + d] = (float)y[d];
            b -= y[d] * total[d] / (double)n;
        }
        r->l->b[k] = (float)b;
    }
    free(y);
    free(total);
    return rc;
}

/* ---- the choice ---- */

struct trial {
    struct ridge *r;
    const double *sums;
    size_t n;
};

static int fit_next(int *fitted, void *ctx, double penalty)
{
    const struct trial *t = ctx;
    return fit(fitted, t->r, t->sums, t->n, penalty);
}

static int room(struct ridge *r)
{
    size_t D = r->l->D;
    r->P = D + r->l->classes;
    r->block = ctr_alloc(r->P * BLOCK, sizeof *r->block);
    r->product = ctr_alloc(r->P * r->P, sizeof *r->product);
    r->row = ctr_alloc(D, sizeof *r->row);
    r->A = ctr_alloc(D * D, sizeof *r->A);
    return r->block && r->product && r->row && r->A ? 0 : CTR_E_FAIL;
}

int ctr_linear_fit_ridge(struct ctr_linear *l, double *penalty, ctr_dev *dev,
                         const struct ctr_features *train, uint64_t seed)
{
    int rc = 0, definite = 0;
    struct ridge r = {.l = l, .f = train};
    uint32_t *order = ctr_alloc(train->n, sizeof *order);
    double *sums = NULL;
    size_t n_fit = 0;
    if (!order)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(ctr_features_split(order, &n_fit, train, l->classes, seed));
    CTR_TRY(room(&r));
    if (!(sums = ctr_alloc(r.P * r.P, sizeof *sums)))
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(record(&r, dev));
    CTR_TRY(add(sums, &r, order, n_fit));
    *penalty = DEFAULT;
    CTR_TRY(ctr_linear_choose(penalty, l, train, order + n_fit, train->n - n_fit, penalties,
                              sizeof penalties / sizeof *penalties, fit_next,
                              &(struct trial){&r, sums, n_fit}));
    CTR_TRY(add(sums, &r, order + n_fit, train->n - n_fit));
    CTR_TRY(fit(&definite, &r, sums, train->n, *penalty));
    if (!definite)
        CTR_TRY(ctr_fail(CTR_E_MODEL, "the features are not fit for least squares"));
out:
    ctr_graph_destroy(&r.g);
    free(r.A);
    free(r.row);
    free(r.product);
    free(r.block);
    free(sums);
    free(order);
    return rc;
}
