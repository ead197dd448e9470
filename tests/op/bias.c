/* Cases of bias. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_bias(g, in[0], in[1]);
}

static size_t rows(const struct opcase *c)
{
    const struct opcase_in *x = &c->in[0];
    return x->rank == 1 ? 1 : x->dim[0] * (x->rank == 2 ? 1 : x->dim[1] * x->dim[2]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_bias_fwd(y, x[0], x[1], rows(c), c->in[1].dim[0]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_bias_bwd(dx[0], dx[1], dy, rows(c), c->in[1].dim[0]);
}

#define CASE(label, x_rank, channels, ...)                                                         \
    {                                                                                              \
        .name = "bias " label, .n_in = 2, .build = build, .fwd = fwd, .bwd = bwd,                  \
        .in = {{.rank = x_rank, .dim = {__VA_ARGS__}, .grad = 1},                                  \
               {.rank = 1, .dim = {channels}, .grad = 1}},                                         \
    }

const struct opcase opcases_bias[] = {
    CASE("5", 1, 5, 5),
    CASE("1x1", 2, 1, 1, 1),
    CASE("33x31", 2, 31, 33, 31),
    CASE("65x32", 2, 32, 65, 32),
    CASE("2x3x5x63", 4, 63, 2, 3, 5, 63),
    CASE("8x32x32x65", 4, 65, 8, 32, 32, 65),
    {0},
};
