/* bench_ops.c -- the families of ops and the shapes worth timing: those of the networks here. */
#include "bench.h"

#include <string.h>

#include "data/augment.h"
#include "op/op.h"
#include "optim/optim.h"

static ctr_tensor *input(struct bench_graph *b, const char *name, unsigned rank, const size_t *dim)
{
    return ctr_graph_input(b->g, name, CTR_F32, rank, dim);
}

/* An input whose gradient is wanted in these passes. */
static ctr_tensor *wanted(struct bench_graph *b, const char *name, unsigned rank, const size_t *dim,
                          unsigned passes, enum bench_pass pass)
{
    ctr_tensor *t = input(b, name, rank, dim);
    if (t && (pass & passes))
        ctr_graph_want_grad(t);
    return t;
}

/* The same, an activation: stored as --precision says, before time is taken. */
static ctr_tensor *activation(struct bench_graph *b, const char *name, const size_t dim[4],
                              unsigned passes, enum bench_pass pass)
{
    ctr_tensor *t = ctr_cast(b->g, input(b, name, 4, dim), b->storage);
    if (t && (pass & passes))
        ctr_graph_want_grad(t);
    bench_start(b);
    return t;
}

static int gradients(struct bench_graph *b, ctr_tensor *y, enum bench_pass pass)
{
    return pass & (BENCH_FWD | BENCH_ONE) ? ctr_graph_status(b->g) : bench_backward(b, y);
}

/* ---- conv2d: N H W=H C, K filters of R x R ---- */

static int conv2d(struct bench_graph *b, const size_t *v, enum bench_pass pass)
{
    size_t N = v[0], H = v[1], C = v[2], K = v[3], R = v[4], stride = v[5], pad = v[6], cnn = v[7];
    ctr_tensor *x = activation(b, "x", (size_t[]){N, H, H, C}, BENCH_DX, pass);
    ctr_tensor *w = wanted(b, "w", 4, (size_t[]){K, C, R, R}, BENCH_DW, pass);
    ctr_tensor *bias = cnn ? wanted(b, "b", 1, &K, BENCH_DW, pass) : NULL;
    ctr_tensor *y = cnn ? ctr_conv2d_pool(b->g, x, w, bias, stride, pad, 1)
                        : ctr_conv2d(b->g, x, w, NULL, stride, pad, 0);
    return gradients(b, y, pass);
}

#define CASE(label, which, ...)                                                                    \
    {                                                                                              \
        .name = label, .passes = which, .v = { __VA_ARGS__ }                                       \
    }
#define ALL (BENCH_FWD | BENCH_DX | BENCH_DW)
/* CIFAR ResNet-18 with 64 pairs: its four stages, first layer, one that halves the map, a shortcut;
 * then both layers of `cnn` with 256 pairs (bias, ReLU and pooling in one), and ResNet-50's 1x1. */
static const struct bench_case conv2d_cases[] = {
    CASE("64x32", ALL, 128, 32, 64, 64, 3, 1, 1),
    CASE("128x16", ALL, 128, 16, 128, 128, 3, 1, 1),
    CASE("256x8", ALL, 128, 8, 256, 256, 3, 1, 1),
    CASE("512x4", ALL, 128, 4, 512, 512, 3, 1, 1),
    CASE("stem", BENCH_FWD | BENCH_DW, 128, 32, 3, 64, 3, 1, 1),
    CASE("stride2", ALL, 128, 32, 64, 128, 3, 2, 1),
    CASE("shortcut", ALL, 128, 32, 64, 128, 1, 2, 0),
    CASE("1x1", ALL, 128, 16, 256, 64, 1, 1, 0),
    CASE("cnn1", BENCH_FWD | BENCH_DW, 512, 32, 3, 32, 3, 1, 0, 1),
    CASE("cnn2", ALL, 512, 15, 32, 64, 3, 1, 0, 1),
    {.name = NULL},
};
static const struct bench_family conv2d_family = {
    .name = "conv2d",
    .keys = {"N", "H", "C", "K", "R", "stride", "pad", "bias_relu_pool"},
    .record = conv2d,
    .cases = conv2d_cases,
};

/* ---- conv2d in groups: N H W=H C, K filters of R x R over C / groups channels ---- */

static int conv2d_grouped(struct bench_graph *b, const size_t *v, enum bench_pass pass)
{
    size_t N = v[0], H = v[1], C = v[2], K = v[3], R = v[4], groups = v[7];
    ctr_tensor *x = activation(b, "x", (size_t[]){N, H, H, C}, BENCH_DX, pass);
    ctr_tensor *w = wanted(b, "w", 4, (size_t[]){K, C / groups, R, R}, BENCH_DW, pass);
    return gradients(b, ctr_conv2d_grouped(b->g, x, w, NULL, v[5], v[6], groups, 0), pass);
}

