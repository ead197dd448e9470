/* sinkhorn.c -- e^(s / eps) of each N rows, columns and rows by turns brought to equal sums, in double. */
#include <math.h>

#include "ref/ref.h"

static void one(double *q, const double *s, double eps, unsigned rounds, size_t N, size_t K)
{
    for (size_t i = 0; i < N * K; i++)
        q[i] = exp(s[i] / eps);
    for (unsigned t = 0; t < rounds; t++) {
        for (size_t k = 0; k < K; k++) {
            double sum = 0;
            for (size_t i = 0; i < N; i++)
                sum += q[i * K + k];
            for (size_t i = 0; i < N; i++)
                q[i * K + k] *= (double)N / (double)K / sum;
        }
        for (size_t i = 0; i < N; i++) {
            double sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += q[i * K + k];
            for (size_t k = 0; k < K; k++)
                q[i * K + k] /= sum;
        }
    }
}

void ref_sinkhorn(double *q, const double *s, double eps, unsigned rounds, size_t M, size_t N,
                  size_t K)
{
    for (size_t i = 0; i < M; i += N)
        one(q + i * K, s + i * K, eps, rounds, N, K);
}
