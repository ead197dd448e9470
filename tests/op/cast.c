/* Cases of cast, in each direction. attr = {the dtype cast to}. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_cast(g, in[0], (enum ctr_dtype)c->attr[0]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_cast(y, x[0], c->in[0].dim[0]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_cast(dx[0], dy, c->in[0].dim[0]);
}

#define CASE(count, from, to)                                                                      \
    {                                                                                              \
        .name = "cast " #count " " #from " to " #to, .n_in = 1, .build = build, .fwd = fwd,        \
        .bwd = bwd, .tol = 1e-12, .grad_tol = 1e-12, .attr = {to},                                 \
        .in = {{.rank = 1, .dim = {count}, .dtype = from, .grad = 1}},                             \
    }
#define CASES(count)                                                                               \
    CASE(count, CTR_F32, CTR_F16), CASE(count, CTR_F32, CTR_BF16), CASE(count, CTR_F16, CTR_F32),  \
        CASE(count, CTR_BF16, CTR_F32)

const struct opcase opcases_cast[] = {CASES(1), CASES(31), CASES(32), CASES(33), CASES(100001),
                                      {0}};
