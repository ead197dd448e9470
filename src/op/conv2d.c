/* conv2d.c -- convolution: y[n,p,q,k] = sum over (c,r,s) of x[n, p st - pad + r, q st - pad + s, c]
 * w[k,c,r,s] (+ b[k]) (then max(., 0)) (then 2x2 max pooling), and its gradients by x, w and b. With
 * groups a filter meets the channels of its own group only (conv2d_grouped.c).
 *
 * In: x [N,H,W,C], w [K,C/groups,R,S] as PyTorch keeps it, b [K] or NULL. Out: y [N,P,Q,K].
 * Weights are repacked on the device in each step, into scratch of the node that reads them.
 * Gradients are gathers and sums in a fixed order: no atomics, same bits each time. */
#include "op/conv2d.h"
#include "op/form.h"
#include "op/tile.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- shared helpers ---- */

enum { SUM_LANES = 8 };

double conv2d_flops(const struct conv2d *c)
{
    return 2.0 * c->N * c->P * c->Q * c->K * c->R * c->S * (c->C / c->groups);
}

void conv2d_bufs(struct ctr_launch_spec *spec, size_t n, ctr_tensor *const *t)
{
    for (size_t i = 0; i < n; i++)
        spec->args[spec->n_args++] = CTR_BUF(t[i]->buf);
}

void conv2d_ints(struct ctr_launch_spec *spec, size_t n, const int *v)
{
    for (size_t i = 0; i < n; i++)
        spec->args[spec->n_args++] = CTR_I32(v[i]);
}

ctr_tensor *conv2d_scratch(const ctr_node *node, unsigned i)
{
    unsigned n = 0;
    for (ctr_tensor *t = node->scratch; t; t = t->next)
        n++;
    ctr_tensor *t = node->scratch; /* newest first */
    for (; t && n > i + 1; n--)
        t = t->next;
    return t;
}

struct conv2d_groups conv2d_groups(const struct conv2d *c, int transposed)
{
    size_t IG = (size_t)(c->C / c->groups), OG = (size_t)(c->K / c->groups);
    if (c->groups > 1 && IG < 32)
        return (struct conv2d_groups){32, 32, 16, 1};
    return transposed ? (struct conv2d_groups){OG, IG, OG, 0} : (struct conv2d_groups){IG, OG, IG, 0};
}

int conv2d_groups_fit(const struct conv2d *c)
{
    int IG = c->C / c->groups, OG = c->K / c->groups;
    return c->groups == 1 || (IG % 32 == 0 && OG % 32 == 0) || (IG == OG && 16 % IG == 0 && c->C % 32 == 0);
}

size_t conv2d_packed_bytes(const struct conv2d *c, int transposed)
{
    size_t met = conv2d_groups(c, transposed).met, out = (size_t)(transposed ? c->C : c->K);
    return (conv2d_ceil(out, 32) * 32 * (size_t)(c->R * c->S) + 2) * met * sizeof(float);
}

int conv2d_emit_pack(ctr_graph *g, const struct conv2d *c, ctr_tensor *packed, ctr_tensor *w,
                     int transposed)
{
    int met = (int)conv2d_groups(c, transposed).met, out = transposed ? c->C : c->K;
    struct ctr_launch_spec spec = {.file = "op/conv2d.cl",
                                   .kernel = "conv2d_pack",
                                   .bytes = (double)w->bytes + (double)packed->bytes};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){packed, w});
    conv2d_ints(&spec, 6,
                (int[]){met, out, c->C / c->groups, c->K / c->groups, c->R * c->S, transposed});
    ctr_grid_items(g, &spec, conv2d_ceil((size_t)out, 32) * 2 * (size_t)met, 64);
    return ctr_emit(g, &spec);
}

