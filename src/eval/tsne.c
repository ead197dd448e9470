/* tsne.c -- t-SNE, exact. See map.h. In: rows. Out: points.
 *
 * Similarities of rows are one matrix P[n][stride] of floats, symmetric, with sum 1. A step walks
 * all pairs once: threads take rows, a row's sums are its own, and sums over rows go in their
 * order. The inner loops run over LANES values at a time, which compilers turn into vectors without
 * leave to reorder sums. */
#include "eval/map.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"

enum { LANES = 16, ROWS = 16, EXAGGERATION = 12, EXAGGERATED_STEPS = CTR_TSNE_STEPS / 4 };
/* Similarities below count as none: products with them would be denormal, and slow. */
#define LEAST 1e-20f
#define FAR 1e18f /* where the points that fill up a vector stand: their weight is nothing */

struct tsne {
    const float *x;
    size_t n, D, stride;                 /* stride: n filled up to whole vectors */
    double entropy;                      /* wanted: log of the perplexity */
    float *p;                            /* [n][stride]; squared distances first */
    float *y[2];                         /* [stride] */
    float *step[2], *gain[2], *slope[2]; /* [n]; slope: attraction, later the gradient */
    float *push[2];     /* [n] repulsion before its division by the sum of weights */
    double *weight;     /* [n] sum of 1 / (1 + d^2) over the others */
    double *divergence; /* [n] */
    double total, exaggeration;
};

/* ---- similarities of rows ---- */

static float squared_distance(const float *a, const float *b, size_t D)
{
    float lane[LANES] = {0};
    double sum = 0;
    size_t d = 0;
    for (; d + LANES <= D; d += LANES)
        for (size_t k = 0; k < LANES; k++)
            lane[k] += (a[d + k] - b[d + k]) * (a[d + k] - b[d + k]);
    for (; d < D; d++)
        sum += (a[d] - b[d]) * (a[d] - b[d]);
    for (size_t k = 0; k < LANES; k++)
        sum += lane[k];
    return (float)sum;
}

/* Rows [ROWS part, ...) against those from them on; a block of rows meets each other row while it
 * is in cache. */
static void distances(void *ctx, size_t part)
{
    const struct tsne *t = ctx;
    size_t first = part * ROWS, end = first + ROWS < t->n ? first + ROWS : t->n;
    for (size_t j = first; j < t->n; j++)
        for (size_t i = first; i < end; i++) {
            float d = i == j ? 0 : squared_distance(t->x + i * t->D, t->x + j * t->D, t->D);
            t->p[i * t->stride + j] = t->p[j * t->stride + i] = d;
        }
}

/* p[j] = exp(-beta (distance - nearest)), not itself; their sum, and the entropy of their shares.
 */
static double weigh(double *sum, float *p, const float *distance, size_t n, size_t self,
                    double beta, float nearest)
{
    double total = 0, mean = 0;
    for (size_t j = 0; j < n; j++) {
        float d = distance[j] - nearest;
        p[j] = j == self ? 0 : expf((float)-beta * d);
        total += p[j];
        mean += (double)p[j] * d;
    }
    *sum = total;
    return log(total) + beta * mean / total;
}

/* The row's distances become its shares with the entropy that is wanted, by bisection of beta. */
static void spread_row(const struct tsne *t, size_t i, float *p)
{
    float *row = t->p + i * t->stride, nearest = FLT_MAX;
    double beta = 1, low = 0, high = INFINITY, sum = 1, mean = 0;
    for (size_t j = 0; j < t->n; j++) {
        mean += row[j];
        if (j != i && row[j] < nearest)
            nearest = row[j];
    }
    mean = mean / (double)t->n - nearest;
    if (mean > 0)
        beta = 1 / mean;
    for (int k = 0; k < 60; k++) {
        double over = weigh(&sum, p, row, t->n, i, beta, nearest) - t->entropy;
        if (fabs(over) < 1e-4)
            break;
        if (over > 0)
            low = beta;
        else
            high = beta;
        beta = high < INFINITY ? (low + high) / 2 : 2 * beta;
    }
    for (size_t j = 0; j < t->n; j++)
        row[j] = (float)(p[j] / sum);
}

struct spreading {
    const struct tsne *t;
    float *work; /* a row for each part */
};

static void spread(void *ctx, size_t part)
{
    const struct spreading *s = ctx;
    size_t end = (part + 1) * ROWS < s->t->n ? (part + 1) * ROWS : s->t->n;
    for (size_t i = part * ROWS; i < end; i++)
        spread_row(s->t, i, s->work + part * s->t->stride);
}

