/* decorrelate.c -- diagonal * sum f(c_ii) + off * sum of the squares of the others, in double. */
#include <math.h>

#include "op/op.h"
#include "ref/ref.h"

void ref_decorrelate_fwd(double *loss, const double *c, int kind, double diagonal, double off,
                         size_t D)
{
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < D; j++) {
            double x = c[i * D + j];
            if (i != j)
                *loss += off * x * x;
            else if (kind == CTR_DECORRELATE_UNIT)
                *loss += diagonal * (1 - x) * (1 - x);
            else
                *loss += diagonal * fmax(1 - sqrt(fmax(x, 0) + 1e-4), 0);
        }
}

void ref_decorrelate_bwd(double *dc, double dloss, const double *c, int kind, double diagonal,
                         double off, size_t D)
{
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < D; j++) {
            double x = c[i * D + j], s = sqrt(fmax(x, 0) + 1e-4), d = 0;
            if (i != j)
                d = 2 * off * x;
            else if (kind == CTR_DECORRELATE_UNIT)
                d = -2 * diagonal * (1 - x);
            else if (s < 1 && x > 0)
                d = -0.5 * diagonal / s;
            dc[i * D + j] += dloss * d;
        }
}
