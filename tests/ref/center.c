/* center.c -- x less the mean of its group of rows in double: n rows `stride` apart. */
#include "ref/ref.h"

void ref_center(double *y, const double *x, size_t n, size_t stride, size_t M, size_t D)
{
    for (size_t i = 0; i < M; i++) {
        size_t block = i / (n * stride) * n * stride, first = block + i % stride;
        for (size_t d = 0; d < D; d++) {
            double mean = 0;
            for (size_t k = 0; k < n; k++)
                mean += x[(first + k * stride) * D + d] / (double)n;
            y[i * D + d] += x[i * D + d] - mean;
        }
    }
}
