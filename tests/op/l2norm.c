/* Cases of l2norm. Tiny values see eps. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_l2norm(g, in[0]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_l2norm_fwd(y, x[0], c->in[0].dim[0], c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_l2norm_bwd(dx[0], dy, x[0], c->in[0].dim[0], c->in[0].dim[1]);
}

#define CASE(N, D, from, to, tiny)                                                                 \
    {                                                                                              \
        .name = "l2norm " #N " x " #D, .n_in = 1, .build = build, .fwd = fwd, .bwd = bwd,          \
        .tol = 1e-6, .grad_tol = 1e-6, .no_gradcheck = tiny,                                       \
        .in = {{.rank = 2, .dim = {N, D}, .lo = from, .hi = to, .grad = 1}},                       \
    }

const struct opcase opcases_l2norm[] = {
    CASE(1, 1, 1e-6, 2e-6, 1), CASE(1, 31, -1, 1, 0),
    CASE(31, 32, -1, 1, 0),    CASE(33, 33, -1, 1, 0),
    CASE(65, 63, -1, 1, 1),    CASE(3, 65, -1e-6, 1e-6, 1),
    CASE(5, 130, 1, 1e9, 1),   CASE(2000, 128, -9, 9, 1),
    CASE(7, 3000, -1, 1, 1),   {0},
};
