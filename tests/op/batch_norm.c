/* Cases of batch_norm: in = x, gamma, beta, running mean, running variance [, residual];
 * attr = {training, relu}. Wide means (|mean| >> sigma) must not cancel, in
 * fp32: stored as bf16 such an x has lost its deviations. */
#include <stdlib.h>

#include "opcheck.h"
#include "ref/ref.h"

#define EPS      1e-5
#define MOMENTUM 0.1

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_batch_norm(g, in[0],
                          &(struct ctr_batch_norm){.gamma = in[1],
                                                   .beta = in[2],
                                                   .running_mean = in[3],
                                                   .running_var = in[4],
                                                   .residual = c->n_in > 5 ? in[5] : NULL,
                                                   .eps = (float)EPS,
                                                   .momentum = (float)MOMENTUM,
                                                   .training = (int)c->attr[0],
                                                   .relu = (int)c->attr[1]});
}

static size_t channels(const struct opcase *c)
{
    return c->in[1].dim[0];
}

static struct ref_batch_norm params(const double *const *x, const struct opcase *c)
{
    size_t rows = 1;
    for (unsigned i = 0; i + 1 < c->in[0].rank; i++)
        rows *= c->in[0].dim[i];
    return (struct ref_batch_norm){.gamma = x[1],
                                   .beta = x[2],
                                   .mean = c->attr[0] != 0 ? NULL : x[3],
                                   .var = c->attr[0] != 0 ? NULL : x[4],
                                   .residual = c->n_in > 5 ? x[5] : NULL,
                                   .eps = EPS,
                                   .relu = (int)c->attr[1],
                                   .rows = rows,
                                   .C = channels(c)};
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    struct ref_batch_norm p = params(x, c);
    ref_batch_norm_fwd(y, x[0], &p);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    struct ref_batch_norm p = params(x, c);
    ref_batch_norm_bwd(dx[0], dx[1], dx[2], c->n_in > 5 ? dx[5] : NULL, dy, x[0], &p);
}

/* Training on x moves the running statistics; the same x normalised by them is the output. */
static ctr_tensor *build_running(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    struct opcase training = *c;
    training.attr[0] = 1;
    build(g, in, &training);
    return build(g, in, c);
}

static void fwd_running(double *y, const double *const *x, const struct opcase *c)
{
    struct ref_batch_norm p = params(x, c);
    double *mean = calloc(2 * p.C, sizeof *mean), *var = mean + p.C, n = (double)p.rows;
    ref_batch_norm_stats(mean, var, x[0], p.rows, p.C);
    for (size_t k = 0; k < p.C; k++) {
        mean[k] = (1 - MOMENTUM) * x[3][k] + MOMENTUM * mean[k];
        var[k] = (1 - MOMENTUM) * x[4][k] + MOMENTUM * var[k] * n / (n - 1);
    }
    p.mean = mean;
    p.var = var;
    ref_batch_norm_fwd(y, x[0], &p);
    free(mean);
}

/* y + residual, so that two gradients of the residual are summed. */
static ctr_tensor *build_twice(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_add(g, build(g, in, c), in[5], 0);
}

static void fwd_twice(double *y, const double *const *x, const struct opcase *c)
{
    struct ref_batch_norm p = params(x, c);
    ref_batch_norm_fwd(y, x[0], &p);
    for (size_t i = 0; i < p.rows * p.C; i++)
        y[i] += x[5][i];
}

static void bwd_twice(double *const *dx, const double *dy, const double *const *x,
                      const struct opcase *c)
{
    bwd(dx, dy, x, c);
    for (size_t i = 0; i < params(x, c).rows * channels(c); i++)
        dx[5][i] += dy[i];
}

#define INPUTS(stored, x_lo, x_hi, channels, ...)                                                    \
    {                                                                                              \
        {.rank = sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t),                                 \
         .dim = {__VA_ARGS__},                                                                     \
         .lo = x_lo,                                                                               \
         .hi = x_hi,                                                                               \
         .grad = 1,                                                                                \
         .act = stored},                                                                             \
            {.rank = 1, .dim = {channels}, .lo = 0.5, .hi = 1.5, .grad = 1},                       \
            {.rank = 1, .dim = {channels}, .grad = 1}, {.rank = 1, .dim = {channels}},             \
            {.rank = 1, .dim = {channels}, .lo = 0.2, .hi = 2},                                    \
        {                                                                                          \
            .rank = sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), .dim = {__VA_ARGS__},        \
            .grad = 1, .act = stored                                                                  \
        }                                                                                          \
    }

