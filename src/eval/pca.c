/* pca.c -- principal components, the first two. See map.h.
 *
 * With centred rows X and an orthonormal block Q[D][B], B a few more than two: Z = X^T (X Q), the
 * best directions within the block (Rayleigh, Ritz), and Z made orthonormal is the next block. A
 * pass costs 4 n D B operations and no matrix of D x D, so that neither many rows nor long ones are
 * a limit. */
#include "eval/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"

enum { B = 8, PARTS = 64, PASSES = 300 };
#define STILL 1e-7 /* of the largest eigenvalue: the residual of directions that stand still */

struct pca {
    const float *x;
    size_t n, D, rows; /* rows a part */
    double *mean;      /* [D] */
    double *q;         /* [D][B] orthonormal, or zero where the rows have no further direction */
    double *z;         /* [D][B] = X^T X q / n */
    double *part;      /* [PARTS][D][B] */
    double variance;
    double value[B]; /* eigenvalues, falling */
    float *y;
};

static size_t part_end(const struct pca *p, size_t part)
{
    return (part + 1) * p->rows < p->n ? (part + 1) * p->rows : p->n;
}

/* part[.][d][0] += x. */
static void sum_part(void *ctx, size_t part)
{
    const struct pca *p = ctx;
    double *sum = p->part + part * p->D * B;
    memset(sum, 0, p->D * B * sizeof *sum);
    for (size_t i = part * p->rows; i < part_end(p, part); i++)
        for (size_t d = 0; d < p->D; d++)
            sum[d * B] += p->x[i * p->D + d];
}

static void square_part(void *ctx, size_t part)
{
    const struct pca *p = ctx;
    double sum = 0;
    for (size_t i = part * p->rows; i < part_end(p, part); i++)
        for (size_t d = 0; d < p->D; d++)
            sum += (p->x[i * p->D + d] - p->mean[d]) * (p->x[i * p->D + d] - p->mean[d]);
    p->part[part * p->D * B] = sum;
}

/* t[B] = a centred row times q. */
static void times_q(double t[B], const struct pca *p, const float *x)
{
    memset(t, 0, B * sizeof *t);
    for (size_t d = 0; d < p->D; d++) {
        double c = x[d] - p->mean[d];
        const double *q = p->q + d * B;
        for (size_t b = 0; b < B; b++)
            t[b] += c * q[b];
    }
}

static void product_part(void *ctx, size_t part)
{
    const struct pca *p = ctx;
    double *z = p->part + part * p->D * B, t[B];
    memset(z, 0, p->D * B * sizeof *z);
    for (size_t i = part * p->rows; i < part_end(p, part); i++) {
        const float *x = p->x + i * p->D;
        times_q(t, p, x);
        for (size_t d = 0; d < p->D; d++) {
            double c = x[d] - p->mean[d];
            for (size_t b = 0; b < B; b++)
                z[d * B + b] += c * t[b];
        }
    }
}

/* Parts are added in their order: the sum does not depend on threads. */
static void over_parts(struct pca *p, void (*fn)(void *ctx, size_t part))
{
    size_t parts = (p->n + p->rows - 1) / p->rows;
    ctr_parallel(0, parts, fn, p);
    memset(p->z, 0, p->D * B * sizeof *p->z);
    for (size_t k = 0; k < parts; k++)
        for (size_t i = 0; i < p->D * B; i++)
            p->z[i] += p->part[k * p->D * B + i];
}

static void centre(struct pca *p)
{
    over_parts(p, sum_part);
    for (size_t d = 0; d < p->D; d++)
        p->mean[d] = p->z[d * B] / (double)p->n;
    memset(p->part, 0, PARTS * p->D * B * sizeof *p->part);
    over_parts(p, square_part);
    p->variance = p->z[0] / (double)p->n;
}

/* ---- small matrices ---- */

/* The columns of m[D][B] by Gram and Schmidt, twice for the sake of rounding; what is left of a
 * column that depends on those before it becomes zero. */
static void orthonormal(double *m, size_t D)
{
    for (size_t b = 0; b < B; b++) {
        double before = 0, after = 0;
        for (size_t d = 0; d < D; d++)
            before += m[d * B + b] * m[d * B + b];
        for (int twice = 0; twice < 2; twice++)
            for (size_t a = 0; a < b; a++) {
                double dot = 0;
                for (size_t d = 0; d < D; d++)
                    dot += m[d * B + a] * m[d * B + b];
                for (size_t d = 0; d < D; d++)
                    m[d * B + b] -= dot * m[d * B + a];
            }
        for (size_t d = 0; d < D; d++)
            after += m[d * B + b] * m[d * B + b];
        double scale = after > 1e-20 * before && after > 0 ? 1 / sqrt(after) : 0;
        for (size_t d = 0; d < D; d++)
            m[d * B + b] *= scale;
    }
}

/* Turns the plane of axes i and j so that h[i][j] becomes zero; v collects the turns (Jacobi). */
static void turn(double h[B][B], double v[B][B], size_t i, size_t j)
{
    if (h[i][j] == 0)
        return;
    double half = (h[j][j] - h[i][i]) / (2 * h[i][j]);
    double t = (half < 0 ? -1 : 1) / (fabs(half) + sqrt(half * half + 1)), c = 1 / sqrt(t * t + 1),
           s = t * c;
    for (size_t k = 0; k < B; k++) {
        double a = h[k][i], b = h[k][j];
        h[k][i] = c * a - s * b;
        h[k][j] = s * a + c * b;
    }
    for (size_t k = 0; k < B; k++) {
        double a = h[i][k], b = h[j][k];
        h[i][k] = c * a - s * b;
        h[j][k] = s * a + c * b;
        a = v[k][i], b = v[k][j];
        v[k][i] = c * a - s * b;
        v[k][j] = s * a + c * b;
    }
}

