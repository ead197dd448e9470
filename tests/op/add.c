/* Cases of add. With relu a sum may lie at the kink, where central differences fail: only the small
 * cases, whose sums do not, are checked by them. */
#include "opcheck.h"
#include "ref/ref.h"

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_add(g, in[0], in[1], (int)c->attr[0]);
}

/* Both gradients of one input: they add up. */
static ctr_tensor *build_twice(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_add(g, in[0], in[0], (int)c->attr[0]);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_add_fwd(y, x[0], x[c->n_in - 1], (int)c->attr[0], c->in[0].dim[0]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_add_bwd(dx[0], dx[c->n_in - 1], dy, x[0], x[c->n_in - 1], (int)c->attr[0], c->in[0].dim[0]);
}

#define CASE(count, relu)                                                                          \
    {                                                                                              \
        .name = "add " #count " relu " #relu, .n_in = 2, .build = build, .fwd = fwd, .bwd = bwd,   \
        .attr = {relu}, .no_gradcheck = relu && count > 100,                                       \
        .in = {{.rank = 1, .dim = {count}, .grad = 1, .act = 1}, {.rank = 1, .dim = {count}, .grad = 1, .act = 1}},    \
    }
#define TWICE(count, relu)                                                                         \
    {                                                                                              \
        .name = "add to itself " #count " relu " #relu, .n_in = 1, .build = build_twice,           \
        .fwd = fwd, .bwd = bwd, .attr = {relu},                                                    \
        .in = {{.rank = 1, .dim = {count}, .grad = 1, .act = 1, .off_zero = 1}},                             \
    }

const struct opcase opcases_add[] = {
    CASE(1, 0),      CASE(31, 1),     CASE(32, 0),  CASE(33, 1),  CASE(65, 1),
    CASE(100001, 0), CASE(100001, 1), TWICE(63, 0), TWICE(63, 1), {0},
};
