/* pairs.c -- losses over pairs of rows of z[M,D] in double. kind: enum ctr_pairs_kind. */
#include <math.h>

#include "op/op.h"
#include "ref/ref.h"

struct rows {
    const double *z, *label;
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

/* Value and share that is right; where dz is not NULL also dloss times the gradient, of a loss of
 * `n` same pairs (triplets) and `m` others. */
static void pass(double sum[4], double *dz, double dloss, const struct rows *r, double margin,
                 int kind, double n, double m)
{
    for (size_t i = 0; i < r->M; i++)
        for (size_t j = 0; j < r->M; j++) {
            double d = distance(r, i, j), gap = margin - d;
            if (i == j)
                continue;
            if (kind == CTR_PAIRS_MARGIN) {
                int s = same(r, i, j);
                double f = s ? d * d : gap > 0 ? gap * gap : 0;
                double df = s ? 2 * d : gap > 0 ? -2 * gap : 0;
                sum[0] += 0.5 * f / (s ? n : m);
                sum[1] += 0.5 * (s ? d < margin / 2 : d >= margin / 2) / (s ? n : m);
                sum[s ? 2 : 3]++;
                if (dz)
                    add(dz, r, 0.5 * dloss * df / (s ? n : m), i, j);
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

void ref_pairs_fwd(double *loss, double *right, const double *z, const double *label, double margin,
                   int kind, size_t M, size_t N, size_t D)
{
    struct rows r = {z, label, M, N, D};
    double count[4] = {0}, sum[4] = {0};
    pass(count, NULL, 0, &r, margin, kind, 1, 1);
    pass(sum, NULL, 0, &r, margin, kind, count[2], count[3]);
    if (loss)
        *loss = sum[0];
    if (right)
        *right = sum[1];
}

void ref_pairs_bwd(double *dz, double dloss, const double *z, const double *label, double margin,
                   int kind, size_t M, size_t N, size_t D)
{
    struct rows r = {z, label, M, N, D};
    double count[4] = {0}, sum[4] = {0};
    pass(count, NULL, 0, &r, margin, kind, 1, 1);
    pass(sum, dz, dloss, &r, margin, kind, count[2], count[3]);
}
