/* contrast.c -- contrastive losses of rows in double. p: as for ctr_contrast. */
#include <math.h>

#include "op/op.h"
#include "ref/ref.h"

static double weight(const double *pos, const struct ctr_contrast *p, size_t M, size_t i)
{
    double sum = 0, a = 1 / ((double)p->scale * (double)p->sigma);
    for (size_t k = 0; k < M; k++)
        sum += exp(a * (pos[k] - pos[i]));
    return 2 - (double)M / sum;
}

/* N'_g of the debiased loss over e^pos, and whether it is its floor. */
static double negatives(int *floored, double pos, double neg, const struct ctr_contrast *p)
{
    double prior = p->prior, n = p->n;
    double own = (exp(neg - pos) - prior * n) / (1 - prior);
    double least = n * exp(-(double)p->scale - pos);
    *floored = own < least;
    return fmax(own, least);
}

void ref_contrast_fwd(double *loss, const double *pos, const double *neg,
                      const struct ctr_contrast *p, size_t M)
{
    for (size_t i = 0; i < M; i++) {
        double x = neg[i] - pos[i];
        int floored;
        if (p->kind == CTR_CONTRAST_NTXENT)
            x = x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
        if (p->kind == CTR_CONTRAST_WEIGHTED)
            x = neg[i] - weight(pos, p, M, i) * pos[i];
        if (p->kind == CTR_CONTRAST_DEBIASED)
            x = log1p(negatives(&floored, pos[i], neg[i], p));
        *loss += x / (double)M;
    }
}

void ref_contrast_bwd(double *dpos, double *dneg, double dloss, const double *pos,
                      const double *neg, const struct ctr_contrast *p, size_t M)
{
    for (size_t i = 0; i < M; i++) {
        double g = dloss / (double)M, dp = g, dn = g, odds = exp(neg[i] - pos[i]);
        int floored;
        if (p->kind == CTR_CONTRAST_NTXENT)
            dp = dn = g * odds / (1 + odds);
        if (p->kind == CTR_CONTRAST_WEIGHTED)
            dp = g * weight(pos, p, M, i);
        if (p->kind == CTR_CONTRAST_DEBIASED) {
            double N = negatives(&floored, pos[i], neg[i], p);
            dn = floored ? 0 : g * odds / (1 - (double)p->prior) / (1 + N);
            dp = floored ? g * N / (1 + N) : dn;
        }
        if (dpos)
            dpos[i] -= dp;
        if (dneg)
            dneg[i] += dn;
    }
}

void ref_contrast_nearest(double *share, const double *pos, const double *top, size_t M)
{
    for (size_t i = 0; i < M; i++)
        *share += (pos[i] > top[i]) / (double)M;
}
