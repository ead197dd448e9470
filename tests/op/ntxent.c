/* Cases of ntxent: inputs of length about one (uniform in +-sqrt(3 / D)), temperatures from the
 * coldest to the hottest in use. tests/op/losses.c has the sizes that a dense reference
 * cannot reach. At T = 0.01 an error of 1e-7 in a product is one of 1e-5 in its exponential. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_ntxent(g, in[0], (float)c->attr[0], NULL);
}

static ctr_tensor *build_top1(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    ctr_tensor *top1 = NULL;
    ctr_ntxent(g, in[0], (float)c->attr[0], &top1);
    return top1;
}

static void top1(double *y, const double *const *x, const struct opcase *c)
{
    ref_ntxent_top1(y, x[0], c->in[0].dim[0] / 2, c->in[0].dim[1]);
}

static ctr_tensor *build_similarity(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_ntxent_similarity(ctr_ntxent(g, in[0], (float)c->attr[0], NULL));
}

static void similarity(double *y, const double *const *x, const struct opcase *c)
{
    ref_ntxent_similarity(y, x[0], c->in[0].dim[0] / 2, c->in[0].dim[1]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_ntxent_fwd(y, x[0], (float)c->attr[0], c->in[0].dim[0] / 2, c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_ntxent_bwd(dx[0], dy[0], x[0], (float)c->attr[0], c->in[0].dim[0] / 2, c->in[0].dim[1]);
}

#define CASE(N, D, T, length, tolerance)                                                           \
    {                                                                                              \
        .name = "ntxent " #N " pairs x " #D " T " #T, .n_in = 1, .build = build, .fwd = fwd,       \
        .bwd = bwd, .tol = tolerance, .grad_tol = tolerance, .attr = {T},                          \
        .in = {{.rank = 2, .dim = {2 * N, D}, .lo = -length, .hi = length, .grad = 1}},            \
    }

#define STAT(N, D, T, length, what)                                                                \
    {                                                                                              \
        .name = "ntxent " #what " " #N " pairs x " #D, .n_in = 1, .build = build_##what,           \
        .fwd = what, .attr = {T},                                                                  \
        .in = {{.rank = 2, .dim = {2 * N, D}, .lo = -length, .hi = length}},                       \
    }

const struct opcase opcases_ntxent[] = {
    CASE(1, 1, 0.5, 1, 1e-6),
    CASE(1, 130, 0.1, 0.15, 1e-6),
    CASE(2, 3, 0.01, 1, 1e-5),
    CASE(3, 2, 0.1, 1, 1e-6),
    CASE(16, 16, 10, 0.43, 1e-6),
    CASE(17, 31, 0.5, 0.31, 1e-6),
    CASE(31, 33, 0.2, 0.3, 1e-6),
    CASE(32, 128, 0.07, 0.15, 1e-6),
    CASE(33, 64, 0.5, 0.22, 1e-6),
    CASE(63, 65, 0.1, 0.21, 1e-6),
    CASE(65, 130, 0.01, 0.15, 1e-5),
    CASE(65, 200, 0.5, 0.12, 1e-6),
    CASE(256, 128, 0.5, 0.15, 1e-6),
    STAT(1, 3, 0.5, 1, top1),
    STAT(33, 5, 0.1, 0.77, top1),
    STAT(65, 2, 0.01, 1.2, top1),
    STAT(1, 3, 0.5, 1, similarity),
    STAT(65, 2, 0.01, 1.2, similarity),
    {0},
};