/* ResNeXt-50 with 32 pairs, by the channels of a group, and where a stage begins; depthwise. */
static const struct bench_case conv2d_grouped_cases[] = {
    CASE("32x4", ALL, 64, 32, 128, 128, 3, 1, 1, 32),
    CASE("32x8", ALL, 64, 16, 256, 256, 3, 1, 1, 32),
    CASE("32x16", ALL, 64, 8, 512, 512, 3, 1, 1, 32),
    CASE("32x32", ALL, 64, 4, 1024, 1024, 3, 1, 1, 32),
    CASE("32x8-stride2", ALL, 64, 32, 256, 256, 3, 2, 1, 32),
    CASE("depthwise", ALL, 128, 32, 64, 64, 3, 1, 1, 64),
    CASE("depthwise-stride2", ALL, 128, 32, 64, 64, 3, 2, 1, 64),
    {.name = NULL},
};
static const struct bench_family conv2d_grouped_family = {
    .name = "conv2d_grouped",
    .keys = {"N", "H", "C", "K", "R", "stride", "pad", "groups"},
    .record = conv2d_grouped,
    .cases = conv2d_grouped_cases,
};

/* ---- dense: N rows of I, O outputs, with bias ---- */

static int dense(struct bench_graph *b, const size_t *v, enum bench_pass pass)
{
    ctr_tensor *x = wanted(b, "x", 2, (size_t[]){v[0], v[1]}, BENCH_BWD, pass);
    ctr_tensor *w = wanted(b, "w", 2, (size_t[]){v[2], v[1]}, BENCH_BWD, pass);
    ctr_tensor *bias = wanted(b, "b", 1, &v[2], BENCH_BWD, pass);
    return gradients(b, ctr_dense(b->g, x, w, bias, 0), pass);
}

/* Both products: our register tiles and the BLAS. */
#define DENSE(label, N, I, O, by)                                                                  \
    {                                                                                              \
        .name = label "/" by, .passes = BENCH_FWD | BENCH_BWD, .v = {N, I, O}, .variant = by       \
    }
static const struct bench_case dense_cases[] = {
    DENSE("cnn", 512, 2304, 64, "tiles"),
    DENSE("cnn", 512, 2304, 64, "blas"),
    DENSE("head", 128, 512, 512, "tiles"),
    DENSE("head", 128, 512, 512, "blas"),
    {.name = NULL},
};
static const struct bench_family dense_family = {
    .name = "dense",
    .fwd_op = "dense",
    .bwd_op = "dense_bwd",
    .keys = {"N", "I", "O"},
    .record = dense,
    .cases = dense_cases,
};

/* ---- batch norm ---- */

static int batch_norm(struct bench_graph *b, const size_t *v, enum bench_pass pass)
{
    size_t dim[] = {v[0], v[1], v[1], v[2]}, *C = &dim[3];
    struct ctr_batch_norm bn = {.gamma = wanted(b, "gamma", 1, C, BENCH_BWD, pass),
                                .beta = wanted(b, "beta", 1, C, BENCH_BWD, pass),
                                .running_mean = input(b, "mean", 1, C),
                                .running_var = input(b, "var", 1, C),
                                .eps = 1e-5f,
                                .momentum = 0.1f,
                                .training = 1,
                                .relu = 1};
    if (v[3])
        bn.residual = activation(b, "residual", dim, BENCH_BWD, pass);
    ctr_tensor *x = activation(b, "x", dim, BENCH_BWD, pass);
    return gradients(b, ctr_batch_norm(b->g, x, &bn), pass);
}

static const struct bench_case batch_norm_cases[] = {
    CASE("64x32", BENCH_FWD | BENCH_BWD, 128, 32, 64, 0),
    CASE("64x32+residual", BENCH_FWD | BENCH_BWD, 128, 32, 64, 1),
    CASE("512x4", BENCH_FWD | BENCH_BWD, 128, 4, 512, 0),
    {.name = NULL},
};
static const struct bench_family batch_norm_family = {
    .name = "batch_norm",
    .keys = {"N", "H", "C", "residual"},
    .record = batch_norm,
    .cases = batch_norm_cases,
};

/* ---- pooling ---- */

static int pool(struct bench_graph *b, const size_t *v, enum bench_pass pass)
{
    ctr_tensor *x = activation(b, "x", (size_t[]){v[0], v[1], v[1], v[2]}, BENCH_BWD, pass);
    ctr_tensor *y = v[3] ? ctr_max_pool(b->g, x, v[3], v[4], v[5]) : ctr_global_avg_pool(b->g, x);
    return gradients(b, y, pass);
}

static const struct bench_case pool_cases[] = {
    CASE("max2", BENCH_FWD | BENCH_BWD, 512, 30, 32, 2, 2, 0),
    CASE("max3", BENCH_FWD | BENCH_BWD, 32, 112, 64, 3, 2, 1),
    CASE("global", BENCH_FWD | BENCH_BWD, 128, 4, 512, 0),
    {.name = NULL},
};
static const struct bench_family pool_family = {
    .name = "pool",
    .keys = {"N", "H", "C", "size", "stride", "pad"},
    .record = pool,
    .cases = pool_cases,
};

