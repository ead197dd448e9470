/* dense.c -- y = relu(x w^T + b), in double. */
#include "ref/ref.h"

static double one(const double *x, const double *w, const double *b, size_t n, size_t o, size_t I)
{
    double sum = b ? b[o] : 0;
    for (size_t i = 0; i < I; i++)
        sum += x[n * I + i] * w[o * I + i];
    return sum;
}

void ref_dense_fwd(double *y, const double *x, const double *w, const double *b, int relu, size_t N,
                   size_t I, size_t O)
{
    for (size_t n = 0; n < N; n++)
        for (size_t o = 0; o < O; o++) {
            double v = one(x, w, b, n, o, I);
            y[n * O + o] = relu && v < 0 ? 0 : v;
        }
}

void ref_dense_bwd(double *dx, double *dw, double *db, const double *dy, const double *x,
                   const double *w, const double *b, int relu, size_t N, size_t I, size_t O)
{
    for (size_t n = 0; n < N; n++)
        for (size_t o = 0; o < O; o++) {
            double g = dy[n * O + o];
            if (relu && one(x, w, b, n, o, I) <= 0)
                continue;
            for (size_t i = 0; i < I; i++) {
                if (dx)
                    dx[n * I + i] += g * w[o * I + i];
                if (dw)
                    dw[o * I + i] += g * x[n * I + i];
            }
            if (db)
                db[o] += g;
        }
}
