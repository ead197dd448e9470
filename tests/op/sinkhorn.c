/* Cases of sinkhorn: one problem and two, few and many rounds, cold and warm. */
#include "opcheck.h"
#include "ref/ref.h"

/* attr: N, eps, rounds. */
static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_sinkhorn(g, in[0], (size_t)c->attr[0], (float)c->attr[1], (unsigned)c->attr[2]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_sinkhorn(y, x[0], (float)c->attr[1], (unsigned)c->attr[2], c->in[0].dim[0],
                 (size_t)c->attr[0], c->in[0].dim[1]);
}

#define CASE(problems, N, K, eps, rounds)                                                          \
    {                                                                                              \
        .name = "sinkhorn " #problems " of " #N " x " #K " eps " #eps, .n_in = 1, .build = build,  \
        .fwd = fwd, .attr = {N, eps, rounds}, .tol = 1e-5,                                         \
        .in = {{.rank = 2, .dim = {problems * N, K}}},                                             \
    }

const struct opcase opcases_sinkhorn[] = {
    CASE(1, 1, 1, 1, 1),       CASE(2, 31, 5, 0.05, 3),    CASE(1, 33, 65, 0.5, 1),
    CASE(2, 63, 130, 0.02, 3), CASE(2, 256, 512, 0.05, 3), {0},
};
