/* take_nearest.c -- the row of keys with the largest score. */
#include "ref/ref.h"

void ref_take_nearest(double *y, const double *s, const double *keys, size_t M, size_t K, size_t D)
{
    for (size_t i = 0; i < M; i++) {
        size_t best = 0;
        for (size_t k = 1; k < K; k++)
            if (s[i * K + k] > s[i * K + best])
                best = k;
        for (size_t d = 0; d < D; d++)
            y[i * D + d] = keys[best * D + d];
    }
}
