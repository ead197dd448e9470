/* row_dot.c -- products of rows in double. */
#include "ref/ref.h"

void ref_row_dot_fwd(double *y, const double *a, const double *b, double scale, size_t shift,
                     size_t M, size_t K, size_t D)
{
    for (size_t i = 0; i < M; i++)
        for (size_t d = 0; d < D; d++)
            y[i] += scale * a[i * D + d] * b[(i + shift) % K * D + d];
}

void ref_row_dot_bwd(double *da, double *db, const double *dy, const double *a, const double *b,
                     double scale, size_t shift, size_t M, size_t K, size_t D)
{
    for (size_t i = 0; i < M; i++)
        for (size_t d = 0; d < D; d++) {
            size_t x = i * D + d, y = (i + shift) % K * D + d;
            if (da)
                da[x] += scale * dy[i] * b[y];
            if (db)
                db[y] += scale * dy[i] * a[x];
        }
}
