/* Cases of conv2d: shapes that each variant takes (direct: any; thin: few channels; Winograd: 3x3
 * of stride 1, channels in 32s, on GPUs in 4s and enough of them), ragged maps and channels, borders wider
 * than the image, real layers. */
#include "opcheck.h"
#include "ref/ref.h"

/* attr: stride, padding, relu, pool, groups. Inputs: x, w and, when there are three, b. */
static struct ref_conv2d shape(const struct opcase *c)
{
    const size_t *x = c->in[0].dim, *w = c->in[1].dim;
    size_t stride = (size_t)c->attr[0], pad = (size_t)c->attr[1];
    return (struct ref_conv2d){.N = x[0],
                               .H = x[1],
                               .W = x[2],
                               .C = x[3],
                               .P = (x[1] + 2 * pad - w[2]) / stride + 1,
                               .Q = (x[2] + 2 * pad - w[3]) / stride + 1,
                               .K = w[0],
                               .R = w[2],
                               .S = w[3],
                               .stride = stride,
                               .pad = pad,
                               .groups = (size_t)c->attr[4],
                               .relu = c->attr[2] != 0,
                               .pool = c->attr[3] != 0};
}

static ctr_tensor *build(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c)
{
    ctr_tensor *b = c->n_in > 2 ? in[2] : NULL;
    size_t stride = (size_t)c->attr[0], pad = (size_t)c->attr[1];
    if (c->attr[4] > 1)
        return ctr_conv2d_grouped(g, in[0], in[1], b, stride, pad, (size_t)c->attr[4],
                                  c->attr[2] != 0);
    return c->attr[3] != 0 ? ctr_conv2d_pool(g, in[0], in[1], b, stride, pad, c->attr[2] != 0)
                           : ctr_conv2d(g, in[0], in[1], b, stride, pad, c->attr[2] != 0);
}

static void fwd(double *y, const double *const *x, const struct opcase *c)
{
    struct ref_conv2d s = shape(c);
    ref_conv2d_fwd(y, x[0], x[1], c->n_in > 2 ? x[2] : NULL, &s);
}

static void bwd(double *const *dx, const double *dy, const double *const *x, const struct opcase *c)
{
    struct ref_conv2d s = shape(c);
    int bias = c->n_in > 2;
    ref_conv2d_bwd(dx[0], dx[1], bias ? dx[2] : NULL, dy, x[0], x[1], bias ? x[2] : NULL, &s);
}

/* N x H x W x C by K filters of R x S, each over CG channels; bias 0 or 1; the tolerances are those of
 * F(4x4, 3x3), whose error grows with the number of channels. Batches of 16 are slow in double. */
#define LARGE(N) ((N) >= 16)
#define SHAPE(label, N, H, W, C, CG, K, R, S, stride, pad, bias, relu, pool, groups)               \
    {                                                                                              \
        .name = label " " #N "x" #H "x" #W "x" #C " -> " #K ", " #R "x" #S, .n_in = 2 + (bias),    \
        .build = build, .fwd = fwd, .bwd = bwd, .tol = LARGE(N) ? 1e-5 : 5e-6,                     \
        .grad_tol = LARGE(N) ? 1e-5 : 5e-6, .slow = LARGE(N),                                      \
        .attr = {stride, pad, relu, pool, groups},                                                 \
        .in = {                                                                                    \
            {.rank = 4, .dim = {N, H, W, C}, .grad = 1, .act = 1},                                           \
            {.rank = 4, .dim = {K, CG, R, S}, .grad = 1},                                          \
            {.rank = 1, .dim = {K}, .grad = 1},                                                    \
        },                                                                                         \
    }
#define CASE(label, N, H, W, C, K, R, S, stride, pad, bias, relu, pool)                            \
    SHAPE(label, N, H, W, C, C, K, R, S, stride, pad, bias, relu, pool, 1)
#define GROUPED(label, N, H, W, C, K, R, S, stride, pad, bias, relu, groups)                       \
    SHAPE(label, N, H, W, C, (C) / (groups), K, R, S, stride, pad, bias, relu, 0, groups)
