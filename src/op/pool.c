/* pool.c -- max, average and global average pooling of x[N,H,W,C].
 * In: x. Out: y[N,P,Q,C], P = (H + 2 pad - size) / stride + 1 (rounded down), or y[N,C] (global),
 * which is fp32 however x is stored.
 * max keeps in one byte where each maximum lay; its gradient gathers, so no atomics are needed and
 * runs repeat to the bit. Ties go to the first, a NaN wins, as in PyTorch. */
#include "op/form.h"
#include "op/op.h"
#include "op/rows.h"

struct window {
    size_t size, stride, pad, in[4], out[4]; /* in: N H W C; out: N P Q C */
};

/* The arguments behind the buffers: per, [size, stride, pad,] N, H, W, C, [P, Q]. `rows` are the
 * pixels that the grid runs over; the 2x2 kernels know their window. */
static int emit(ctr_graph *g, struct ctr_launch_spec *spec, const struct window *w, int is_2x2,
                size_t rows)
{
    uint32_t per = ctr_grid_rows(g, spec, rows, w->in[3]);
    spec->args[spec->n_args++] = CTR_U32(per);
    if (!is_2x2) {
        spec->args[spec->n_args++] = CTR_I32(w->size);
        spec->args[spec->n_args++] = CTR_I32(w->stride);
        spec->args[spec->n_args++] = CTR_I32(w->pad);
    }
    for (unsigned i = 0; i < 4; i++)
        spec->args[spec->n_args++] = CTR_U32(w->in[i]);
    if (!is_2x2) {
        spec->args[spec->n_args++] = CTR_U32(w->out[1]);
        spec->args[spec->n_args++] = CTR_U32(w->out[2]);
    }
    return ctr_emit(g, spec);
}

static size_t in_pixels(const struct window *w)
{
    return w->in[0] * w->in[1] * w->in[2];
}

static size_t out_pixels(const struct window *w)
{
    return w->out[0] * w->out[1] * w->out[2];
}

/* ---- max ---- */

static int is_2x2(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct window *w = node->attr;
    return w->size == 2 && w->stride == 2 && w->pad == 0 && w->in[1] % 2 == 0 && w->in[2] % 2 == 0;
}

static int max_fwd(ctr_graph *g, ctr_node *node, int fixed)
{
    const struct window *w = node->attr;
    ctr_tensor *x = node->in[0], *y = node->out[0], *at = node->out[1];
    struct ctr_launch_spec spec = {.file = "op/pool.cl",
                                   .kernel = fixed ? "pool_fwd_max_2x2" : "pool_fwd_max",
                                   .args = {CTR_BUF(y->buf), CTR_BUF(at->buf), CTR_BUF(x->buf)},
                                   .n_args = 3,
                                   .flops = (double)(y->count * w->size * w->size),
                                   .bytes = (double)(x->bytes + y->bytes + at->bytes)};
    return emit(g, &spec, w, fixed, out_pixels(w));
}

static int max_fwd_2x2(ctr_graph *g, ctr_node *node)
{
    return max_fwd(g, node, 1);
}

static int max_fwd_general(ctr_graph *g, ctr_node *node)
{
    return max_fwd(g, node, 0);
}

static int max_bwd(ctr_graph *g, ctr_node *node, int fixed)
{
    const struct window *w = node->attr;
    ctr_tensor *dy = node->in[0], *at = node->in[1], *dx = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/pool.cl",
                                   .kernel = fixed ? "pool_bwd_max_2x2" : "pool_bwd_max",
                                   .args = {CTR_BUF(dx->buf), CTR_BUF(dy->buf), CTR_BUF(at->buf)},
                                   .n_args = 3,
                                   .flops = (double)dx->count,
                                   .bytes = (double)(dx->bytes + dy->bytes + at->bytes)};
    return emit(g, &spec, w, fixed, fixed ? out_pixels(w) : in_pixels(w));
}

static int max_bwd_2x2(ctr_graph *g, ctr_node *node)
{
    return max_bwd(g, node, 1);
}

static int max_bwd_general(ctr_graph *g, ctr_node *node)
{
    return max_bwd(g, node, 0);
}

static const struct ctr_op max_pool_bwd = {
    .name = "max_pool_bwd",
    .variants =
        (const struct ctr_variant[]){{.name = "2x2", .usable = is_2x2, .lower = max_bwd_2x2, .half = 1},
                                     {.name = "general", .lower = max_bwd_general, .half = 1},
                                     {0}},
};