/* On GPUs work-items share the parts of a sum where these are many: few weights make few sums. */
int conv2d_emit_dw_sum(ctr_graph *g, const struct conv2d *c, ctr_tensor *dw, ctr_tensor *part,
                       size_t splits)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    struct ctr_launch_spec spec = {.file = "op/conv2d.cl",
                                   .kernel = "conv2d_bwd_dw_sum",
                                   .flops = (double)dw->count * (double)splits,
                                   .bytes = (double)dw->bytes * (double)(splits + 1)};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){dw, part});
    conv2d_ints(&spec, 4, (int[]){(int)splits, c->R * c->S, c->C / c->groups, c->K});
    static const char *const sum_options[2][2] = {{NULL, "-DEVEN_O=1"},
                                                  {"-DSUM_LANES=8", "-DSUM_LANES=8 -DEVEN_O=1"}};
    size_t vw = caps->family == CTR_FAMILY_CPU ? 16 : 4, lanes = 1; /* VW of the kernels */
    size_t row = (size_t)(c->C / c->groups * c->R * c->S);
    if (caps->family == CTR_FAMILY_GPU && caps->max_group >= 64 && splits >= SUM_LANES)
        lanes = SUM_LANES;
    if (caps->family == CTR_FAMILY_GPU)
        spec.options = sum_options[lanes > 1][c->K % 4 == 0];
    ctr_grid_items(g, &spec, conv2d_ceil((size_t)c->K, vw) * conv2d_ceil(row, vw) * lanes, 64);
    return ctr_emit(g, &spec);
}

int conv2d_emit_db_sum(ctr_graph *g, const struct conv2d *c, ctr_tensor *db, ctr_tensor *part,
                       size_t at, size_t splits)
{
    struct ctr_launch_spec spec = {.file = "op/conv2d.cl",
                                   .kernel = "conv2d_bwd_db_sum",
                                   .flops = (double)db->count * (double)splits,
                                   .bytes = (double)db->bytes * (double)(splits + 1)};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){db, part});
    spec.args[spec.n_args++] = CTR_U64(at);
    conv2d_ints(&spec, 2, (int[]){(int)splits, c->K});
    ctr_grid_items(g, &spec, conv2d_ceil((size_t)c->K, 16), 64);
    return ctr_emit(g, &spec);
}

int conv2d_prepare_full(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    size_t count = (size_t)c->N * (size_t)(c->P * c->Q) * (size_t)c->K;
    return c->pool && !ctr_node_scratch(g, node, count * sizeof(float)) ? CTR_E_FAIL : 0;
}

ctr_tensor *conv2d_full(const ctr_node *node)
{
    return conv2d_of(node)->pool ? conv2d_scratch(node, 0) : node->out[0];
}

int conv2d_emit_pool(ctr_graph *g, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *y = node->out[0], *at = node->out[1], *full = conv2d_full(node);
    if (!c->pool)
        return 0;
    struct ctr_launch_spec spec = {.file = "op/conv2d.cl",
                                   .kernel = "conv2d_pool",
                                   .flops = 4.0 * (double)y->count,
                                   .bytes = (double)(full->bytes + y->bytes + at->bytes)};
    conv2d_bufs(&spec, 3, (ctr_tensor *[]){y, at, full});
    conv2d_ints(&spec, 5, (int[]){c->relu, c->N, c->P, c->Q, c->K});
    ctr_grid_items(g, &spec, conv2d_ceil((size_t)c->K, 16) * (size_t)c->N * (size_t)(c->P / 2), 64);
    return ctr_emit(g, &spec);
}

/* Pixels of dy that one partial sum takes: 16 blocks a compute unit, 256 at most. */
static size_t gated_pixels(size_t *blocks, const struct ctr_caps *caps, const struct conv2d *c)
{
    int h = c->pool ? c->P / 2 : c->P, w = c->pool ? c->Q / 2 : c->Q;
    size_t pixels = (size_t)c->N * (size_t)(h * w);
    size_t most = conv2d_min(256, 16 * (size_t)caps->compute_units);
    size_t per = conv2d_max(conv2d_ceil(pixels, most), 16);
    *blocks = conv2d_ceil(pixels, per);
    return per;
}

