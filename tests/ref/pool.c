/* pool.c -- max and average pooling of [N,H,W,C], in double. */
#include <math.h>

#include "ref/ref.h"

/* Walks the windows; forward when dy is NULL, else adds to dx. */
static void walk(double *y, double *dx, const double *dy, const double *x, const struct ref_pool *p)
{
    size_t P = (p->H + 2 * p->pad - p->size) / p->stride + 1;
    size_t Q = (p->W + 2 * p->pad - p->size) / p->stride + 1;
    double area = (double)(p->size * p->size);
    for (size_t o = 0; o < p->N * P * Q * p->C; o++) {
        size_t c = o % p->C, q = o / p->C % Q, r = o / p->C / Q % P, n = o / p->C / Q / P;
        double best = -INFINITY, sum = 0;
        size_t best_at = 0;
        for (size_t k = 0; k < p->size * p->size; k++) {
            size_t h = r * p->stride + k / p->size, w = q * p->stride + k % p->size;
            if (h < p->pad || w < p->pad || h - p->pad >= p->H || w - p->pad >= p->W)
                continue;
            size_t at = ((n * p->H + h - p->pad) * p->W + w - p->pad) * p->C + c;
            sum += x[at];
            if (dx && !p->max)
                dx[at] += dy[o] / area;
            if (x[at] > best) {
                best = x[at];
                best_at = at;
            }
        }
        if (y)
            y[o] = p->max ? best : sum / area;
        if (dx && p->max)
            dx[best_at] += dy[o];
    }
}

void ref_pool_fwd(double *y, const double *x, const struct ref_pool *p)
{
    walk(y, NULL, NULL, x, p);
}

void ref_pool_bwd(double *dx, const double *dy, const double *x, const struct ref_pool *p)
{
    walk(NULL, dx, dy, x, p);
}