/* P = (P + P^T) / 2n. */
static void symmetric(void *ctx, size_t part)
{
    const struct tsne *t = ctx;
    size_t first = part * ROWS, end = first + ROWS < t->n ? first + ROWS : t->n;
    float scale = 0.5f / (float)t->n;
    for (size_t j = first; j < t->n; j++)
        for (size_t i = first; i < end && i <= j; i++) {
            float *a = &t->p[i * t->stride + j], *b = &t->p[j * t->stride + i];
            float sum = (*a + *b) * scale;
            *a = *b = sum < LEAST ? 0 : sum;
        }
}

static int similarities(struct tsne *t)
{
    size_t parts = (t->n + ROWS - 1) / ROWS;
    struct spreading s = {t, ctr_alloc(parts, t->stride * sizeof *s.work)};
    if (!s.work)
        return CTR_E_FAIL;
    ctr_parallel(0, parts, distances, t);
    ctr_parallel(0, parts, spread, &s);
    ctr_parallel(0, parts, symmetric, t);
    free(s.work);
    return 0;
}

/* ---- a step ---- */

struct lanes {
    float weight[LANES], pull[2][LANES], push[2][LANES];
};

static double add_lanes(const float lane[LANES])
{
    double sum = 0;
    for (size_t k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

/* What all points do to the i-th. */
static void forces(const struct tsne *t, size_t i)
{
    struct lanes l = {{0}, {{0}, {0}}, {{0}, {0}}};
    const float *p = t->p + i * t->stride, *y0 = t->y[0], *y1 = t->y[1], at0 = y0[i], at1 = y1[i];
    for (size_t j = 0; j < t->stride; j += LANES)
        for (size_t k = 0; k < LANES; k++) {
            float d0 = at0 - y0[j + k], d1 = at1 - y1[j + k];
            float w = 1 / (1 + d0 * d0 + d1 * d1), pull = p[j + k] * w, push = w * w;
            l.weight[k] += w;
            l.pull[0][k] += pull * d0;
            l.pull[1][k] += pull * d1;
            l.push[0][k] += push * d0;
            l.push[1][k] += push * d1;
        }
    t->weight[i] = add_lanes(l.weight) - 1; /* itself */
    for (int c = 0; c < 2; c++) {
        t->slope[c][i] = (float)add_lanes(l.pull[c]);
        t->push[c][i] = (float)add_lanes(l.push[c]);
    }
}

static void force_rows(void *ctx, size_t part)
{
    const struct tsne *t = ctx;
    size_t end = (part + 1) * ROWS < t->n ? (part + 1) * ROWS : t->n;
    for (size_t i = part * ROWS; i < end; i++)
        forces(t, i);
}

/* Gains as in the paper's own program: larger where a point goes on in its direction. */
static void move(struct tsne *t, double rate, double momentum)
{
    for (int c = 0; c < 2; c++) {
        double mean = 0;
        for (size_t i = 0; i < t->n; i++) {
            double slope = 4 * (t->exaggeration * t->slope[c][i] - t->push[c][i] / t->total);
            double gain = slope * t->step[c][i] < 0 ? t->gain[c][i] + 0.2 : t->gain[c][i] * 0.8;
            t->gain[c][i] = (float)(gain < 0.01 ? 0.01 : gain);
            t->step[c][i] = (float)(momentum * t->step[c][i] - rate * t->gain[c][i] * slope);
            t->y[c][i] += t->step[c][i];
            mean += t->y[c][i];
        }
        mean /= (double)t->n;
        for (size_t i = 0; i < t->n; i++)
            t->y[c][i] -= (float)mean;
    }
}

static void add_weights(struct tsne *t)
{
    ctr_parallel(0, (t->n + ROWS - 1) / ROWS, force_rows, t);
    t->total = 0;
    for (size_t i = 0; i < t->n; i++)
        t->total += t->weight[i];
}

static void diverge_rows(void *ctx, size_t part)
{
    const struct tsne *t = ctx;
    size_t end = (part + 1) * ROWS < t->n ? (part + 1) * ROWS : t->n;
    for (size_t i = part * ROWS; i < end; i++) {
        double sum = 0;
        for (size_t j = 0; j < t->n; j++) {
            double p = t->p[i * t->stride + j], d0 = t->y[0][i] - t->y[0][j],
                   d1 = t->y[1][i] - t->y[1][j];
            if (p > 0)
                sum += p * log(p * t->total * (1 + d0 * d0 + d1 * d1));
        }
        t->divergence[i] = sum;
    }
}

static double divergence(struct tsne *t)
{
    double sum = 0;
    add_weights(t);
    ctr_parallel(0, (t->n + ROWS - 1) / ROWS, diverge_rows, t);
    for (size_t i = 0; i < t->n; i++)
        sum += t->divergence[i];
    return sum;
}

/* ---- from begin to end ---- */

/* Principal components, so small that the first steps are nearly linear, and a little chance. */
static int begin(struct tsne *t, float *y, uint64_t seed)
{
    struct ctr_rng rng;
    double square = 0;
    int rc = ctr_map_pca(y, NULL, t->x, t->n, t->D);
    ctr_rng_init(&rng, seed, CTR_RNG_MAP, 1, 0);
    for (size_t i = 0; rc == 0 && i < t->n; i++)
        square += (double)y[2 * i] * y[2 * i];
    double scale = square > 0 ? 1e-4 / sqrt(square / (double)t->n) : 0;
    for (size_t i = 0; rc == 0 && i < t->stride; i++)
        for (size_t c = 0; c < 2; c++) {
            t->y[c][i] =
                i < t->n ? (float)(scale * y[2 * i + c] + 1e-6 * ctr_rng_normal(&rng)) : FAR;
            if (i < t->n)
                t->gain[c][i] = 1;
        }
    return rc;
}

static int room(struct tsne *t)
{
    t->p = ctr_alloc(t->n, t->stride * sizeof *t->p);
    t->weight = ctr_alloc(t->n, sizeof *t->weight);
    t->divergence = ctr_alloc(t->n, sizeof *t->divergence);
    int there = t->p && t->weight && t->divergence;
    for (int c = 0; c < 2; c++) {
        float **of[] = {&t->y[c], &t->step[c], &t->gain[c], &t->slope[c], &t->push[c]};
        for (size_t k = 0; k < sizeof of / sizeof *of; k++)
            there &= (*of[k] = ctr_alloc(t->stride, sizeof(float))) != NULL;
    }
    return there ? 0 : CTR_E_FAIL;
}

static void leave(struct tsne *t)
{
    for (int c = 0; c < 2; c++) {
        free(t->y[c]);
        free(t->step[c]);
        free(t->gain[c]);
        free(t->slope[c]);
        free(t->push[c]);
    }
    free(t->divergence);
    free(t->weight);
    free(t->p);
}

static int descend(struct tsne *t, ctr_data_progress_fn *progress, void *user)
{
    double rate = (double)t->n / EXAGGERATION / 4;
    rate = rate < 50 ? 50 : rate;
    for (size_t k = 0; k < CTR_TSNE_STEPS; k++) {
        int early = k < EXAGGERATED_STEPS, rc;
        t->exaggeration = early ? EXAGGERATION : 1;
        add_weights(t);
        move(t, rate, early ? 0.5 : 0.8);
        if (progress && (rc = progress(user, k + 1, CTR_TSNE_STEPS)) != 0)
            return rc;
    }
    return 0;
}

int ctr_map_tsne(float *y, double *out_divergence, const float *x, size_t n, size_t D,
                 const struct ctr_tsne_params *params, ctr_data_progress_fn *progress, void *user)
{
    int rc = 0;
    struct tsne t = {.x = x, .n = n, .D = D, .stride = (n + LANES - 1) / LANES * LANES};
    if (n > CTR_TSNE_MAX)
        return ctr_fail(CTR_E_USAGE, "t-SNE of %zu vectors; at most %d", n, CTR_TSNE_MAX);
    if (!(params->perplexity > 1 && params->perplexity <= ((double)n - 1) / 3))
        return ctr_fail(
            CTR_E_USAGE,
            "a perplexity of %g for %zu vectors: above 1, at most a third of the others",
            params->perplexity, n);
    t.entropy = log(params->perplexity);
    CTR_TRY(room(&t));
    CTR_TRY(similarities(&t));
    CTR_TRY(begin(&t, y, params->seed));
    CTR_TRY(descend(&t, progress, user));
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 2; c++)
            y[2 * i + c] = t.y[c][i];
    if (out_divergence)
        *out_divergence = divergence(&t);
out:
    leave(&t);
    return rc;
}