/* ---- NT-Xent of N pairs ---- */

static int ntxent(struct bench_graph *b, const size_t *v, enum bench_pass pass)
{
    ctr_tensor *z = ctr_l2norm(b->g, input(b, "z", 2, (size_t[]){2 * v[0], v[1]}));
    b->first = 1; /* making rows of length one is not part of it */
    if (z && pass == BENCH_BWD)
        ctr_graph_want_grad(z);
    ctr_tensor *positive = ctr_row_dot(b->g, z, z, 2, v[0]);
    ctr_tensor *negatives = ctr_lse(b->g, z, z, 2, v[0], NULL);
    struct ctr_contrast contrast = {.kind = CTR_CONTRAST_NTXENT, .scale = 2};
    return gradients(b, ctr_contrast(b->g, positive, negatives, NULL, &contrast), pass);
}

static const struct bench_case ntxent_cases[] = {
    CASE("512", BENCH_FWD | BENCH_BWD, 512, 128),
    CASE("4096", BENCH_FWD | BENCH_BWD, 4096, 128),
    {.name = "32768", .passes = BENCH_FWD | BENCH_BWD, .v = {32768, 128}, .full = 1},
    {.name = NULL},
};
static const struct bench_family ntxent_family = {
    .name = "ntxent",
    .keys = {"N", "D"},
    .record = ntxent,
    .cases = ntxent_cases,
};

/* ---- optimisers over as many parameters as ResNet-18 has ---- */

static int optimizer(struct bench_graph *b, const size_t *v, enum bench_pass pass)
{
    const struct ctr_optim *o = ctr_optims[v[1]];
    double option[CTR_MAX_OPTIONS] = {0};
    for (size_t i = 0; o->options && o->options[i].name; i++)
        option[i] = o->options[i].init;
    ctr_store_moments(b->store, o->moments);
    ctr_graph_param(b->g, "w", 1, &v[0], (struct ctr_init){CTR_INIT_NORMAL, 0.1f}, 0);
    ctr_tensor *scalars = input(b, "scalars", 1, (size_t[]){2});
    return o->record(b->g, scalars, &(struct ctr_optim_params){1e-4f, 1, option});
}

static const struct bench_case optimizer_cases[] = {
    CASE("sgd", BENCH_ONE, 11500000, 0),
    CASE("adamw", BENCH_ONE, 11500000, 1),
    CASE("lars", BENCH_ONE, 11500000, 2),
    {.name = NULL},
};
static const struct bench_family optimizer_family = {
    .name = "optimizer",
    .keys = {"parameters", "which"},
    .record = optimizer,
    .cases = optimizer_cases,
};

/* ---- augmentation: two views of each of N images, by a preset or by one transformation ---- */

static int augment(struct bench_graph *b, const size_t *v, enum bench_pass pass)
{
    size_t N = v[0], H = v[1];
    struct ctr_augment_params p = {0};
    int rc = v[2] ? ctr_augment_parse(&p, ctr_transforms[v[2] - 1].name) : 0;
    if (rc != 0)
        return rc;
    if (v[2])
        p.pipeline[0].stage[0].p = 1;
    struct ctr_augment_source source = {
        .images = ctr_graph_input(b->g, "images", CTR_U8, 4, (size_t[]){N, H, H, 3}),
        .index = ctr_graph_input(b->g, "index", CTR_U32, 1, &N),
        .stream = 1};
    ctr_tensor *step = ctr_graph_input(b->g, "step", CTR_U32, 1, (size_t[]){CTR_STEP_WORDS});
    ctr_augment(b->g, source, step, 2, H, H, &p);
    return ctr_graph_status(b->g);
}

#define ALONE(word, kind)                                                                          \
    {                                                                                              \
        .name = word, .passes = BENCH_ONE, .v = {256, 32, CTR_T_##kind + 1}, .full = 1             \
    }
static const struct bench_case augment_cases[] = {
    CASE("32", BENCH_ONE, 256, 32),
    CASE("224", BENCH_ONE, 16, 224),
    ALONE("crop", CROP),
    ALONE("flip", FLIP),
    ALONE("affine", AFFINE),
    ALONE("jitter", JITTER),
    ALONE("autocontrast", AUTOCONTRAST),
    ALONE("equalize", EQUALIZE),
    ALONE("noise", NOISE),
    ALONE("blur", BLUR),
    ALONE("sobel", SOBEL),
    ALONE("erase", ERASE),
    {.name = NULL},
};
#undef ALONE
static const struct bench_family augment_family = {
    .name = "augment",
    .keys = {"N", "H", "kind"},
    .record = augment,
    .cases = augment_cases,
};

const struct bench_family *const bench_families[] = {
    &conv2d_family, &conv2d_grouped_family, &bench_gemm,       &dense_family,   &batch_norm_family,
    &pool_family,   &ntxent_family,         &optimizer_family, &augment_family, NULL,
};
