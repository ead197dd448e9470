/* Cases of max_pool, avg_pool and global_avg_pool: attr = {kind, size, stride, pad}. */
#include "opcheck.h"
#include "ref/ref.h"

enum { MAX, AVG, GLOBAL };

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    size_t size = (size_t)c->attr[1], stride = (size_t)c->attr[2], pad = (size_t)c->attr[3];
    if (c->attr[0] == GLOBAL)
        return ctr_global_avg_pool(g, in[0]);
    return c->attr[0] == MAX ? ctr_max_pool(g, in[0], size, stride, pad)
                             : ctr_avg_pool(g, in[0], size, stride, pad);
}

/* A global average is an average over one window of 1 x 1 on a map of one row, H W high: the
 * reference is asked for it as such, pixel by pixel. */
static struct ref_pool shape(const struct opcase *c)
{
    const size_t *d = c->in[0].dim;
    return (struct ref_pool){.N = d[0],
                             .H = d[1],
                             .W = d[2],
                             .C = d[3],
                             .size = (size_t)c->attr[1],
                             .stride = (size_t)c->attr[2],
                             .pad = (size_t)c->attr[3],
                             .max = c->attr[0] == MAX};
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    const size_t *d = c->in[0].dim;
    struct ref_pool p = shape(c);
    if (c->attr[0] != GLOBAL) {
        ref_pool_fwd(y, x[0], &p);
        return;
    }
    for (size_t i = 0; i < d[0] * d[1] * d[2] * d[3]; i++)
        y[i / (d[1] * d[2] * d[3]) * d[3] + i % d[3]] += x[0][i] / (double)(d[1] * d[2]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    const size_t *d = c->in[0].dim;
    struct ref_pool p = shape(c);
    if (c->attr[0] != GLOBAL) {
        ref_pool_bwd(dx[0], dy, x[0], &p);
        return;
    }
    for (size_t i = 0; i < d[0] * d[1] * d[2] * d[3]; i++)
        dx[0][i] += dy[i / (d[1] * d[2] * d[3]) * d[3] + i % d[3]] / (double)(d[1] * d[2]);
}

#define CASE(kind, N, H, W, C, size, stride, pad)                                                  \
    {                                                                                              \
        .name = "pool " #kind " " #N "x" #H "x" #W "x" #C ", " #size "/" #stride "/" #pad,         \
        .n_in = 1, .build = build, .fwd = fwd, .bwd = bwd, .attr = {kind, size, stride, pad},      \
        .in = {{.rank = 4, .dim = {N, H, W, C}, .grad = 1, .act = 1}},                                       \
    }

const struct opcase opcases_pool[] = {
    CASE(MAX, 1, 2, 2, 1, 2, 2, 0),      CASE(MAX, 2, 4, 6, 3, 2, 2, 0),
    CASE(MAX, 2, 5, 7, 5, 2, 2, 0),      CASE(MAX, 3, 8, 8, 32, 2, 2, 0),
    CASE(MAX, 1, 7, 6, 33, 3, 2, 1),     CASE(MAX, 2, 9, 9, 16, 3, 1, 1),
    CASE(MAX, 1, 10, 8, 4, 3, 3, 0),     CASE(MAX, 1, 5, 5, 31, 4, 3, 2),
    CASE(MAX, 5, 30, 30, 64, 2, 2, 0),   CASE(MAX, 2, 56, 56, 65, 3, 2, 1),
    CASE(AVG, 1, 2, 2, 1, 2, 2, 0),      CASE(AVG, 2, 5, 7, 5, 3, 2, 1),
    CASE(AVG, 3, 8, 8, 32, 2, 2, 0),     CASE(AVG, 1, 6, 6, 63, 3, 1, 1),
    CASE(AVG, 1, 16, 16, 64, 5, 4, 2),   CASE(GLOBAL, 1, 1, 1, 1, 0, 0, 0),
    CASE(GLOBAL, 3, 4, 5, 31, 0, 0, 0),  CASE(GLOBAL, 33, 7, 7, 65, 0, 0, 0),
    CASE(GLOBAL, 9, 8, 8, 128, 0, 0, 0), {0},
};
