/* sigmoid.c -- y = 1 / (1 + e^-x), in double. */
#include <math.h>

#include "ref/ref.h"

void ref_sigmoid_fwd(double *y, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = 1 / (1 + exp(-x[i]));
}

void ref_sigmoid_bwd(double *dx, const double *dy, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] += dy[i] / ((1 + exp(-x[i])) * (1 + exp(x[i])));
}
