/* pairs.c -- losses over pairs of rows of z[M,D] in double. kind: enum ctr_pairs_kind. */
#include <math.h>

#include "op/op.h"
#include "ref/ref.h"

struct rows {
    const double *z, *label, *line;
    size_t M, N, D;
};

static double distance(const struct rows *r, size_t i, size_t j)
{
    double sum = 0;
    for (size_t d = 0; d < r->D; d++)
        sum += pow(r->z[i * r->D + d] - r->z[j * r->D + d], 2);
    return sqrt(sum);
}

static int same(const struct rows *r, size_t i, size_t j)
{
    i %= r->N;
    j %= r->N;
    return r->label ? r->label[i] == r->label[j] : i == j;
}

/* The negative that goes with anchor i and positive p; M: none. */
static size_t negative(const struct rows *r, size_t i, size_t p, int kind)
{
    size_t near = r->M, far = r->M;
    for (size_t j = 0; j < r->M; j++) {
        double d = distance(r, i, j);
        if (same(r, i, j))
            continue;
        if ((kind == CTR_PAIRS_HARD || d > distance(r, i, p)) &&
            (near == r->M || d < distance(r, i, near)))
            near = j;
        if (far == r->M || d > distance(r, i, far))
            far = j;
    }
    return near < r->M ? near : far;
}

static int farthest(const struct rows *r, size_t i, size_t p)
{
    for (size_t j = 0; j < r->M; j++)
        if (j != i && same(r, i, j) && distance(r, i, j) > distance(r, i, p))
            return 0;
    return 1;
}

/* Adds weight times the gradient of d_ij. */
static void add(double *dz, const struct rows *r, double weight, size_t i, size_t j)
{
    double d = distance(r, i, j);
    for (size_t k = 0; k < r->D; k++) {
        double share = weight * (r->z[i * r->D + k] - r->z[j * r->D + k]) / d;
        dz[i * r->D + k] += share;
        dz[j * r->D + k] -= share;
    }
}

/* Value and slope of what a pair at distance d adds to the loss, and whether it is right. */
static double pair(double *df, int *right, double d, int same, const struct rows *r, double margin,
                   int kind)
{
    if (kind == CTR_PAIRS_MARGIN) {
        double gap = margin - d;
        *right = same ? d < margin / 2 : d >= margin / 2;
        *df = same ? 2 * d : gap > 0 ? -2 * gap : 0;
        return same ? d * d : gap > 0 ? gap * gap : 0;
    }
    double p = 1 / (1 + exp(-(r->line[1] - r->line[0] * d)));
    *right = same ? p > 0.5 : p <= 0.5;
    *df = -r->line[0] * (same ? p - 1 : p);
    return -log(same ? p : 1 - p);
}

/* Value and share that is right; where dz is not NULL also dloss times the gradients, of a loss of
 * `n` same pairs (triplets) and `m` others. */
static void pass(double sum[4], double *dz, double *dline, double dloss, const struct rows *r,
                 double margin, int kind, double n, double m)
{
    for (size_t i = 0; i < r->M; i++)
        for (size_t j = 0; j < r->M; j++) {
            double d = distance(r, i, j);
            if (i == j)
                continue;
            if (kind == CTR_PAIRS_MARGIN || kind == CTR_PAIRS_SIGMOID) {
                int s = same(r, i, j), right;
                double df, f = pair(&df, &right, d, s, r, margin, kind);
                double share = 0.5 / (s ? n : m);
                sum[0] += share * f;
                sum[1] += share * right;
                sum[s ? 2 : 3]++;
                if (dz)
                    add(dz, r, share * dloss * df, i, j);
                if (dz && kind == CTR_PAIRS_SIGMOID) { /* df = -slope df/dt, t = bias - slope d */
                    dline[0] += share * dloss * df * d / r->line[0];
                    dline[1] -= share * dloss * df / r->line[0];
                }
                continue;
            }
            size_t k = same(r, i, j) ? negative(r, i, j, kind) : r->M;
            if (k == r->M || (kind == CTR_PAIRS_HARD && !farthest(r, i, j)))
                continue;
            double f = margin + d - distance(r, i, k);
            sum[0] += fmax(f, 0) / n;
            sum[1] += (d < distance(r, i, k)) / n;
            sum[2]++;
            if (dz && f > 0) {
                add(dz, r, dloss / n, i, j);
                add(dz, r, -dloss / n, i, k);
            }
        }
}

void ref_pairs_fwd(double *loss, double *right, const double *z, const double *label,
                   const double line[2], double margin, int kind, size_t M, size_t N, size_t D)
{
    struct rows r = {z, label, line, M, N, D};
    double count[4] = {0}, sum[4] = {0};
    pass(count, NULL, NULL, 0, &r, margin, kind, 1, 1);
    pass(sum, NULL, NULL, 0, &r, margin, kind, count[2], count[3]);
    if (loss)
        *loss = sum[0];
    if (right)
        *right = sum[1];
}

void ref_pairs_bwd(double *dz, double dline[2], double dloss, const double *z, const double *label,
                   const double line[2], double margin, int kind, size_t M, size_t N, size_t D)
{
    struct rows r = {z, label, line, M, N, D};
    double count[4] = {0}, sum[4] = {0};
    pass(count, NULL, NULL, 0, &r, margin, kind, 1, 1);
    pass(sum, dz, dline, dloss, &r, margin, kind, count[2], count[3]);
}
