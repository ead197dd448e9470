/* Cases of mean. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_mean(g, in[0], (float)c->attr[0], (float)c->attr[1]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_mean_fwd(y, x[0], c->attr[0], c->attr[1], c->in[0].dim[0] * c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_mean_bwd(dx[0], dy[0], c->attr[0], c->in[0].dim[0] * c->in[0].dim[1]);
}

#define CASE(N, D, scale, offset)                                                                  \
    {                                                                                              \
        .name = "mean " #N " x " #D " * " #scale " + " #offset, .n_in = 1, .build = build,         \
        .fwd = fwd, .bwd = bwd, .attr = {scale, offset},                                           \
        .in = {{.rank = 2, .dim = {N, D}, .hi = 2, .grad = 1}},                                    \
    }

const struct opcase opcases_mean[] = {
    CASE(1, 1, 1, 0), CASE(31, 1, -2, 5), CASE(33, 65, 0.5, 1), CASE(512, 128, 1, 0), {0},
};
