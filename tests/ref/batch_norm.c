/* batch_norm.c -- normalisation per channel over rows, in double. */
#include <math.h>

#include "ref/ref.h"

static void channel_stats(double *mean, double *var, const double *x, size_t c, size_t rows,
                          size_t C)
{
    *mean = *var = 0;
    for (size_t r = 0; r < rows; r++)
        *mean += x[r * C + c] / (double)rows;
    for (size_t r = 0; r < rows; r++)
        *var += (x[r * C + c] - *mean) * (x[r * C + c] - *mean) / (double)rows;
}

void ref_batch_norm_stats(double *mean, double *var, const double *x, size_t rows, size_t C)
{
    for (size_t c = 0; c < C; c++)
        channel_stats(&mean[c], &var[c], x, c, rows, C);
}

static void used_stats(double *mean, double *invstd, const double *x, size_t c,
                       const struct ref_batch_norm *p)
{
    double var;
    if (p->mean) {
        *mean = p->mean[c];
        var = p->var[c];
    } else {
        channel_stats(mean, &var, x, c, p->rows, p->C);
    }
    *invstd = 1 / sqrt(var + p->eps);
}

static double before_relu(const double *x, size_t i, double mean, double invstd,
                          const struct ref_batch_norm *p)
{
    double v = (x[i] - mean) * invstd * p->gamma[i % p->C] + p->beta[i % p->C];
    return p->residual ? v + p->residual[i] : v;
}

void ref_batch_norm_fwd(double *y, const double *x, const struct ref_batch_norm *p)
{
    for (size_t c = 0; c < p->C; c++) {
        double mean, invstd;
        used_stats(&mean, &invstd, x, c, p);
        for (size_t i = c; i < p->rows * p->C; i += p->C) {
            double v = before_relu(x, i, mean, invstd, p);
            y[i] = p->relu && v < 0 ? 0 : v;
        }
    }
}

void ref_batch_norm_bwd(double *dx, double *dgamma, double *dbeta, double *dresidual,
                        const double *dy, const double *x, const struct ref_batch_norm *p)
{
    for (size_t c = 0; c < p->C; c++) {
        double mean, invstd, sum = 0, dot = 0, n = (double)p->rows;
        used_stats(&mean, &invstd, x, c, p);
        for (int pass = 0; pass < 2; pass++)
            for (size_t i = c; i < p->rows * p->C; i += p->C) {
                double xhat = (x[i] - mean) * invstd;
                int open = !p->relu || before_relu(x, i, mean, invstd, p) > 0;
                double g = open ? dy[i] : 0;
                if (pass == 0) {
                    sum += g;
                    dot += g * xhat;
                } else {
                    double through_stats = p->mean ? 0 : (sum + xhat * dot) / n;
                    if (dx)
                        dx[i] += p->gamma[c] * invstd * (g - through_stats);
                    if (dresidual)
                        dresidual[i] += g;
                }
            }
        if (dgamma)
            dgamma[c] += dot;
        if (dbeta)
            dbeta[c] += sum;
    }
}
