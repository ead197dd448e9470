/* Cases of take_nearest. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_take_nearest(g, in[0], in[1]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_take_nearest(y, x[0], x[1], c->in[0].dim[0], c->in[0].dim[1], c->in[1].dim[1]);
}

#define CASE(M, K, D)                                                                              \
    {                                                                                              \
        .name = "take_nearest " #M " of " #K " x " #D, .n_in = 2, .build = build, .fwd = fwd,      \
        .in = {{.rank = 2, .dim = {M, K}}, {.rank = 2, .dim = {K, D}}},                            \
    }

const struct opcase opcases_take_nearest[] = {
    CASE(1, 1, 1), CASE(31, 2, 33), CASE(65, 63, 16), CASE(33, 300, 130), CASE(128, 4096, 128), {0},
};
