/* lse.c -- log sum_k e^(scale a_i.b_k) in double, over k with (k - i) no multiple of `period`. */
#include <math.h>

#include "ref/ref.h"

static int counts(size_t i, size_t k, size_t period)
{
    return period == 0 || k % period != i % period;
}

static double product(const double *a, const double *b, size_t D)
{
    double sum = 0;
    for (size_t d = 0; d < D; d++)
        sum += a[d] * b[d];
    return sum;
}

void ref_lse_top(double *top, const double *a, const double *b, double scale, size_t period,
                 size_t M, size_t K, size_t D)
{
    for (size_t i = 0; i < M; i++) {
        top[i] = -1e30;
        for (size_t k = 0; k < K; k++)
            if (counts(i, k, period))
                top[i] = fmax(top[i], scale * product(a + i * D, b + k * D, D));
    }
}

void ref_lse_fwd(double *lse, const double *a, const double *b, double scale, size_t period,
                 size_t M, size_t K, size_t D)
{
    ref_lse_top(lse, a, b, scale, period, M, K, D);
    for (size_t i = 0; i < M; i++) {
        double sum = 0, top = lse[i];
        for (size_t k = 0; k < K; k++)
            if (counts(i, k, period))
                sum += exp(scale * product(a + i * D, b + k * D, D) - top);
        lse[i] = sum > 0 ? top + log(sum) : -1e30;
    }
}

void ref_lse_bwd(double *da, double *db, const double *dlse, const double *lse, const double *a,
                 const double *b, double scale, size_t period, size_t M, size_t K, size_t D)
{
    for (size_t i = 0; i < M; i++)
        for (size_t k = 0; k < K; k++) {
            double w = scale * dlse[i] * exp(scale * product(a + i * D, b + k * D, D) - lse[i]);
            for (size_t d = 0; d < D && counts(i, k, period); d++) {
                if (da)
                    da[i * D + d] += w * b[k * D + d];
                if (db)
                    db[k * D + d] += w * a[i * D + d];
            }
        }
}
