/* take_rows.c -- rows [first, first + n) of `row` values each, in double. */
#include "ref/ref.h"

void ref_take_rows_fwd(double *y, const double *x, size_t first, size_t n, size_t row)
{
    for (size_t i = 0; i < n * row; i++)
        y[i] = x[first * row + i];
}

void ref_take_rows_bwd(double *dx, const double *dy, size_t first, size_t n, size_t row)
{
    for (size_t i = 0; i < n * row; i++)
        dx[first * row + i] += dy[i];
}
