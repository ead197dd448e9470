/* Cases of pairs: each kind by instance and by label; margins that few and that all pairs are within. */
#include "opcheck.h"
#include "ref/ref.h"

/* attr: kind, margin, N. */
static ctr_tensor *loss(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_pairs(g, in[0], c->n_in > 1 ? in[1] : NULL, (size_t)c->attr[2], (float)c->attr[1],
                     (enum ctr_pairs_kind)c->attr[0]);
}

static ctr_tensor *right(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_pairs_right(loss(g, in, c));
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_pairs_fwd(y, NULL, x[0], c->n_in > 1 ? x[1] : NULL, (float)c->attr[1], (int)c->attr[0],
                  c->in[0].dim[0], (size_t)c->attr[2], c->in[0].dim[1]);
}

static void right_fwd(double *y, const double *const *x, const struct opcase *c)
{
    ref_pairs_fwd(NULL, y, x[0], c->n_in > 1 ? x[1] : NULL, (float)c->attr[1], (int)c->attr[0],
                  c->in[0].dim[0], (size_t)c->attr[2], c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    ref_pairs_bwd(dx[0], dy[0], x[0], c->n_in > 1 ? x[1] : NULL, (float)c->attr[1], (int)c->attr[0],
                  c->in[0].dim[0], (size_t)c->attr[2], c->in[0].dim[1]);
}

#define IMAGES(kind, V, N, D, margin)                                                              \
    {                                                                                              \
        .name = "pairs " #kind ", " #V " views of " #N " x " #D ", margin " #margin, .n_in = 1,    \
        .build = loss, .fwd = fwd, .bwd = bwd, .attr = {CTR_PAIRS_##kind, margin, N}, .tol = 2e-6, \
        .grad_tol = 2e-6, .in = {{.rank = 2, .dim = {V * N, D}, .grad = 1}},                       \
    }
#define LABELS(kind, V, N, D, margin, classes)                                                     \
    {                                                                                              \
        .name = "pairs " #kind ", " #V " views of " #N " x " #D ", " #classes " classes",          \
        .n_in = 2, .build = loss, .fwd = fwd, .bwd = bwd, .attr = {CTR_PAIRS_##kind, margin, N},   \
        .tol = 2e-6, .grad_tol = 2e-6,                                                             \
        .in = {{.rank = 2, .dim = {V * N, D}, .grad = 1},                                          \
               {.rank = 1, .dim = {N}, .dtype = CTR_I32, .lo = 0, .hi = classes}},                 \
    }
#define SHARE(kind, V, N, D, margin)                                                               \
    {                                                                                              \
        .name = "pairs right " #kind ", " #V " views of " #N " x " #D, .n_in = 1, .build = right,  \
        .fwd = right_fwd, .attr = {CTR_PAIRS_##kind, margin, N},                                   \
        .in = {{.rank = 2, .dim = {V * N, D}}},                                                    \
    }

const struct opcase opcases_pairs[] = {
    IMAGES(MARGIN, 2, 1, 3, 1),        IMAGES(MARGIN, 2, 31, 4, 1),
    IMAGES(MARGIN, 3, 11, 33, 6),      LABELS(MARGIN, 1, 33, 16, 4, 3),
    LABELS(MARGIN, 2, 32, 65, 3, 10),  IMAGES(HARD, 2, 1, 3, 1),
    IMAGES(HARD, 2, 31, 5, 1),         LABELS(HARD, 1, 33, 16, 1, 3),
    LABELS(HARD, 2, 32, 31, 0.2, 10),  IMAGES(SEMIHARD, 2, 33, 5, 1),
    LABELS(SEMIHARD, 1, 31, 16, 1, 3), LABELS(SEMIHARD, 2, 17, 8, 0.2, 4),
    SHARE(MARGIN, 2, 33, 3, 2),        SHARE(HARD, 2, 31, 2, 1),
    SHARE(SEMIHARD, 3, 21, 2, 1),      {0},
};
