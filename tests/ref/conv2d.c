/* conv2d.c -- convolution (cross-correlation, as in PyTorch) and its gradients, in double. */
#include "ref/ref.h"

/* Channels of a group. */
static size_t depth(const struct ref_conv2d *c)
{
    return c->C / c->groups;
}

/* Index of the x value under tap (r, s) of output (n, p, q, k), first channel of its group; -1 in the
 * padding. */
static long source(const struct ref_conv2d *c, size_t n, size_t p, size_t q, size_t k, size_t r,
                   size_t s)
{
    long y = (long)(p * c->stride + r) - (long)c->pad, x = (long)(q * c->stride + s) - (long)c->pad;
    if (y < 0 || x < 0 || y >= (long)c->H || x >= (long)c->W)
        return -1;
    size_t first = k / (c->K / c->groups) * depth(c);
    return (((long)n * (long)c->H + y) * (long)c->W + x) * (long)c->C + (long)first;
}

/* One output before the ReLU. */
static double output(const double *x, const double *w, const double *b, const struct ref_conv2d *c,
                     size_t n, size_t p, size_t q, size_t k)
{
    double sum = b ? b[k] : 0;
    for (size_t r = 0; r < c->R; r++)
        for (size_t s = 0; s < c->S; s++) {
            long at = source(c, n, p, q, k, r, s);
            for (size_t i = 0; at >= 0 && i < depth(c); i++)
                sum += x[(size_t)at + i] * w[((k * depth(c) + i) * c->R + r) * c->S + s];
        }
    return sum;
}

/* Where y[n,p,q,k] comes from in the map before pooling (*p, *q are moved there: to the first
 * largest of its window), and that value before the ReLU. */
static double chosen(size_t *p, size_t *q, const double *x, const double *w, const double *b,
                     const struct ref_conv2d *c, size_t n, size_t k)
{
    if (!c->pool)
        return output(x, w, b, c, n, *p, *q, k);
    size_t at_p = *p * 2, at_q = *q * 2;
    double best = output(x, w, b, c, n, at_p, at_q, k);
    for (size_t i = 1; i < 4; i++) {
        double v = output(x, w, b, c, n, *p * 2 + i / 2, *q * 2 + i % 2, k);
        if (v > best) {
            best = v;
            at_p = *p * 2 + i / 2;
            at_q = *q * 2 + i % 2;
        }
    }
    *p = at_p;
    *q = at_q;
    return best;
}

void ref_conv2d_fwd(double *y, const double *x, const double *w, const double *b,
                    const struct ref_conv2d *c)
{
    size_t P = c->pool ? c->P / 2 : c->P, Q = c->pool ? c->Q / 2 : c->Q;
    for (size_t i = 0; i < c->N * P * Q * c->K; i++) {
        size_t q = i / c->K % Q, p = i / c->K / Q % P;
        double v = chosen(&p, &q, x, w, b, c, i / c->K / Q / P, i % c->K);
        y[i] = c->relu && v < 0 ? 0 : v;
    }
}

/* Adds what one output's gradient g gives to dx and dw. */
static void spread(double *dx, double *dw, double g, const double *x, const double *w,
                   const struct ref_conv2d *c, size_t n, size_t p, size_t q, size_t k)
{
    for (size_t r = 0; r < c->R; r++)
        for (size_t s = 0; s < c->S; s++) {
            long at = source(c, n, p, q, k, r, s);
            for (size_t i = 0; at >= 0 && i < depth(c); i++) {
                size_t tap = ((k * depth(c) + i) * c->R + r) * c->S + s;
                if (dx)
                    dx[(size_t)at + i] += g * w[tap];
                if (dw)
                    dw[tap] += g * x[(size_t)at + i];
            }
        }
}

void ref_conv2d_bwd(double *dx, double *dw, double *db, const double *dy, const double *x,
                    const double *w, const double *b, const struct ref_conv2d *c)
{
    size_t P = c->pool ? c->P / 2 : c->P, Q = c->pool ? c->Q / 2 : c->Q;
    for (size_t i = 0; i < c->N * P * Q * c->K; i++) {
        size_t q = i / c->K % Q, p = i / c->K / Q % P, n = i / c->K / Q / P, k = i % c->K;
        if (chosen(&p, &q, x, w, b, c, n, k) <= 0 && c->relu)
            continue;
        if (db)
            db[k] += dy[i];
        spread(dx, dw, dy[i], x, w, c, n, p, q, k);
    }
}
