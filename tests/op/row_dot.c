/* Cases of row_dot: two tensors and one, all shifts. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_row_dot(g, in[0], in[c->n_in - 1], (float)c->attr[0], (size_t)c->attr[1]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_row_dot_fwd(y, x[0], x[c->n_in - 1], (float)c->attr[0], (size_t)c->attr[1], c->in[0].dim[0],
                    c->in[c->n_in - 1].dim[0], c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_row_dot_bwd(dx[0], dx[c->n_in - 1], dy, x[0], x[c->n_in - 1], (float)c->attr[0],
                    (size_t)c->attr[1], c->in[0].dim[0], c->in[c->n_in - 1].dim[0],
                    c->in[0].dim[1]);
}

#define ONE(M, D, scale, shift)                                                                    \
    {                                                                                              \
        .name = "row_dot " #M " x " #D " with itself, shift " #shift, .n_in = 1, .build = build,   \
        .fwd = fwd, .bwd = bwd, .attr = {scale, shift},                                            \
        .in = {{.rank = 2, .dim = {M, D}, .grad = 1}},                                             \
    }
#define TWO(M, K, D, scale, shift)                                                                 \
    {                                                                                              \
        .name = "row_dot " #M " x " #D " with " #K ", shift " #shift, .n_in = 2, .build = build,   \
        .fwd = fwd, .bwd = bwd, .attr = {scale, shift},                                            \
        .in = {{.rank = 2, .dim = {M, D}, .grad = 1}, {.rank = 2, .dim = {K, D}, .grad = 1}},      \
    }

const struct opcase opcases_row_dot[] = {
    ONE(1, 1, 1, 0),
    ONE(2, 31, 2, 1),
    ONE(65, 33, 0.5, 0),
    ONE(66, 17, 10, 33),
    TWO(1, 1, 1, -1, 0),
    TWO(31, 31, 65, 1, 7),
    TWO(33, 33, 16, 3, 32),
    TWO(63, 63, 130, 5, 0),
    TWO(5, 1, 3, 1, 0),
    TWO(5, 9, 3, 1, 7),
    TWO(62, 31, 17, 2, 30),
    TWO(93, 62, 17, 2, 31),
    TWO(63, 9, 33, 0.5, 4),
    ONE(512, 128, 2, 256),
    TWO(512, 512, 128, 5, 256),
    TWO(1536, 512, 128, 5, 256),
    {0},
};