const struct opcase opcases_conv2d[] = {
    CASE("one value", 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 0, 0),
    CASE("small", 2, 4, 5, 3, 4, 3, 3, 1, 1, 1, 1, 0),
    CASE("ragged", 2, 5, 7, 31, 33, 3, 3, 1, 1, 1, 1, 0),
    CASE("ragged stride 2", 3, 5, 7, 33, 31, 3, 3, 2, 1, 1, 1, 0),
    CASE("stride 2 in passes", 8, 17, 18, 64, 64, 3, 3, 2, 1, 0, 0, 0),
    CASE("rows in passes", 2, 17, 18, 16, 33, 3, 3, 2, 1, 0, 0, 0),
    CASE("filters at once", 8, 3, 3, 24, 40, 3, 3, 1, 1, 0, 0, 0),
    CASE("no padding", 1, 6, 5, 8, 65, 5, 3, 1, 0, 0, 0, 0),
    CASE("wide padding", 2, 3, 2, 9, 33, 4, 5, 2, 3, 1, 0, 0),
    CASE("stride over filter", 2, 9, 7, 32, 1, 2, 2, 3, 0, 1, 1, 0),
    CASE("shortcut", 2, 8, 8, 32, 64, 1, 1, 2, 0, 0, 0, 0),
    CASE("shortcut small", 1, 3, 5, 7, 9, 1, 1, 2, 0, 1, 1, 0),
    CASE("shortcut odd", 3, 9, 7, 33, 65, 1, 1, 2, 0, 1, 1, 0),
    CASE("shortcut by three", 2, 11, 12, 17, 31, 1, 1, 3, 0, 1, 0, 0),
    CASE("shortcut many pixels", 2, 66, 62, 31, 17, 1, 1, 2, 0, 0, 0, 0),
    CASE("shortcut from many channels", 1, 3, 4, 2100, 19, 1, 1, 2, 0, 1, 0, 0),
    CASE("shortcut to many channels", 1, 3, 4, 19, 2100, 1, 1, 2, 0, 0, 0, 0),
    CASE("pointwise", 2, 9, 7, 33, 65, 1, 1, 1, 0, 1, 1, 0),
    CASE("pointwise one channel", 3, 5, 5, 1, 1, 1, 1, 1, 0, 0, 0, 0),
    CASE("pointwise wide", 1, 5, 5, 64, 160, 1, 1, 1, 0, 0, 1, 0),
    CASE("pointwise many pixels", 3, 43, 37, 17, 31, 1, 1, 1, 0, 1, 0, 0),
    CASE("pointwise large map", 1, 130, 127, 5, 128, 1, 1, 1, 0, 1, 1, 0),
    CASE("pointwise large gradient", 1, 130, 127, 129, 5, 1, 1, 1, 0, 0, 0, 0),
    CASE("pointwise padded", 2, 4, 4, 16, 32, 1, 1, 1, 1, 1, 0, 0),
    CASE("first layer", 2, 32, 32, 3, 32, 3, 3, 1, 0, 1, 1, 0),
    CASE("stem", 1, 23, 21, 3, 64, 7, 7, 2, 3, 0, 0, 0),
    CASE("grey", 3, 11, 9, 1, 17, 5, 5, 1, 2, 1, 1, 0),
    CASE("grey first layer", 2, 32, 32, 1, 32, 3, 3, 1, 0, 1, 1, 1),
    CASE("two channels first layer", 2, 17, 16, 2, 32, 3, 3, 1, 0, 1, 1, 1),
    CASE("four channels first layer", 2, 16, 17, 4, 64, 3, 3, 1, 1, 0, 0, 0),
    CASE("four channels stem", 1, 23, 21, 4, 64, 7, 7, 2, 3, 0, 0, 0),
    CASE("five channels first layer", 2, 17, 17, 5, 32, 3, 3, 1, 0, 1, 1, 1),
    CASE("sixteen channels first layer", 2, 15, 16, 16, 32, 3, 3, 1, 0, 1, 1, 1),
    CASE("winograd", 2, 5, 7, 32, 32, 3, 3, 1, 1, 0, 0, 0),
    CASE("winograd relu", 3, 9, 6, 32, 64, 3, 3, 1, 0, 1, 1, 0),
    CASE("winograd wide border", 2, 6, 6, 64, 32, 3, 3, 1, 2, 1, 0, 0),
    CASE("winograd one tile", 1, 4, 4, 64, 64, 3, 3, 1, 1, 0, 0, 0),
    CASE("winograd blocks", 1, 4, 4, 32, 128, 3, 3, 1, 1, 0, 0, 0),
    CASE("winograd many tiles", 9, 5, 13, 32, 32, 3, 3, 1, 1, 1, 1, 0),
    CASE("winograd deep", 1, 8, 8, 128, 96, 3, 3, 1, 1, 0, 0, 0),
    CASE("winograd tiles", 2, 8, 11, 68, 76, 3, 3, 1, 1, 1, 1, 0),
    CASE("winograd tiles wide border", 1, 12, 12, 80, 80, 3, 3, 1, 2, 1, 0, 0),
    CASE("winograd tiles no border, pool", 2, 10, 18, 80, 80, 3, 3, 1, 0, 1, 1, 1),
    CASE("resnet18", 16, 32, 32, 64, 64, 3, 3, 1, 1, 0, 0, 0),
    CASE("resnet18", 16, 16, 16, 128, 128, 3, 3, 1, 1, 0, 0, 0),
    CASE("resnet18", 16, 8, 8, 256, 256, 3, 3, 1, 1, 0, 0, 0),
    CASE("resnet18", 16, 4, 4, 512, 512, 3, 3, 1, 1, 0, 0, 0),
    CASE("chunks", 2, 5, 7, 8, 40, 3, 3, 1, 1, 1, 1, 0),
    CASE("chunks stride 2", 3, 5, 7, 24, 16, 3, 3, 2, 1, 0, 0, 0),
    CASE("chunks wide padding", 1, 3, 4, 40, 8, 4, 5, 2, 3, 1, 0, 0),
    CASE("chunks stride over filter", 2, 9, 7, 8, 16, 2, 2, 3, 0, 1, 1, 0),
    CASE("chunks pool", 2, 11, 10, 16, 24, 3, 3, 1, 1, 1, 1, 1),
    CASE("streamed first layer", 16, 64, 65, 1, 64, 3, 3, 1, 1, 0, 0, 0), /* maps above 16 MiB */
    CASE("streamed pointwise", 16, 64, 65, 8, 64, 1, 1, 1, 0, 0, 0, 0),
    CASE("streamed winograd", 16, 46, 45, 32, 128, 3, 3, 1, 1, 0, 0, 0),
    CASE("pool one", 1, 2, 2, 1, 1, 1, 1, 1, 0, 1, 1, 1),
    CASE("pool odd", 2, 5, 7, 4, 17, 3, 3, 1, 1, 1, 0, 1),
    CASE("pool direct", 2, 11, 10, 9, 33, 3, 3, 2, 1, 1, 1, 1),
    CASE("pool first layer", 2, 32, 32, 3, 32, 3, 3, 1, 0, 1, 1, 1),
    CASE("pool winograd", 2, 15, 15, 32, 64, 3, 3, 1, 0, 1, 1, 1),
    CASE("pool winograd odd", 3, 9, 8, 64, 32, 3, 3, 1, 1, 1, 0, 1),
    GROUPED("two groups", 2, 4, 5, 6, 4, 3, 3, 1, 1, 1, 1, 2),
    GROUPED("groups ragged", 2, 5, 7, 36, 44, 3, 3, 2, 1, 1, 1, 4),
    GROUPED("groups of four", 3, 6, 5, 64, 64, 3, 3, 1, 1, 0, 0, 16),
    GROUPED("groups of many", 1, 5, 4, 70, 34, 3, 2, 1, 0, 1, 0, 2),
    GROUPED("groups of 1x1", 2, 3, 3, 24, 40, 1, 1, 1, 0, 0, 1, 8),
    GROUPED("groups of two, winograd", 2, 9, 6, 32, 32, 3, 3, 1, 1, 1, 1, 16),
    GROUPED("groups of eight, winograd", 3, 5, 9, 64, 64, 3, 3, 1, 2, 1, 0, 8),
    GROUPED("groups of sixteen, winograd", 9, 5, 13, 32, 32, 3, 3, 1, 0, 0, 1, 2),
    GROUPED("groups of 32 to 64, winograd", 2, 6, 5, 128, 256, 3, 3, 1, 1, 1, 1, 4),
    GROUPED("groups of 96 to 32, winograd", 1, 8, 8, 192, 64, 3, 3, 1, 1, 0, 0, 2),
    GROUPED("groups of four, stride 2", 3, 7, 6, 32, 32, 3, 3, 2, 1, 1, 1, 8),
    GROUPED("groups of sixteen, stride 3", 2, 11, 10, 64, 64, 3, 3, 3, 1, 0, 1, 4),
    GROUPED("groups of eight, valid", 2, 9, 8, 32, 32, 5, 3, 1, 0, 0, 0, 4),
    GROUPED("groups of 32 to 96, stride 2", 2, 7, 5, 64, 192, 3, 3, 2, 1, 1, 1, 2),
    GROUPED("groups of 64 to 32, 1x1", 2, 5, 6, 128, 64, 1, 1, 2, 0, 0, 0, 2),
    GROUPED("groups of 24 to 32", 2, 5, 4, 48, 64, 3, 3, 1, 1, 1, 1, 2),
    GROUPED("depthwise", 2, 7, 6, 33, 33, 3, 3, 1, 1, 1, 1, 33),
    GROUPED("depthwise stride 2", 3, 9, 8, 32, 32, 3, 3, 2, 1, 0, 0, 32),
    GROUPED("depthwise wide padding", 1, 3, 2, 5, 5, 5, 4, 2, 3, 1, 0, 5),
    GROUPED("depthwise blocks", 9, 4, 5, 40, 40, 3, 3, 1, 1, 0, 1, 40),
    GROUPED("depthwise long rows", 2, 3, 14, 18, 18, 2, 11, 1, 3, 0, 0, 18),
    GROUPED("depthwise times three", 2, 5, 6, 7, 21, 3, 3, 1, 1, 1, 1, 7),
    GROUPED("depthwise stride over filter", 2, 9, 7, 18, 18, 2, 2, 3, 0, 0, 0, 18),
    {.name = NULL},
};
