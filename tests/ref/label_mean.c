/* label_mean.c -- the mean of the other rows with the same label, in double. */
#include "ref/ref.h"

void ref_label_mean(double *y, const double *x, const double *label, size_t M, size_t N, size_t D)
{
    for (size_t i = 0; i < M; i++) {
        size_t others = 0;
        for (size_t j = 0; j < M; j++)
            others += j != i && label[j % N] == label[i % N];
        for (size_t j = 0; j < M; j++)
            for (size_t d = 0; d < D && j != i && label[j % N] == label[i % N]; d++)
                y[i * D + d] += x[j * D + d] / (double)others;
    }
}
