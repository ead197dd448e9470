/* Cases of pairs: each kind by instance and by label; margins that few and that all pairs are within. */
#include "opcheck.h"
#include "ref/ref.h"

/* attr: kind, margin, N. in: z, label or none; of the sigmoid z, slope, bias, label or none. */
static int is_sigmoid(const struct opcase *c)
{
    return (int)c->attr[0] == CTR_PAIRS_SIGMOID;
}

static unsigned label_at(const struct opcase *c)
{
    return is_sigmoid(c) ? 3 : 1;
}

static ctr_tensor *loss(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    ctr_tensor *label = c->n_in > label_at(c) ? in[label_at(c)] : NULL;
    if (is_sigmoid(c))
        return ctr_pairs_sigmoid(g, in[0], label, (size_t)c->attr[2], in[1], in[2]);
    return ctr_pairs(g, in[0], label, (size_t)c->attr[2], (float)c->attr[1],
                     (enum ctr_pairs_kind)c->attr[0]);
}

static ctr_tensor *right(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    return ctr_pairs_right(loss(g, in, c));
}

/* Slope and bias, where there are any. */
static const double *line_of(double line[2], const double *const *x, const struct opcase *c)
{
    line[0] = is_sigmoid(c) ? *x[1] : 0;
    line[1] = is_sigmoid(c) ? *x[2] : 0;
    return line;
}

static const double *label_of(const double *const *x, const struct opcase *c)
{
    return c->n_in > label_at(c) ? x[label_at(c)] : NULL;
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    double line[2];
    ref_pairs_fwd(y, NULL, x[0], label_of(x, c), line_of(line, x, c), (float)c->attr[1],
                  (int)c->attr[0], c->in[0].dim[0], (size_t)c->attr[2], c->in[0].dim[1]);
}

static void right_fwd(double *y, const double *const *x, const struct opcase *c)
{
    double line[2];
    ref_pairs_fwd(NULL, y, x[0], label_of(x, c), line_of(line, x, c), (float)c->attr[1],
                  (int)c->attr[0], c->in[0].dim[0], (size_t)c->attr[2], c->in[0].dim[1]);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    double line[2], dline[2] = {0};
    ref_pairs_bwd(dx[0], dline, dy[0], x[0], label_of(x, c), line_of(line, x, c), (float)c->attr[1],
                  (int)c->attr[0], c->in[0].dim[0], (size_t)c->attr[2], c->in[0].dim[1]);
    for (unsigned i = 0; i < 2 && is_sigmoid(c); i++)
        *dx[1 + i] = dline[i];
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

/* Slope in [0.5,2), bias in [0,2): some of either sort are right and some wrong. */
#define SIGMOID_IN(V, N, D, g)                                                                     \
    {.rank = 2, .dim = {V * N, D}, .grad = g},                                                     \
        {.rank = 2, .dim = {1, 1}, .lo = 0.5, .hi = 2, .grad = g},                                 \
    {                                                                                              \
        .rank = 1, .dim = {1}, .lo = 0, .hi = 2, .grad = g                                         \
    }
#define SIGMOID(V, N, D)                                                                           \
    {                                                                                              \
        .name = "pairs sigmoid, " #V " views of " #N " x " #D, .n_in = 3, .build = loss,           \
        .fwd = fwd, .bwd = bwd, .attr = {CTR_PAIRS_SIGMOID, 1, N}, .tol = 2e-6, .grad_tol = 2e-6,  \
        .in = {SIGMOID_IN(V, N, D, 1)},                                                            \
    }
#define SIGMOID_SHARE(V, N, D)                                                                     \
    {                                                                                              \
        .name = "pairs right sigmoid, " #V " views of " #N " x " #D, .n_in = 3, .build = right,    \
        .fwd = right_fwd, .attr = {CTR_PAIRS_SIGMOID, 1, N}, .in = {SIGMOID_IN(V, N, D, 0)},       \
    }
#define SIGMOID_LABELS(V, N, D, classes)                                                           \
    {                                                                                              \
        .name = "pairs sigmoid, " #V " views of " #N " x " #D ", " #classes " classes", .n_in = 4, \
        .build = loss, .fwd = fwd, .bwd = bwd, .attr = {CTR_PAIRS_SIGMOID, 1, N}, .tol = 2e-6,     \
        .grad_tol = 2e-6,                                                                          \
        .in = {SIGMOID_IN(V, N, D, 1),                                                             \
               {.rank = 1, .dim = {N}, .dtype = CTR_I32, .lo = 0, .hi = classes}},                 \
    }

const struct opcase opcases_pairs[] = {
    IMAGES(MARGIN, 2, 1, 3, 1),
    IMAGES(MARGIN, 2, 31, 4, 1),
    IMAGES(MARGIN, 3, 11, 33, 6),
    LABELS(MARGIN, 1, 33, 16, 4, 3),
    LABELS(MARGIN, 2, 32, 65, 3, 10),
    IMAGES(HARD, 2, 1, 3, 1),
    IMAGES(HARD, 2, 31, 5, 1),
    LABELS(HARD, 1, 33, 16, 1, 3),
    LABELS(HARD, 2, 32, 31, 0.2, 10),
    IMAGES(SEMIHARD, 2, 33, 5, 1),
    LABELS(SEMIHARD, 1, 31, 16, 1, 3),
    LABELS(SEMIHARD, 2, 17, 8, 0.2, 4),
    SHARE(MARGIN, 2, 33, 3, 2),
    SHARE(HARD, 2, 31, 2, 1),
    SHARE(SEMIHARD, 3, 21, 2, 1),
    SIGMOID(2, 1, 3),
    SIGMOID(2, 31, 4),
    SIGMOID(3, 11, 33),
    SIGMOID_LABELS(1, 33, 16, 3),
    SIGMOID_LABELS(2, 32, 65, 10),
    SIGMOID_SHARE(2, 31, 2),
    {0},
};