int conv2d_prepare_gated(ctr_graph *g, ctr_node *node, int sums)
{
    const struct conv2d *c = conv2d_of(node);
    size_t blocks, full = (size_t)c->N * (size_t)(c->P * c->Q) * (size_t)c->K;
    gated_pixels(&blocks, ctr_graph_caps(g), c);
    if (conv2d_gate(c) &&
        !ctr_node_scratch(g, node, full * ctr_dtype_bytes(ctr_node_storage(node))))
        return CTR_E_FAIL;
    return sums && !ctr_node_scratch(g, node, blocks * (size_t)c->K * sizeof(float)) ? CTR_E_FAIL
                                                                                     : 0;
}

int conv2d_emit_gated(ctr_graph *g, const ctr_node *node, ctr_tensor **gated, ctr_tensor *dy,
                      ctr_tensor *gate, ctr_tensor *db)
{
    const struct conv2d *c = conv2d_of(node);
    *gated = dy;
    if (!gate && !db)
        return 0;
    ctr_tensor *out = conv2d_scratch(node, 0), *part = db && gate ? conv2d_scratch(node, 1) : out;
    size_t blocks, per = gated_pixels(&blocks, ctr_graph_caps(g), c);
    struct ctr_launch_spec spec = {.file = "op/conv2d.cl",
                                   .kernel = c->pool ? "conv2d_bwd_unpool" : "conv2d_bwd_mask",
                                   .flops = 2.0 * (double)dy->count,
                                   .bytes = (double)dy->bytes +
                                            (gate ? (double)(gate->bytes + out->bytes) : 0.0)};
    conv2d_bufs(&spec, 4, (ctr_tensor *[]){out, part, dy, gate ? gate : dy});
    if (c->pool)
        conv2d_ints(&spec, 6, (int[]){db != NULL, c->N, c->P, c->Q, c->K, (int)per});
    else
        conv2d_ints(&spec, 5,
                    (int[]){gate != NULL, db != NULL, c->N * c->P * c->Q, c->K, (int)per});
    ctr_grid_items(g, &spec, conv2d_ceil((size_t)c->K, 16) * blocks, 64);
    int rc = ctr_emit(g, &spec);
    if (gate)
        *gated = out;
    return rc != 0 || !db ? rc : conv2d_emit_db_sum(g, c, db, part, 0, blocks);
}

/* ---- recording ---- */

/* What may follow: .half = 1 for kernels that take fp16 and bf16. */
#define VARIANT(n, v, ...)                                                                         \
    {                                                                                              \
        .name = n, .usable = v##_usable, .prepare = v##_prepare, .lower = v##_lower, __VA_ARGS__   \
    }
#define CONFIGURED(n, v, ...) VARIANT(n, v, .configs = v##_configs, __VA_ARGS__)
#define GENERAL(v, ...)                                                                            \
    {                                                                                              \
        .name = "general", .prepare = v##_prepare, .lower = v##_lower, .configs = v##_configs,     \
        __VA_ARGS__                                                                                \
    }
#define MMA(v)                                                                                     \
    {                                                                                              \
        .name = "mma", .usable = conv2d_mma_usable, .prepare = v##_prepare, .lower = v##_lower,    \
        .configs = v##_configs, .half = 1, .error = CTR_TILE_MMA_ERROR                             \
    }

static const struct ctr_op conv2d_bwd_dx = {
    .name = "conv2d_bwd_dx",
    .whole_below = 4, /* a gate with `pool`: places of maxima */
    .variants =
        (const struct ctr_variant[]){
            CONFIGURED("winograd", conv2d_winograd_dx, .half = 1),
            VARIANT("pointwise", conv2d_pointwise_dx),
            VARIANT("direct", conv2d_direct_dx, .half = 1),
            MMA(conv2d_tile_dx),
            CONFIGURED("winograd_gpu", conv2d_winograd_gpu_dx, .half = 1),
            GENERAL(conv2d_tile_dx, .half = 1),
            {0}},
};

static const struct ctr_op conv2d_bwd_dw = {
    .name = "conv2d_bwd_dw",
    .whole_below = 4, /* a gate with `pool`: places of maxima */
    .variants =
        (const struct ctr_variant[]){
            VARIANT("winograd", conv2d_winograd_dw, .half = 1),
            VARIANT("thin", conv2d_thin_dw, .half = 1),
            VARIANT("pointwise", conv2d_pointwise_dw),
            VARIANT("direct", conv2d_direct_dw, .half = 1),
            MMA(conv2d_tile_dw),
            CONFIGURED("winograd_gpu", conv2d_winograd_gpu_dw, .half = 1),
            GENERAL(conv2d_tile_dw, .half = 1),
            {0}},
};

