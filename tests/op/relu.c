/* Cases of relu. Equal to the reference to the last bit, so the tolerance is nearly nothing. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_relu(g, in[0]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_relu_fwd(y, x[0], c->in[0].dim[0]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_relu_bwd(dx[0], dy, x[0], c->in[0].dim[0]);
}

#define CASE(count)                                                                                \
    {                                                                                              \
        .name = "relu " #count, .n_in = 1, .build = build, .fwd = fwd, .bwd = bwd, .tol = 1e-12,   \
        .grad_tol = 1e-12, .in = {{.rank = 1, .dim = {count}, .grad = 1, .act = 1, .off_zero = 1}},          \
    }

const struct opcase opcases_relu[] = {
    CASE(1), CASE(31), CASE(32), CASE(33), CASE(63), CASE(65), CASE(100001), {0},
};
