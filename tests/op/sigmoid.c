/* Cases of sigmoid; the steep ones saturate. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_sigmoid(g, in[0]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_sigmoid_fwd(y, x[0], c->in[0].dim[0]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_sigmoid_bwd(dx[0], dy, x[0], c->in[0].dim[0]);
}

#define CASE(count, range)                                                                         \
    {                                                                                              \
        .name = "sigmoid " #count " of " #range, .n_in = 1, .build = build, .fwd = fwd,            \
        .bwd = bwd, .in = {{.rank = 1, .dim = {count}, .lo = -range, .hi = range, .grad = 1}},     \
    }

const struct opcase opcases_sigmoid[] = {
    CASE(1, 1),    CASE(31, 4), CASE(32, 1),      CASE(33, 9),
    CASE(63, 200), CASE(65, 2), CASE(100001, 20), {0},
};
