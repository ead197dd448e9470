/* Cases of dense: in0 = x[N,I], in1 = w[O,I], in2 = b[O] (attr[1]); attr[0] = relu. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_dense(g, in[0], in[1], c->n_in > 2 ? in[2] : NULL, (int)c->attr[0]);
}

static size_t inner(const struct opcase *c)
{
    return c->in[1].dim[1];
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_dense_fwd(y, x[0], x[1], c->n_in > 2 ? x[2] : NULL, (int)c->attr[0], c->in[0].dim[0],
                  inner(c), c->in[1].dim[0]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    int b = c->n_in > 2;
    ref_dense_bwd(dx[0], dx[1], b ? dx[2] : NULL, dy, x[0], x[1], b ? x[2] : NULL, (int)c->attr[0],
                  c->in[0].dim[0], inner(c), c->in[1].dim[0]);
}

/* A value within rounding of the kink would be masked differently: inputs are scaled such that this
 * has not happened; the draw is fixed. */
#define CASE(N, I, O, with_relu, bias)                                                             \
    {                                                                                              \
        .name = "dense " #N "x" #I "x" #O " relu " #with_relu " bias " #bias, .n_in = 2 + (bias),  \
        .build = build, .fwd = fwd, .bwd = bwd, .attr = {with_relu}, .tol = 2e-6,                  \
        .grad_tol = 2e-6,                                                                          \
        .in = {{.rank = 2, .dim = {N, I}, .grad = 1},                                              \
               {.rank = 2, .dim = {O, I}, .grad = 1},                                              \
               {.rank = 1, .dim = {O}, .grad = 1}},                                                \
    }

const struct opcase opcases_dense[] = {
    CASE(1, 1, 1, 0, 1),
    CASE(2, 3, 5, 1, 1),
    CASE(31, 33, 32, 1, 1),
    CASE(33, 31, 63, 0, 0),
    CASE(65, 32, 31, 1, 0),
    CASE(9, 64, 65, 0, 1),
    CASE(8, 5000, 10, 0, 1),  /* long sums over few outputs: split */
    CASE(3000, 40, 10, 1, 1), /* the same for dw */
    CASE(37, 76, 44, 1, 1), /* several tiles and pieces of matrix units, none full */
    CASE(128, 512, 128, 1, 1),
    CASE(256, 5, 225, 1, 1), /* wide enough for work-items that pack their own panels: y, */
    CASE(128, 481, 3, 0, 1), /* dx */
    CASE(3, 481, 130, 1, 0), /* and dw */
    {.name = "dense, x of rank 4",
     .n_in = 3,
     .build = build,
     .fwd = fwd,
     .bwd = bwd,
     .attr = {1},
     .tol = 2e-6,
     .grad_tol = 2e-6,
     .in = {{.rank = 4, .dim = {5, 3, 3, 7}, .grad = 1},
            {.rank = 2, .dim = {12, 63}, .grad = 1},
            {.rank = 1, .dim = {12}, .grad = 1}}},
    {.name = "dense, frozen weights",
     .n_in = 3,
     .build = build,
     .fwd = fwd,
     .bwd = bwd,
     .tol = 2e-6,
     .grad_tol = 2e-6,
     .in = {{.rank = 2, .dim = {17, 20}, .grad = 1},
            {.rank = 2, .dim = {6, 20}},
            {.rank = 1, .dim = {6}}}},
    {.name = "dense, only the weights",
     .n_in = 2,
     .build = build,
     .fwd = fwd,
     .bwd = bwd,
     .attr = {1},
     .tol = 2e-6,
     .grad_tol = 2e-6,
     .in = {{.rank = 2, .dim = {17, 20}}, {.rank = 2, .dim = {6, 20}, .grad = 1}}},
    {0},
};
