/* Cases of top_k: the scores. Which rows they are of, ties among them, is in tests/eval/search.c. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_top_k(g, in[0], in[1], c->n_in > 2 ? in[2] : NULL, (size_t)c->attr[0], NULL);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_top_k(y, NULL, x[0], x[1], c->n_in > 2 ? x[2] : NULL, c->in[0].dim[0], c->in[1].dim[0],
              c->in[0].dim[1], (size_t)c->attr[0]);
}

#define CASE(M, N, D, K)                                                                           \
    {                                                                                              \
        .name = "top_k " #K " of " #N " x " #D " for " #M, .n_in = 2, .build = build, .fwd = fwd,  \
        .attr = {K}, .in = {{.rank = 2, .dim = {M, D}}, {.rank = 2, .dim = {N, D}}},               \
    }
#define BIASED(M, N, D, K)                                                                         \
    {                                                                                              \
        .name = "top_k " #K " of " #N " x " #D " for " #M ", biased", .n_in = 3, .build = build,   \
        .fwd = fwd, .attr = {K},                                                                   \
        .in = {{.rank = 2, .dim = {M, D}}, {.rank = 2, .dim = {N, D}}, {.rank = 1, .dim = {N}}},   \
    }

const struct opcase opcases_top_k[] = {
    CASE(1, 1, 1, 1),     CASE(31, 33, 63, 33), CASE(65, 1000, 32, 10),
    CASE(33, 700, 1, 64), BIASED(63, 65, 31, 2), BIASED(5, 3000, 17, 100),
    CASE(128, 20000, 128, 10), {0},
};