/* Eigenvectors of a symmetric h in the columns of v, the largest eigenvalue first. */
static void eigen(double value[B], double v[B][B], double h[B][B])
{
    memset(v, 0, B * sizeof v[0]);
    for (size_t i = 0; i < B; i++)
        v[i][i] = 1;
    for (int sweep = 0; sweep < 30; sweep++)
        for (size_t i = 0; i < B; i++)
            for (size_t j = i + 1; j < B; j++)
                turn(h, v, i, j);
    for (size_t i = 0; i < B; i++)
        value[i] = h[i][i];
    for (size_t i = 0; i < B; i++)
        for (size_t j = i + 1; j < B; j++)
            if (value[j] > value[i]) {
                double swap = value[i];
                value[i] = value[j];
                value[j] = swap;
                for (size_t k = 0; k < B; k++) {
                    swap = v[k][i];
                    v[k][i] = v[k][j];
                    v[k][j] = swap;
                }
            }
}

/* m[D][B] = m v. */
static void turn_columns(double *m, size_t D, double v[B][B])
{
    for (size_t d = 0; d < D; d++) {
        double row[B] = {0};
        for (size_t k = 0; k < B; k++)
            for (size_t b = 0; b < B; b++)
                row[b] += m[d * B + k] * v[k][b];
        memcpy(m + d * B, row, sizeof row);
    }
}

/* ---- the passes ---- */

/* q and z turned to the best directions of the block; whether the first two stand still. */
static int improve(struct pca *p)
{
    double h[B][B] = {{0}}, v[B][B], left[2] = {0, 0};
    for (size_t d = 0; d < p->D; d++)
        for (size_t i = 0; i < B; i++)
            for (size_t j = 0; j < B; j++)
                h[i][j] += p->q[d * B + i] * p->z[d * B + j];
    for (size_t i = 0; i < B; i++)
        for (size_t j = 0; j < i; j++)
            h[i][j] = h[j][i] = (h[i][j] + h[j][i]) / 2;
    eigen(p->value, v, h);
    turn_columns(p->q, p->D, v);
    turn_columns(p->z, p->D, v);
    for (size_t d = 0; d < p->D; d++)
        for (size_t k = 0; k < 2; k++) {
            double r = p->z[d * B + k] - p->value[k] * p->q[d * B + k];
            left[k] += r * r;
        }
    double still = STILL * p->value[0];
    return left[0] <= still * still && left[1] <= still * still;
}

static void iterate(struct pca *p)
{
    struct ctr_rng rng;
    ctr_rng_init(&rng, 0, CTR_RNG_MAP, 0, 0);
    for (size_t i = 0; i < p->D * B; i++)
        p->q[i] = ctr_rng_normal(&rng);
    orthonormal(p->q, p->D);
    for (int pass = 0; pass < PASSES; pass++) {
        over_parts(p, product_part);
        for (size_t i = 0; i < p->D * B; i++)
            p->z[i] /= (double)p->n;
        if (improve(p))
            break;
        memcpy(p->q, p->z, p->D * B * sizeof *p->q);
        orthonormal(p->q, p->D);
    }
}

static void sign(struct pca *p)
{
    for (size_t k = 0; k < 2; k++) {
        double most = 0;
        for (size_t d = 0; d < p->D; d++)
            if (fabs(p->q[d * B + k]) > fabs(most))
                most = p->q[d * B + k];
        for (size_t d = 0; most < 0 && d < p->D; d++)
            p->q[d * B + k] = -p->q[d * B + k];
    }
}

static void project_part(void *ctx, size_t part)
{
    const struct pca *p = ctx;
    double t[B];
    for (size_t i = part * p->rows; i < part_end(p, part); i++) {
        times_q(t, p, p->x + i * p->D);
        p->y[2 * i] = (float)t[0];
        p->y[2 * i + 1] = (float)t[1];
    }
}

int ctr_map_pca(float *y, double share[2], const float *x, size_t n, size_t D)
{
    struct pca p = {.x = x, .n = n, .D = D, .rows = (n + PARTS - 1) / PARTS, .y = y};
    p.rows = p.rows < 256 ? 256 : p.rows;
    p.mean = ctr_alloc(D, sizeof *p.mean);
    p.q = ctr_alloc(D, B * sizeof *p.q);
    p.z = ctr_alloc(D, B * sizeof *p.z);
    p.part = ctr_alloc(PARTS * B, D * sizeof *p.part);
    int rc = p.mean && p.q && p.z && p.part ? 0 : CTR_E_FAIL;
    if (rc == 0) {
        centre(&p);
        iterate(&p);
        sign(&p);
        ctr_parallel(0, (n + p.rows - 1) / p.rows, project_part, &p);
        for (int k = 0; share && k < 2; k++)
            share[k] = p.variance > 0 ? p.value[k] / p.variance : 0;
    }
    free(p.part);
    free(p.z);
    free(p.q);
    free(p.mean);
    return rc;
}
