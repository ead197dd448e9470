/* Cases of softmax_xent: few and many classes, logits flat and steep. */
#include "opcheck.h"
#include "ref/ref.h"

/* attr: smoothing. */
static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_softmax_xent(g, in[0], in[1], (float)c->attr[0]);
}

static ctr_tensor *build_accuracy(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_softmax_xent_accuracy(ctr_softmax_xent(g, in[0], in[1], 0));
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_softmax_xent_fwd(y, x[0], x[1], (float)c->attr[0], c->in[0].dim[0], c->in[0].dim[1]);
}

static void accuracy(double *y, const double *const *x, const struct opcase *c)
{
    ref_softmax_xent_accuracy(y, x[0], x[1], c->in[0].dim[0], c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_softmax_xent_bwd(dx[0], dy[0], x[0], x[1], (float)c->attr[0], c->in[0].dim[0],
                         c->in[0].dim[1]);
}

#define CASE(N, K, range, smoothing)                                                               \
    {                                                                                              \
        .name = "softmax_xent " #N " x " #K ", smoothing " #smoothing, .n_in = 2, .build = build,  \
        .fwd = fwd, .bwd = bwd, .attr = {smoothing}, .tol = 2e-6, .grad_tol = 2e-6,                \
        .in = {{.rank = 2, .dim = {N, K}, .lo = -range, .hi = range, .grad = 1},                   \
               {.rank = 1, .dim = {N}, .dtype = CTR_I32, .lo = 0, .hi = K}},                       \
    }
/* Whole logits, so that the largest is often shared. */
#define ACCURACY(N, K, logits)                                                                     \
    {                                                                                              \
        .name = "softmax_xent accuracy " #N " x " #K, .n_in = 2, .build = build_accuracy,          \
        .fwd = accuracy,                                                                           \
        .in = {{.rank = 2, .dim = {N, K}, .lo = -logits, .hi = logits},                            \
               {.rank = 1, .dim = {N}, .dtype = CTR_I32, .lo = 0, .hi = K}},                       \
    }

const struct opcase opcases_softmax_xent[] = {
    CASE(1, 1, 1, 0),
    CASE(1, 2, 1, 0),
    CASE(31, 10, 4, 0),
    CASE(33, 15, 30, 0),
    CASE(32, 16, 1, 0),
    CASE(65, 17, 80, 0),
    CASE(7, 65, 2, 0),
    CASE(63, 1000, 4, 0),
    CASE(4000, 10, 3, 0),
    CASE(1, 2, 1, 0.1),
    CASE(33, 15, 4, 0.1),
    CASE(32, 16, 1, 1),
    CASE(7, 65, 2, 0.5),
    CASE(63, 1000, 4, 0.1),
    ACCURACY(65, 3, 1),
    ACCURACY(300, 10, 1),
    ACCURACY(33, 100, 1),
    {0},
};
