/* Cases of contrast: rows whose positive is far below, level with and far above the negatives. The
 * loss of SimCLR as a whole, with its positives and negatives, is here, too. */
#include <stdlib.h>

#include "opcheck.h"
#include "ref/ref.h"

/* attr: kind, sigma, prior, n. */
static struct ctr_contrast params(const struct opcase *c)
{
    return (struct ctr_contrast){.kind = (enum ctr_contrast_kind)c->attr[0],
                                 .scale = 2,
                                 .sigma = (float)c->attr[1],
                                 .prior = (float)c->attr[2],
                                 .n = (float)c->attr[3]};
}

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    struct ctr_contrast p = params(c);
    return ctr_contrast(g, in[0], in[1], NULL, &p);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    struct ctr_contrast p = params(c);
    ref_contrast_fwd(y, x[0], x[1], &p, c->in[0].dim[0]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    struct ctr_contrast p = params(c);
    ref_contrast_bwd(dx[0], dx[1], dy[0], x[0], x[1], &p, c->in[0].dim[0]);
}

static ctr_tensor *build_nearest(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    struct ctr_contrast p = {.kind = CTR_CONTRAST_NTXENT, .scale = 2};
    return ctr_contrast_nearest(ctr_contrast(g, in[0], in[1], in[1], &p));
}

static void nearest(double *y, const double *const *x, const struct opcase *c)
{
    ref_contrast_nearest(y, x[0], x[1], c->in[0].dim[0]);
}

static ctr_tensor *build_similarity(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    struct ctr_contrast p = {.kind = CTR_CONTRAST_NTXENT, .scale = 2};
    return ctr_contrast_similarity(ctr_contrast(g, in[0], in[1], NULL, &p));
}

static void similarity(double *y, const double *const *x, const struct opcase *c)
{
    ref_mean_fwd(y, x[0], 0.5, 0, c->in[0].dim[0]);
}

#define CASE(M, range, of, ...)                                                                    \
    {                                                                                              \
        .name = "contrast " #of " of " #M " rows within " #range, .n_in = 2, .build = build,       \
        .fwd = fwd, .bwd = bwd, .attr = {CTR_CONTRAST_##of, __VA_ARGS__},                          \
        .in = {{.rank = 1, .dim = {M}, .lo = -range, .hi = range, .grad = 1},                      \
               {.rank = 1, .dim = {M}, .lo = -range, .hi = range, .grad = 1}},                     \
    }
#define FIGURE(M, what)                                                                            \
    {                                                                                              \
        .name = "contrast " #what " of " #M " rows", .n_in = 2, .build = build_##what,             \
        .fwd = what, .in = {{.rank = 1, .dim = {M}}, {.rank = 1, .dim = {M}}},                     \
    }

/* ---- NT-Xent of z[2N,D] ---- */

static ctr_tensor *ntxent(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    size_t N = c->in[0].dim[0] / 2;
    struct ctr_contrast p = {.kind = CTR_CONTRAST_NTXENT, .scale = (float)c->attr[0]};
    return ctr_contrast(g, ctr_row_dot(g, in[0], in[0], p.scale, N),
                        ctr_lse(g, in[0], in[0], p.scale, N, NULL), NULL, &p);
}

static void ntxent_fwd(double *y, const double *const *x, const struct opcase *c)
{
    size_t M = c->in[0].dim[0], D = c->in[0].dim[1];
    double *pos = calloc(2 * M, sizeof *pos), *neg = pos + M, scale = (float)c->attr[0];
    ref_row_dot_fwd(pos, x[0], x[0], scale, M / 2, M, M, D);
    ref_lse_fwd(neg, x[0], x[0], scale, M / 2, M, M, D);
    ref_contrast_fwd(y, pos, neg, &(struct ctr_contrast){.kind = CTR_CONTRAST_NTXENT}, M);
    free(pos);
}

static void ntxent_bwd(double *const *dx, const double *dy, const double *const *x,
                       const struct opcase *c)
{
    size_t M = c->in[0].dim[0], D = c->in[0].dim[1];
    double *pos = calloc(4 * M, sizeof *pos), *neg = pos + M, *dpos = neg + M, *dneg = dpos + M;
    double scale = (float)c->attr[0];
    ref_row_dot_fwd(pos, x[0], x[0], scale, M / 2, M, M, D);
    ref_lse_fwd(neg, x[0], x[0], scale, M / 2, M, M, D);
    ref_contrast_bwd(dpos, dneg, dy[0], pos, neg, &(struct ctr_contrast){.kind = CTR_CONTRAST_NTXENT}, M);
    ref_row_dot_bwd(dx[0], dx[0], dpos, x[0], x[0], scale, M / 2, M, M, D);
    ref_lse_bwd(dx[0], dx[0], dneg, neg, x[0], x[0], scale, M / 2, M, M, D);
    free(pos);
}

#define NTXENT(N, D, scale, length, tolerance)                                                     \
    {                                                                                              \
        .name = "NT-Xent of " #N " pairs x " #D ", scale " #scale, .n_in = 1, .build = ntxent,     \
        .fwd = ntxent_fwd, .bwd = ntxent_bwd, .tol = tolerance, .grad_tol = tolerance,             \
        .attr = {scale},                                                                           \
        .in = {{.rank = 2, .dim = {2 * N, D}, .lo = -length, .hi = length, .grad = 1}},            \
    }

/* The gradient of WEIGHTED holds its weights, so that it is not that of its value. */
#define WEIGHTED(M, range, sigma)                                                                  \
    {                                                                                              \
        .name = "contrast WEIGHTED of " #M " rows within " #range, .n_in = 2, .build = build,      \
        .fwd = fwd, .bwd = bwd, .attr = {CTR_CONTRAST_WEIGHTED, sigma}, .no_gradcheck = 1,         \
        .in = {{.rank = 1, .dim = {M}, .lo = -range, .hi = range, .grad = 1},                      \
               {.rank = 1, .dim = {M}, .lo = -range, .hi = range, .grad = 1}},                     \
    }

const struct opcase opcases_contrast[] = {
    CASE(1, 1, NTXENT, 0),
    CASE(31, 100, NTXENT, 0),
    CASE(65, 10, NTXENT, 0),
    CASE(5000, 3, NTXENT, 0),
    CASE(1, 1, DECOUPLED, 0),
    CASE(33, 100, DECOUPLED, 0),
    CASE(5000, 3, DECOUPLED, 0),
    WEIGHTED(1, 1, 0.5),
    WEIGHTED(33, 10, 0.5),
    WEIGHTED(512, 3, 0.3),
    CASE(1, 1, DEBIASED, 0, 0.1, 1),
    CASE(33, 3, DEBIASED, 0, 0.1, 2),
    CASE(65, 10, DEBIASED, 0, 0.05, 100),
    CASE(31, 2, DEBIASED, 0, 0, 30),
    CASE(5000, 3, DEBIASED, 0, 0.2, 5),
    FIGURE(1, nearest),
    FIGURE(300, nearest),
    FIGURE(65, similarity),
    NTXENT(1, 3, 2, 1, 1e-6),
    NTXENT(2, 3, 100, 1, 1e-5),
    NTXENT(33, 64, 2, 0.22, 1e-6),
    NTXENT(65, 130, 100, 0.15, 1e-5),
    NTXENT(256, 128, 2, 0.15, 1e-6),
    {0},
};
