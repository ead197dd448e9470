/* Cases of similarity. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_similarity(g, in[0], in[1], (float)c->attr[0]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_similarity_fwd(y, x[0], x[1], (float)c->attr[0], c->in[0].dim[0], c->in[1].dim[0],
                       c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_similarity_bwd(dx[0], dx[1], dy, x[0], x[1], (float)c->attr[0], c->in[0].dim[0],
                       c->in[1].dim[0], c->in[0].dim[1]);
}

#define CASE(A, B, D, scale)                                                                       \
    {                                                                                              \
        .name = "similarity " #A " x " #B " x " #D, .n_in = 2, .build = build, .fwd = fwd,         \
        .bwd = bwd, .attr = {scale},                                                               \
        .in = {{.rank = 2, .dim = {A, D}, .grad = 1}, {.rank = 2, .dim = {B, D}, .grad = 1}},      \
    }

const struct opcase opcases_similarity[] = {
    CASE(1, 1, 1, 1), CASE(2, 31, 5, 10), CASE(33, 32, 31, 0.5), CASE(65, 63, 130, 1), {0},
};
