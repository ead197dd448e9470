/* ntxent.c -- NT-Xent in double: mean_i -log(e^s_ip / sum_{k != i} e^s_ik), s = z z^T / T. */
#include <math.h>

#include "ref/ref.h"

static double product(const double *z, size_t D, size_t i, size_t k)
{
    double sum = 0;
    for (size_t d = 0; d < D; d++)
        sum += z[i * D + d] * z[k * D + d];
    return sum;
}

/* log sum_{k != i, p(i)} e^(s_ik - s_ip): the loss of row i is log(1 + e^this). -inf when N is 1.
 */
static double log_odds(const double *z, double T, size_t N, size_t D, size_t i)
{
    size_t M = 2 * N, p = (i + N) % M;
    double top = -INFINITY, sum = 0, pos = product(z, D, i, p) / T;
    for (size_t k = 0; k < M; k++)
        if (k != i && k != p)
            top = fmax(top, product(z, D, i, k) / T);
    for (size_t k = 0; k < M; k++)
        if (k != i && k != p)
            sum += exp(product(z, D, i, k) / T - top);
    return N == 1 ? -INFINITY : log(sum) + top - pos;
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

void ref_ntxent_fwd(double *loss, const double *z, double T, size_t N, size_t D)
{
    *loss = 0;
    for (size_t i = 0; i < 2 * N; i++)
        *loss += softplus(log_odds(z, T, N, D, i)) / (double)(2 * N);
}

void ref_ntxent_bwd(double *dz, double dloss, const double *z, double T, size_t N, size_t D)
{
    size_t M = 2 * N;
    for (size_t i = 0; i < M; i++) {
        size_t p = (i + N) % M;
        double odds = log_odds(z, T, N, D, i), pos = product(z, D, i, p) / T;
        double lse = pos + softplus(odds), miss = 1 / (1 + exp(-odds));
        for (size_t k = 0; k < M; k++) { /* row i's share, in dz_i and in dz_k */
            double P = k == p ? -miss : exp(product(z, D, i, k) / T - lse);
            double w = k == i ? 0 : dloss * P / ((double)M * T);
            for (size_t d = 0; d < D; d++) {
                dz[i * D + d] += w * z[k * D + d];
                dz[k * D + d] += w * z[i * D + d];
            }
        }
    }
}

void ref_ntxent_top1(double *rows, const double *z, size_t N, size_t D)
{
    size_t M = 2 * N;
    for (size_t i = 0; i < M; i++) {
        double top = -INFINITY;
        for (size_t k = 0; k < M; k++)
            if (k != i && k != (i + N) % M)
                top = fmax(top, product(z, D, i, k));
        *rows += product(z, D, i, (i + N) % M) > top;
    }
}

void ref_ntxent_similarity(double *mean, const double *z, size_t N, size_t D)
{
    for (size_t i = 0; i < N; i++)
        *mean += product(z, D, i, i + N) / (double)N;
}
