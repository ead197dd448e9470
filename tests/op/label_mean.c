/* Cases of label_mean: one view and two, labels that all, some and no other rows have. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_label_mean(g, in[0], in[1]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_label_mean(y, x[0], x[1], c->in[0].dim[0], c->in[1].dim[0], c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_label_mean(dx[0], dy, x[1], c->in[0].dim[0], c->in[1].dim[0], c->in[0].dim[1]);
}

#define CASE(V, N, D, classes)                                                                     \
    {                                                                                              \
        .name = "label_mean " #V " views of " #N " x " #D ", " #classes " classes", .n_in = 2,     \
        .build = build, .fwd = fwd, .bwd = bwd,                                                    \
        .in = {{.rank = 2, .dim = {V * N, D}, .grad = 1},                                          \
               {.rank = 1, .dim = {N}, .dtype = CTR_I32, .lo = 0, .hi = classes}},                 \
    }

const struct opcase opcases_label_mean[] = {
    CASE(1, 1, 1, 1),    CASE(2, 1, 31, 1),  CASE(1, 31, 17, 1000), CASE(2, 33, 16, 2),
    CASE(3, 21, 65, 10), CASE(1, 63, 33, 3), CASE(2, 256, 128, 10), {0},
};
