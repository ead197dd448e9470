/* bias.c -- y[rows][C] = x + b[C], in double. */
#include "ref/ref.h"

void ref_bias_fwd(double *y, const double *x, const double *b, size_t rows, size_t C)
{
    for (size_t i = 0; i < rows * C; i++)
        y[i] = x[i] + b[i % C];
}

void ref_bias_bwd(double *dx, double *db, const double *dy, size_t rows, size_t C)
{
    for (size_t i = 0; i < rows * C; i++) {
        dx[i] += dy[i];
        db[i % C] += dy[i];
    }
}
