/* Cases of turn: what is taken of any turn; what was put into one is found there. */
#include "opcheck.h"
#include "ref/ref.h"

enum { TIMES, BLOCKS };

static ctr_tensor *take(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_turn_take(g, in[0], in[1], (size_t)c->attr[TIMES], (size_t)c->attr[BLOCKS]);
}

static ctr_tensor *put_and_take(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    ctr_tensor *all =
        ctr_turn_put(g, in[0], in[1], (size_t)c->attr[TIMES], (size_t)c->attr[BLOCKS]);
    return take(g, (ctr_tensor *[]){all, in[1]}, c);
}

static size_t count(const struct opcase *c)
{
    size_t n = 1;
    for (unsigned i = 0; i < c->in[0].rank; i++)
        n *= c->in[0].dim[i];
    return n;
}

static void taken(double *y, const double *const *x, const struct opcase *c)
{
    size_t times = (size_t)c->attr[TIMES], V = (size_t)c->attr[BLOCKS];
    ref_turn_take(y, x[0], (size_t)x[1][0], times, V, count(c) / (times * V));
}

static void same(double *y, const double *const *x, const struct opcase *c)
{
    for (size_t i = 0; i < count(c); i++)
        y[i] = x[0][i];
}

#define CASE(what, b, f, times, blocks, turn, r, ...)                                              \
    {                                                                                              \
        .name = "turn " #turn " of " #times " in " #blocks ": " what, .n_in = 2, .build = b,       \
        .fwd = f, .attr = {times, blocks},                                                         \
        .in = {{.rank = r, .dim = {__VA_ARGS__}},                                                  \
               {.rank = 1, .dim = {1}, .dtype = CTR_I32, .lo = turn, .hi = turn + 1}},             \
    }

const struct opcase opcases_turn[] = {
    CASE("take 1", take, taken, 1, 1, 0, 1, 1),
    CASE("take 93", take, taken, 3, 1, 1, 1, 93),
    CASE("take 66 x 33", take, taken, 3, 2, 2, 2, 66, 33),
    CASE("take 8192 x 16", take, taken, 4, 2, 1, 2, 8192, 16),
    CASE("take 12 images", take, taken, 2, 3, 1, 4, 12, 7, 5, 3),
    CASE("put 1", put_and_take, same, 2, 1, 1, 1, 1),
    CASE("put 65", put_and_take, same, 3, 1, 2, 1, 65),
    CASE("put 62 x 31", put_and_take, same, 3, 2, 0, 2, 62, 31),
    CASE("put 2048 x 16", put_and_take, same, 4, 2, 3, 2, 2048, 16),
    {0},
};
