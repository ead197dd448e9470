/* Cases of lse: rows of length about one (uniform in +-sqrt(3 / D)), scales from the coldest to the
 * hottest in use; against themselves without themselves or all their views, against others, with
 * all and with one left out. At scale 100 an error of 1e-7 in a product is one of 1e-5 in its
 * exponential. tests/op/losses.c has the sizes that a dense reference cannot reach. */
#include <stdlib.h>

#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_lse(g, in[0], in[c->n_in - 1], (float)c->attr[0], (size_t)c->attr[1], NULL);
}

static ctr_tensor *build_top(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    ctr_tensor *top = NULL;
    ctr_lse(g, in[0], in[c->n_in - 1], (float)c->attr[0], (size_t)c->attr[1], &top);
    return top;
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    const struct opcase_in *b = &c->in[c->n_in - 1];
    ref_lse_fwd(y, x[0], x[c->n_in - 1], (float)c->attr[0], (size_t)c->attr[1], c->in[0].dim[0],
                b->dim[0], b->dim[1]);
}

static void top(double *y, const double *const *x, const struct opcase *c)
{
    const struct opcase_in *b = &c->in[c->n_in - 1];
    ref_lse_top(y, x[0], x[c->n_in - 1], (float)c->attr[0], (size_t)c->attr[1], c->in[0].dim[0],
                b->dim[0], b->dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    const struct opcase_in *b = &c->in[c->n_in - 1];
    double *lse = calloc(c->in[0].dim[0], sizeof *lse);
    fwd(lse, x, c);
    ref_lse_bwd(dx[0], dx[c->n_in - 1], dy, lse, x[0], x[c->n_in - 1], (float)c->attr[0],
                (size_t)c->attr[1], c->in[0].dim[0], b->dim[0], b->dim[1]);
    free(lse);
}

#define SELF(M, D, scale, period, length, tolerance)                                               \
    {                                                                                              \
        .name = "lse " #M " x " #D " of themselves but " #period ", scale " #scale, .n_in = 1,     \
        .build = build, .fwd = fwd, .bwd = bwd, .tol = tolerance, .grad_tol = tolerance,           \
        .attr = {scale, period},                                                                   \
        .in = {{.rank = 2, .dim = {M, D}, .lo = -length, .hi = length, .grad = 1}},                \
    }
#define KEYS(M, K, D, scale, period, length, keys_grad, tolerance)                                 \
    {                                                                                              \
        .name = "lse " #M " of " #K " x " #D " but " #period ", scale " #scale, .n_in = 2,         \
        .build = build, .fwd = fwd, .bwd = bwd, .tol = tolerance, .grad_tol = tolerance,           \
        .attr = {scale, period},                                                                   \
        .in = {{.rank = 2, .dim = {M, D}, .lo = -length, .hi = length, .grad = 1},                 \
               {.rank = 2, .dim = {K, D}, .lo = -length, .hi = length, .grad = keys_grad}},        \
    }
#define TOP(M, K, D, scale, period)                                                                \
    {                                                                                              \
        .name = "lse top " #M " of " #K " x " #D " but " #period, .n_in = 2, .build = build_top,   \
        .fwd = top, .attr = {scale, period},                                                       \
        .in = {{.rank = 2, .dim = {M, D}}, {.rank = 2, .dim = {K, D}}},                            \
    }

const struct opcase opcases_lse[] = {
    SELF(1, 1, 2, 0, 1, 1e-6),
    SELF(2, 130, 10, 2, 0.15, 1e-6),
    SELF(4, 3, 100, 2, 1, 1e-5),
    SELF(6, 2, 10, 3, 1, 1e-6),
    SELF(32, 16, 0.1, 16, 0.43, 1e-6),
    SELF(34, 31, 2, 17, 0.31, 1e-6),
    SELF(62, 33, 5, 31, 0.3, 1e-6),
    SELF(64, 128, 14, 32, 0.15, 1e-6),
    SELF(66, 64, 2, 66, 0.22, 1e-6),
    SELF(126, 65, 10, 42, 0.21, 1e-6),
    SELF(130, 130, 100, 65, 0.15, 1e-5),
    SELF(130, 200, 2, 65, 0.12, 1e-6),
    SELF(129, 128, 5, 0, 0.15, 1e-6),
    SELF(512, 128, 2, 256, 0.15, 1e-6),
    KEYS(1, 1, 1, 1, 0, 1, 1, 1e-6),
    KEYS(1, 65, 3, 5, 0, 1, 1, 1e-6),
    KEYS(65, 2, 31, 10, 0, 0.31, 1, 1e-6),
    KEYS(33, 63, 17, 5, 0, 0.4, 1, 1e-6),
    KEYS(63, 63, 33, 10, 63, 0.3, 1, 1e-6),
    KEYS(130, 65, 130, 2, 65, 0.15, 1, 1e-6),
    KEYS(31, 300, 20, 14, 0, 0.38, 0, 1e-6),
    KEYS(128, 4096, 128, 5, 0, 0.15, 0, 1e-6),
    TOP(1, 1, 1, 2, 0),
    TOP(65, 65, 5, 3, 65),
    TOP(33, 200, 31, 0.5, 0),
    {0},
};