#define CASE(text, training, with_relu, residual, channels, ...)                                   \
    {                                                                                              \
        .name = "batch_norm " text ", relu " #with_relu ", residual " #residual,                   \
        .n_in = 5 + (residual), .build = build, .fwd = fwd, .bwd = bwd,                            \
        .attr = {training, with_relu}, .tol = 2e-6, .grad_tol = 5e-6,                              \
        .in = INPUTS(1, -1, 1, channels, __VA_ARGS__),                                                \
    }

/* Where a ReLU is in play sizes are small: a value within rounding of its kink fails the gradient.
 */
const struct opcase opcases_batch_norm[] = {
    CASE("5x1", 1, 0, 0, 1, 5, 1),
    CASE("31x3", 1, 0, 0, 3, 31, 3),
    CASE("33x16", 1, 1, 0, 16, 33, 16),
    CASE("65x31", 1, 1, 1, 31, 65, 31),
    CASE("2x5x3x33", 1, 0, 1, 33, 2, 5, 3, 33),
    CASE("4x8x8x64", 1, 1, 1, 64, 4, 8, 8, 64),
    CASE("3x10x10x65", 1, 1, 0, 65, 3, 10, 10, 65),
    CASE("64x512", 1, 0, 0, 512, 64, 512),
    CASE("16x16x16x64", 1, 0, 0, 64, 16, 16, 16, 64),
    CASE("33x17, inference", 0, 0, 0, 17, 33, 17),
    CASE("2x6x6x32, inference", 0, 1, 0, 32, 2, 6, 6, 32),
    CASE("2x6x6x31, inference", 0, 1, 1, 31, 2, 6, 6, 31),
    /* 8 MiB and more are stored past the caches; the residual keeps the ReLU away from its kink */
    {.name = "batch_norm 32x32x32x64, streamed",
     .n_in = 6,
     .build = build_twice,
     .fwd = fwd_twice,
     .bwd = bwd_twice,
     .attr = {1, 1},
     .tol = 2e-6,
     .grad_tol = 5e-6,
     .in = {{.rank = 4, .dim = {32, 32, 32, 64}, .grad = 1},
            {.rank = 1, .dim = {64}, .lo = 0.5, .hi = 1.5, .grad = 1},
            {.rank = 1, .dim = {64}, .grad = 1},
            {.rank = 1, .dim = {64}},
            {.rank = 1, .dim = {64}, .lo = 0.2, .hi = 2},
            {.rank = 4, .dim = {32, 32, 32, 64}, .lo = 5, .hi = 6, .grad = 1}}},
    {.name = "batch_norm, residual without gradient",
     .n_in = 6,
     .build = build,
     .fwd = fwd,
     .bwd = bwd,
     .attr = {1, 1},
     .tol = 2e-6,
     .grad_tol = 5e-6,
     .in = {{.rank = 2, .dim = {40, 18}, .grad = 1, .act = 1},
            {.rank = 1, .dim = {18}, .lo = 0.5, .hi = 1.5, .grad = 1},
            {.rank = 1, .dim = {18}},
            {.rank = 1, .dim = {18}},
            {.rank = 1, .dim = {18}, .lo = 0.2, .hi = 2},
            {.rank = 2, .dim = {40, 18}, .act = 1}}},
    {.name = "batch_norm, x without gradient",
     .n_in = 5,
     .build = build,
     .fwd = fwd,
     .bwd = bwd,
     .attr = {1, 1},
     .tol = 2e-6,
     .grad_tol = 5e-6,
     .in = {{.rank = 2, .dim = {40, 18}, .act = 1},
            {.rank = 1, .dim = {18}, .lo = 0.5, .hi = 1.5, .grad = 1},
            {.rank = 1, .dim = {18}, .grad = 1},
            {.rank = 1, .dim = {18}},
            {.rank = 1, .dim = {18}, .lo = 0.2, .hi = 2}}},
    {.name = "batch_norm, mean 1000 sigma",
     .n_in = 5,
     .build = build,
     .fwd = fwd,
     .bwd = bwd,
     .attr = {1, 0},
     .tol = 1e-4, /* x itself has 24 bits */
     .grad_tol = 1e-4,
     .no_gradcheck = 1,
     .in = INPUTS(0, 576, 578, 20, 3000, 20)},
    {.name = "batch_norm, running statistics",
     .n_in = 5,
     .build = build_running,
     .fwd = fwd_running,
     .tol = 2e-6,
     .in = {{.rank = 2, .dim = {300, 40}, .lo = -3, .hi = 5, .act = 1},
            {.rank = 1, .dim = {40}},
            {.rank = 1, .dim = {40}},
            {.rank = 1, .dim = {40}},
            {.rank = 1, .dim = {40}, .lo = 0.2, .hi = 2}}},
    {0},
};
