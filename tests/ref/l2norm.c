/* l2norm.c -- y = x / sqrt(sum x^2 + 1e-12) for each row, in double. */
#include <math.h>

#include "ref/ref.h"

static double inverse_length(const double *x, size_t D)
{
    double sum = 1e-12f;
    for (size_t d = 0; d < D; d++)
        sum += x[d] * x[d];
    return 1 / sqrt(sum);
}

void ref_l2norm_fwd(double *y, const double *x, size_t N, size_t D)
{
    for (size_t n = 0; n < N; n++)
        for (size_t d = 0; d < D; d++)
            y[n * D + d] = x[n * D + d] * inverse_length(x + n * D, D);
}

void ref_l2norm_bwd(double *dx, const double *dy, const double *x, size_t N, size_t D)
{
    for (size_t n = 0; n < N; n++) {
        double r = inverse_length(x + n * D, D), dot = 0;
        for (size_t d = 0; d < D; d++)
            dot += dy[n * D + d] * x[n * D + d];
        for (size_t d = 0; d < D; d++)
            dx[n * D + d] += r * dy[n * D + d] - r * r * r * dot * x[n * D + d];
    }
}
