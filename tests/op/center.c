/* Cases of center: by view, by image, both at once. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_center(g, in[0], (size_t)c->attr[0], (size_t)c->attr[1]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_center(y, x[0], (size_t)c->attr[0], (size_t)c->attr[1], c->in[0].dim[0], c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_center(dx[0], dy, (size_t)c->attr[0], (size_t)c->attr[1], c->in[0].dim[0], c->in[0].dim[1]);
}

#define CASE(M, D, n, stride)                                                                      \
    {                                                                                              \
        .name = "center " #M " x " #D " by " #n ", " #stride " apart", .n_in = 1, .build = build,  \
        .fwd = fwd, .bwd = bwd, .attr = {n, stride},                                               \
        .in = {{.rank = 2, .dim = {M, D}, .grad = 1}},                                             \
    }

const struct opcase opcases_center[] = {
    CASE(2, 1, 2, 1),
    CASE(66, 31, 33, 1),
    CASE(66, 33, 2, 33),
    CASE(63, 65, 3, 7),
    CASE(512, 128, 256, 1),
    CASE(512, 128, 2, 256),
    {0},
};
