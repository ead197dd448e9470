/* Cases of similarity and gram. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_similarity(g, in[0], in[1], (float)c->attr[0]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_similarity_fwd(y, x[0], x[1], (float)c->attr[0], c->in[0].dim[0], c->in[1].dim[0],
                       c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_similarity_bwd(dx[0], dx[1], dy, x[0], x[1], (float)c->attr[0], c->in[0].dim[0],
                       c->in[1].dim[0], c->in[0].dim[1]);
}

static ctr_tensor *build_gram(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_gram(g, in[0], in[c->n_in - 1], (float)c->attr[0]);
}

static void gram(double *y, const double *const *x, const struct opcase *c)
{
    ref_gram_fwd(y, x[0], x[c->n_in - 1], (float)c->attr[0], c->in[0].dim[0], c->in[0].dim[1],
                 c->in[c->n_in - 1].dim[1]);
}

static void gram_bwd(double *const *dx, const double *dy, const double *const *x,
                     const struct opcase *c)
{
    ref_gram_bwd(dx[0], dx[c->n_in - 1], dy, x[0], x[c->n_in - 1], (float)c->attr[0],
                 c->in[0].dim[0], c->in[0].dim[1], c->in[c->n_in - 1].dim[1]);
}

#define GRAM(M, D, E, scale)                                                                       \
    {                                                                                              \
        .name = "gram " #M " x " #D " x " #E, .n_in = 2, .build = build_gram, .fwd = gram,         \
        .bwd = gram_bwd, .attr = {scale},                                                          \
        .in = {{.rank = 2, .dim = {M, D}, .grad = 1}, {.rank = 2, .dim = {M, E}, .grad = 1}},      \
    }
#define GRAM_OF_ONE(M, D, scale)                                                                   \
    {                                                                                              \
        .name = "gram " #M " x " #D " with itself", .n_in = 1, .build = build_gram, .fwd = gram,   \
        .bwd = gram_bwd, .attr = {scale}, .in = {{.rank = 2, .dim = {M, D}, .grad = 1}},           \
    }
#define CASE(A, B, D, scale)                                                                       \
    {                                                                                              \
        .name = "similarity " #A " x " #B " x " #D, .n_in = 2, .build = build, .fwd = fwd,         \
        .bwd = bwd, .attr = {scale},                                                               \
        .in = {{.rank = 2, .dim = {A, D}, .grad = 1}, {.rank = 2, .dim = {B, D}, .grad = 1}},      \
    }

const struct opcase opcases_similarity[] = {
    CASE(1, 1, 1, 1),       CASE(2, 31, 5, 10),
    CASE(33, 32, 31, 0.5),  CASE(36, 44, 76, 0.5),
    CASE(65, 63, 130, 1),   GRAM(1, 1, 1, 1),
    GRAM(31, 33, 5, 0.5),   GRAM(256, 65, 130, 0.1),
    GRAM_OF_ONE(63, 32, 2), {0},
};