int conv2d_grad(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2], *y = node->out[0];
    ctr_tensor *gate = c->pool ? node->out[1] : c->relu ? y : NULL;
    const struct ctr_op *by_x = c->groups > 1 ? &conv2d_grouped_bwd_dx : &conv2d_bwd_dx;
    const struct ctr_op *by_w = c->groups > 1 ? &conv2d_grouped_bwd_dw : &conv2d_bwd_dw;
    if (ctr_needs_grad(w) || ctr_needs_grad(b)) {
        ctr_node *bwd =
            ctr_node_add(g, by_w, c, sizeof *c, 3, (ctr_tensor *[]){x, y->grad, gate}, 1);
        ctr_tensor *dw = ctr_node_out(g, bwd, CTR_F32, w->rank, w->dim);
        ctr_tensor *db = b ? ctr_node_out(g, bwd, CTR_F32, b->rank, b->dim) : NULL;
        if (ctr_needs_grad(w))
            CTR_TRY(ctr_grad_add(g, w, dw));
        if (ctr_needs_grad(b))
            CTR_TRY(ctr_grad_add(g, b, db));
    }
    if (ctr_needs_grad(x)) { /* last, so that x is gone when its gradient needs room */
        ctr_node *bwd =
            ctr_node_add(g, by_x, c, sizeof *c, 3, (ctr_tensor *[]){y->grad, w, gate}, 1);
        rc = ctr_grad_add(g, x, ctr_node_out(g, bwd, x->dtype, x->rank, x->dim));
    }
out:
    return rc;
}

/* Worth it with few products a value, as in a first layer and in projections. */
ctr_node *conv2d_again(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    return c->C / c->groups * c->R * c->S <= 128 && !c->pool ? ctr_node_again(g, node) : NULL;
}

int conv2d_form(struct ctr_form *out, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    *out = (struct ctr_form){.kind = CTR_FORM_CONV,
                             .stride = (size_t)c->stride,
                             .pad = (size_t)c->pad,
                             .groups = (size_t)c->groups,
                             .relu = c->relu,
                             .pool = c->pool};
    return 0;
}

static const struct ctr_op conv2d = {
    .name = "conv2d",
    .grad = conv2d_grad,
    .again = conv2d_again,
    .again_dear = 1,
    .form = conv2d_form,
    .variants =
        (const struct ctr_variant[]){
            CONFIGURED("winograd", conv2d_winograd_fwd, .half = 1),
            VARIANT("thin", conv2d_thin_fwd, .half = 1),
            VARIANT("pointwise", conv2d_pointwise_fwd),
            VARIANT("direct", conv2d_direct_fwd, .half = 1),
            MMA(conv2d_tile_fwd),
            CONFIGURED("winograd_gpu", conv2d_winograd_gpu_fwd, .half = 1),
            GENERAL(conv2d_tile_fwd, .half = 1),
            {0}},
};

const char *conv2d_options(ctr_node *node, const char *fmt, ...)
{
    struct conv2d *c = node->attr;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->options, sizeof c->options, fmt, ap);
    va_end(ap);
    return c->options;
}

/* Kernels count pixels of a batch and values of an image in int. */
static int too_large(const ctr_tensor *t)
{
    return t->dim[0] * t->dim[1] * t->dim[2] >= INT_MAX / 2 ||
           t->dim[1] * t->dim[2] * t->dim[3] >= INT_MAX / 2;
}

