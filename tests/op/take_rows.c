/* Cases of take_rows: from the start, the middle and the end; vectors, matrices, images. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_take_rows(g, in[0], (size_t)c->attr[0], (size_t)c->attr[1]);
}

static size_t row(const struct opcase *c)
{
    size_t n = 1;
    for (unsigned i = 1; i < c->in[0].rank; i++)
        n *= c->in[0].dim[i];
    return n;
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_take_rows_fwd(y, x[0], (size_t)c->attr[0], (size_t)c->attr[1], row(c));
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_take_rows_bwd(dx[0], dy, (size_t)c->attr[0], (size_t)c->attr[1], row(c));
}

#define CASE(what, first, n, r, ...)                                                               \
    {                                                                                              \
        .name = "take_rows " #n " from " #first " of " what, .n_in = 1, .build = build,            \
        .fwd = fwd, .bwd = bwd, .attr = {first, n},                                                \
        .in = {{.rank = r, .dim = {__VA_ARGS__}, .grad = 1}},                                      \
    }

const struct opcase opcases_take_rows[] = {
    CASE("1", 0, 1, 1, 1),
    CASE("65", 31, 33, 1, 65),
    CASE("66 x 33", 33, 33, 2, 66, 33),
    CASE("63 x 16", 0, 31, 2, 63, 16),
    CASE("64 images", 32, 32, 4, 64, 7, 5, 3),
    {0},
};
