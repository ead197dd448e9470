/* contrast.c -- contrastive losses of rows in double. kind: enum ctr_contrast_kind. */
#include <math.h>

#include "op/op.h"
#include "ref/ref.h"

void ref_contrast_fwd(double *loss, const double *pos, const double *neg, int kind, size_t M)
{
    for (size_t i = 0; i < M; i++) {
        double x = neg[i] - pos[i];
        if (kind == CTR_CONTRAST_NTXENT)
            x = x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
        *loss += x / (double)M;
    }
}

void ref_contrast_bwd(double *dpos, double *dneg, double dloss, const double *pos,
                      const double *neg, int kind, size_t M)
{
    for (size_t i = 0; i < M; i++) {
        double w = dloss / (double)M;
        if (kind == CTR_CONTRAST_NTXENT)
            w /= 1 + exp(pos[i] - neg[i]);
        if (dpos)
            dpos[i] -= w;
        if (dneg)
            dneg[i] += w;
    }
}

void ref_contrast_nearest(double *share, const double *pos, const double *top, size_t M)
{
    for (size_t i = 0; i < M; i++)
        *share += (pos[i] > top[i]) / (double)M;
}
