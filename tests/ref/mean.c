/* mean.c -- offset + scale * mean(x) in double. */
#include "ref/ref.h"

void ref_mean_fwd(double *y, const double *x, double scale, double offset, size_t n)
{
    *y = offset;
    for (size_t i = 0; i < n; i++)
        *y += scale * x[i] / (double)n;
}

void ref_mean_bwd(double *dx, double dy, double scale, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dx[i] += dy * scale / (double)n;
}