static int max_pool_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *y = node->out[0], *at = node->out[1];
    ctr_node *bwd = ctr_node_add(g, &max_pool_bwd, node->attr, sizeof(struct window), 2,
                                 (ctr_tensor *[]){y->grad, at}, 0);
    return ctr_grad_add(g, x, ctr_node_out(g, bwd, x->dtype, 4, x->dim));
}

static int window_form(struct ctr_form *out, const ctr_node *node, enum ctr_form_kind kind)
{
    const struct window *w = node->attr;
    *out = (struct ctr_form){.kind = kind, .size = w->size, .stride = w->stride, .pad = w->pad};
    return 0;
}

static int max_pool_form(struct ctr_form *out, const ctr_node *node)
{
    return window_form(out, node, CTR_FORM_MAX_POOL);
}

static const struct ctr_op max_pool = {
    .name = "max_pool",
    .grad = max_pool_grad,
    .form = max_pool_form,
    .variants =
        (const struct ctr_variant[]){{.name = "2x2", .usable = is_2x2, .lower = max_fwd_2x2, .half = 1},
                                     {.name = "general", .lower = max_fwd_general, .half = 1},
                                     {0}},
};

/* ---- average ---- */

static int avg_fwd(ctr_graph *g, ctr_node *node)
{
    const struct window *w = node->attr;
    ctr_tensor *x = node->in[0], *y = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/pool.cl",
                                   .kernel = "pool_fwd_avg",
                                   .args = {CTR_BUF(y->buf), CTR_BUF(x->buf)},
                                   .n_args = 2,
                                   .flops = (double)(y->count * w->size * w->size),
                                   .bytes = (double)(x->bytes + y->bytes)};
    return emit(g, &spec, w, 0, out_pixels(w));
}

static int avg_bwd(ctr_graph *g, ctr_node *node)
{
    const struct window *w = node->attr;
    ctr_tensor *dy = node->in[0], *dx = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/pool.cl",
                                   .kernel = "pool_bwd_avg",
                                   .args = {CTR_BUF(dx->buf), CTR_BUF(dy->buf)},
                                   .n_args = 2,
                                   .flops = (double)(dy->count * w->size * w->size),
                                   .bytes = (double)(dx->bytes + dy->bytes)};
    return emit(g, &spec, w, 0, in_pixels(w));
}

static const struct ctr_op avg_pool_bwd = {
    .name = "avg_pool_bwd",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = avg_bwd, .half = 1}, {0}},
};

static int avg_pool_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *y = node->out[0];
    ctr_node *bwd = ctr_node_add(g, &avg_pool_bwd, node->attr, sizeof(struct window), 1,
                                 (ctr_tensor *[]){y->grad}, 0);
    return ctr_grad_add(g, x, ctr_node_out(g, bwd, x->dtype, 4, x->dim));
}

static int avg_pool_form(struct ctr_form *out, const ctr_node *node)
{
    return window_form(out, node, CTR_FORM_AVG_POOL);
}

static const struct ctr_op avg_pool = {
    .name = "avg_pool",
    .grad = avg_pool_grad,
    .form = avg_pool_form,
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = avg_fwd, .half = 1}, {0}},
};

/* ---- global average ---- */

/* out, in: y, x forward, dx, dy backward; `map` is the one of the shape [N,H,W,C]. */
static int global_lower(ctr_graph *g, const char *kernel, ctr_tensor *out, ctr_tensor *in,
                        ctr_tensor *map)
{
    size_t pixels = map->dim[1] * map->dim[2], C = map->dim[3];
    struct ctr_launch_spec spec = {.file = "op/pool.cl",
                                   .kernel = kernel,
                                   .args = {CTR_BUF(out->buf), CTR_BUF(in->buf)},
                                   .n_args = 6,
                                   .flops = (double)map->count,
                                   .bytes = (double)(in->bytes + out->bytes)};
    spec.args[2] = CTR_U32(ctr_grid_rows(g, &spec, out->count / C, C));
    spec.args[3] = CTR_U32(map->dim[0]);
    spec.args[4] = CTR_U32(pixels);
    spec.args[5] = CTR_U32(C);
    return ctr_emit(g, &spec);
}

