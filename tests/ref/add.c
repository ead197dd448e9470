/* add.c -- y = a + b, then max(., 0) if `relu`, in double. */
#include "ref/ref.h"

void ref_add_fwd(double *y, const double *a, const double *b, int relu, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = relu && a[i] + b[i] < 0 ? 0 : a[i] + b[i];
}

void ref_add_bwd(double *da, double *db, const double *dy, const double *a, const double *b,
                 int relu, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double d = relu && a[i] + b[i] <= 0 ? 0 : dy[i];
        if (da)
            da[i] += d;
        if (db)
            db[i] += d;
    }
}