static int check(ctr_graph *g, const ctr_tensor *x, const ctr_tensor *w, const ctr_tensor *b,
                 size_t stride, size_t pad, size_t groups)
{
    const char *fault = NULL;
    if (x->rank != 4 || w->rank != 4)
        fault = "x and w must have four dimensions";
    else if (groups < 1 || x->dim[3] % groups != 0 || w->dim[0] % groups != 0)
        fault = "groups must divide the channels of x and the number of filters";
    else if (x->dim[3] / groups != w->dim[1])
        fault = groups > 1 ? "w needs the channels of one group" : "channels of x and w differ";
    else if (b && (b->rank != 1 || b->dim[0] != w->dim[0]))
        fault = "b needs one value for each output channel";
    else if (stride < 1 || stride > 1024 || pad > 1024)
        fault = "stride or padding out of range";
    else if (x->dim[1] + 2 * pad < w->dim[2] || x->dim[2] + 2 * pad < w->dim[3])
        fault = "the filter is larger than the padded image";
    else if (too_large(x) || too_large(w) || w->count >= INT_MAX / 2)
        fault = "too many values for one call";
    if (!fault)
        return 0;
    ctr_graph_fail(g, CTR_E_USAGE,
                   "conv2d of %zux%zux%zux%zu by %zux%zux%zux%zu, stride %zu, padding %zu, "
                   "groups %zu: %s",
                   x->dim[0], x->dim[1], x->dim[2], x->dim[3], w->dim[0], w->dim[1], w->dim[2],
                   w->dim[3], stride, pad, groups, fault);
    return CTR_E_USAGE;
}

static ctr_tensor *record(ctr_graph *g, ctr_tensor *x, ctr_tensor *w, ctr_tensor *b, size_t stride,
                          size_t pad, size_t groups, int relu, int pool)
{
    if (!x || !w || check(g, x, w, b, stride, pad, groups) != 0)
        return NULL;
    size_t P = (x->dim[1] + 2 * pad - w->dim[2]) / stride + 1;
    size_t Q = (x->dim[2] + 2 * pad - w->dim[3]) / stride + 1;
    size_t dim[4] = {x->dim[0], pool ? P / 2 : P, pool ? Q / 2 : Q, w->dim[0]};
    struct conv2d c = {.N = (int)x->dim[0],
                       .H = (int)x->dim[1],
                       .W = (int)x->dim[2],
                       .C = (int)x->dim[3],
                       .P = (int)P,
                       .Q = (int)Q,
                       .K = (int)w->dim[0],
                       .R = (int)w->dim[2],
                       .S = (int)w->dim[3],
                       .stride = (int)stride,
                       .pad = (int)pad,
                       .groups = (int)groups,
                       .relu = relu != 0,
                       .bias = b != NULL,
                       .pool = pool};
    if (dim[0] * P * Q >= INT_MAX / 2 || P * Q * dim[3] >= INT_MAX / 2)
        return ctr_graph_fail(g, CTR_E_USAGE, "conv2d: too many values in one output");
    if (dim[1] == 0 || dim[2] == 0)
        return ctr_graph_fail(g, CTR_E_USAGE, "conv2d: a map of %zu x %zu is too small to pool", P,
                              Q);
    const struct ctr_op *op = groups > 1 ? &conv2d_grouped : &conv2d;
    ctr_node *node = ctr_node_add(g, op, &c, sizeof c, 3, (ctr_tensor *[]){x, w, b}, 1);
    ctr_tensor *y = ctr_node_out(g, node, x->dtype, 4, dim);
    return !pool || ctr_node_out(g, node, CTR_U8, 4, dim) ? y : NULL;
}

ctr_tensor *ctr_conv2d(ctr_graph *g, ctr_tensor *x, ctr_tensor *w, ctr_tensor *b, size_t stride,
                       size_t pad, int relu)
{
    return record(g, x, w, b, stride, pad, 1, relu, 0);
}

ctr_tensor *ctr_conv2d_grouped(ctr_graph *g, ctr_tensor *x, ctr_tensor *w, ctr_tensor *b,
                               size_t stride, size_t pad, size_t groups, int relu)
{
    return record(g, x, w, b, stride, pad, groups, relu, 0);
}

ctr_tensor *ctr_conv2d_pool(ctr_graph *g, ctr_tensor *x, ctr_tensor *w, ctr_tensor *b,
                            size_t stride, size_t pad, int relu)
{
    return record(g, x, w, b, stride, pad, 1, relu, 1);
}
