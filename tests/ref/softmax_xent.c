/* softmax_xent.c -- -mean_n sum_k t_nk (x_nk - log sum_k e^x_nk), t_nk = (1 - smoothing) [k == label_n] +
 * smoothing / K, in double. */
#include <math.h>

#include "ref/ref.h"

static double log_sum_exp(const double *x, size_t K)
{
    double top = x[0], sum = 0;
    for (size_t k = 1; k < K; k++)
        top = fmax(top, x[k]);
    for (size_t k = 0; k < K; k++)
        sum += exp(x[k] - top);
    return top + log(sum);
}

static double target(size_t k, double label, double smoothing, size_t K)
{
    return (1 - smoothing) * (k == (size_t)label) + smoothing / (double)K;
}

void ref_softmax_xent_fwd(double *loss, const double *x, const double *label, double smoothing, size_t N,
                          size_t K)
{
    *loss = 0;
    for (size_t n = 0; n < N; n++) {
        double lse = log_sum_exp(x + n * K, K);
        for (size_t k = 0; k < K; k++)
            *loss -= target(k, label[n], smoothing, K) * (x[n * K + k] - lse) / (double)N;
    }
}

void ref_softmax_xent_bwd(double *dx, double dloss, const double *x, const double *label,
                          double smoothing, size_t N, size_t K)
{
    for (size_t n = 0; n < N; n++) {
        double lse = log_sum_exp(x + n * K, K);
        for (size_t k = 0; k < K; k++)
            dx[n * K + k] += dloss / (double)N *
                             (exp(x[n * K + k] - lse) - target(k, label[n], smoothing, K));
    }
}

void ref_softmax_xent_accuracy(double *share, const double *x, const double *label, size_t N,
                               size_t K)
{
    *share = 0;
    for (size_t n = 0; n < N; n++) {
        size_t best = 0;
        for (size_t k = 1; k < K; k++)
            best = x[n * K + k] > x[n * K + best] ? k : best;
        *share += (best == (size_t)label[n]) / (double)N;
    }
}
