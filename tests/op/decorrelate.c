/* Cases of decorrelate: both kinds; diagonals below and above 1. */
#include "opcheck.h"
#include "ref/ref.h"

/* attr: kind, diagonal, off. */
static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_decorrelate(g, in[0], (enum ctr_decorrelate_kind)c->attr[0], (float)c->attr[1],
                           (float)c->attr[2]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_decorrelate_fwd(y, x[0], (int)c->attr[0], (float)c->attr[1], (float)c->attr[2],
                        c->in[0].dim[0]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_decorrelate_bwd(dx[0], dy[0], x[0], (int)c->attr[0], (float)c->attr[1], (float)c->attr[2],
                        c->in[0].dim[0]);
}

#define CASE(D, kind, diagonal, off, from)                                                         \
    {                                                                                              \
        .name = "decorrelate " #kind " " #D " x " #D, .n_in = 1, .build = build, .fwd = fwd,       \
        .bwd = bwd, .attr = {CTR_DECORRELATE_##kind, diagonal, off},                               \
        .in = {{.rank = 2, .dim = {D, D}, .lo = from, .hi = 1.5, .grad = 1}},                      \
    }

const struct opcase opcases_decorrelate[] = {
    CASE(1, UNIT, 1, 0.005, -1),        CASE(31, UNIT, 1, 0.005, -1),
    CASE(65, UNIT, 1, 0.005, -1),       CASE(256, UNIT, 1, 0.005, -1),
    CASE(1, SPREAD, 12.5, 1, 0.01),     CASE(33, SPREAD, 0.2, 0.01, 0.01),
    CASE(130, SPREAD, 0.1, 0.01, 0.01), {0},
};