static int global_fwd(ctr_graph *g, ctr_node *node)
{
    return global_lower(g, "pool_fwd_global", node->out[0], node->in[0], node->in[0]);
}

static int global_bwd(ctr_graph *g, ctr_node *node)
{
    return global_lower(g, "pool_bwd_global", node->out[0], node->in[0], node->out[0]);
}

static const struct ctr_op global_avg_pool_bwd = {
    .name = "global_avg_pool_bwd",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = global_bwd, .half = 1}, {0}},
};

static int global_avg_pool_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *y = node->out[0];
    ctr_node *bwd = ctr_node_add(g, &global_avg_pool_bwd, NULL, 0, 1, (ctr_tensor *[]){y->grad}, 0);
    return ctr_grad_add(g, x, ctr_node_out(g, bwd, x->dtype, 4, x->dim));
}

static int global_avg_pool_form(struct ctr_form *out, const ctr_node *node)
{
    *out = (struct ctr_form){.kind = CTR_FORM_MEAN};
    return 0;
}

static const struct ctr_op global_avg_pool = {
    .name = "global_avg_pool",
    .grad = global_avg_pool_grad,
    .form = global_avg_pool_form,
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = global_fwd, .half = 1}, {0}},
};

/* ---- recording ---- */

/* The window's geometry, or a failure: PyTorch's rule pad <= size / 2 leaves no window empty. */
static int shape_rule(ctr_graph *g, struct window *w, const char *op, const ctr_tensor *x)
{
    if (x->rank != 4) {
        ctr_graph_fail(g, CTR_E_USAGE, "%s: '%s' is not [N,H,W,C]", op, x->name);
        return 0;
    }
    if (w->size == 0 || w->size > 15 || w->stride == 0 || 2 * w->pad > w->size ||
        x->dim[1] + 2 * w->pad < w->size || x->dim[2] + 2 * w->pad < w->size) {
        ctr_graph_fail(g, CTR_E_USAGE,
                       "%s: window %zu, stride %zu, padding %zu do not suit a map of %zu x %zu", op,
                       w->size, w->stride, w->pad, x->dim[1], x->dim[2]);
        return 0;
    }
    if (x->count / x->dim[3] > UINT32_MAX / 2 ||
        x->dim[3] > INT32_MAX) { /* pixels, as in kernels */
        ctr_graph_fail(g, CTR_E_USAGE, "%s: '%s' is too large", op, x->name);
        return 0;
    }
    for (unsigned i = 0; i < 4; i++)
        w->in[i] = w->out[i] = x->dim[i];
    for (unsigned i = 1; i < 3; i++)
        w->out[i] = (x->dim[i] + 2 * w->pad - w->size) / w->stride + 1;
    return 1;
}

ctr_tensor *ctr_max_pool(ctr_graph *g, ctr_tensor *x, size_t size, size_t stride, size_t pad)
{
    struct window w = {.size = size, .stride = stride, .pad = pad};
    if (!x || !shape_rule(g, &w, "max_pool", x))
        return NULL;
    ctr_node *node = ctr_node_add(g, &max_pool, &w, sizeof w, 1, &x, 0);
    ctr_tensor *y = ctr_node_out(g, node, x->dtype, 4, w.out);
    ctr_node_out(g, node, CTR_U8, 4, w.out);
    return y;
}

ctr_tensor *ctr_avg_pool(ctr_graph *g, ctr_tensor *x, size_t size, size_t stride, size_t pad)
{
    struct window w = {.size = size, .stride = stride, .pad = pad};
    if (!x || !shape_rule(g, &w, "avg_pool", x))
        return NULL;
    ctr_node *node = ctr_node_add(g, &avg_pool, &w, sizeof w, 1, &x, 0);
    return ctr_node_out(g, node, x->dtype, 4, w.out);
}

ctr_tensor *ctr_global_avg_pool(ctr_graph *g, ctr_tensor *x)
{
    struct window w = {.size = 1, .stride = 1};
    if (!x || !shape_rule(g, &w, "global_avg_pool", x))
        return NULL;
    ctr_node *node = ctr_node_add(g, &global_avg_pool, NULL, 0, 1, &x, 0);
    return ctr_node_out(g, node, CTR_F32, 2, (size_t[]){x->dim[0], x->dim[3]});
}
