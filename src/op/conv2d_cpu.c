/* conv2d_cpu.c -- the convolution's direct variants for CPUs (cl/op/conv2d_cpu.cl): any size,
 * stride and padding; and the thin ones for first layers with few channels (cl/op/conv2d_thin.cl).
 * Grids and scratch come from small plan functions that prepare and lower share. */
#include "op/conv2d.h"

#include <math.h>

#define PIX        8  /* pixels of a register tile */
#define CHUNK      64 /* register tiles whose input stays in cache while it meets all filters */
#define THIN_RUN   12 /* most accumulator rows of a thin weight gradient tile */
#define THIN_HIGH  4  /* output rows a work-item does at a time, even */
#define PART_BYTES ((size_t)16 << 20) /* partial sums of a weight gradient, about */

static int is_cpu(const struct ctr_caps *caps)
{
    return caps->family == CTR_FAMILY_CPU;
}

/* ---- direct ---- */

int conv2d_direct_fwd_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    return is_cpu(caps) && conv2d_groups_fit(c);
}

int conv2d_direct_fwd_prepare(ctr_graph *g, ctr_node *node)
{
    int rc = conv2d_prepare_full(g, node);
    if (rc != 0)
        return rc;
    return ctr_node_scratch(g, node, conv2d_packed_bytes(conv2d_of(node), 0)) ? 0 : CTR_E_FAIL;
}

/* The grid over `pixels` of each of `phases` and `out` channels. */
static void direct_grid(struct ctr_launch_spec *spec, size_t pixels, size_t out, size_t phases)
{
    size_t tiles = conv2d_ceil(pixels, PIX), chunk = conv2d_min(tiles, CHUNK);
    spec->global[0] = chunk;
    spec->global[1] = conv2d_ceil(out, 32);
    spec->global[2] = conv2d_ceil(tiles, chunk) * phases;
    spec->local[0] = spec->local[1] = spec->local[2] = 1;
}

int conv2d_direct_fwd_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    struct conv2d_groups groups = conv2d_groups(c, 0);
    ctr_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2], *y = conv2d_full(node);
    ctr_tensor *packed = conv2d_last_scratch(node);
    struct ctr_launch_spec spec = {.file = "op/conv2d_cpu.cl",
                                   .kernel = "conv2d_direct",
                                   .options = conv2d_options(
                                       node, "-DSTRIDE=%d -DFULL=%d -DHALVES=%d", c->stride,
                                       conv2d_writes_full(node), groups.halves),
                                   .flops = conv2d_flops(c),
                                   .bytes = (double)(x->bytes + y->bytes + packed->bytes)};
    conv2d_bufs(&spec, 4, (ctr_tensor *[]){y, x, packed, b ? b : packed});
    conv2d_ints(&spec, 1, (int[]){b != NULL});
    spec.args[spec.n_args++] = CTR_F32(c->relu ? 0.0f : -INFINITY);
    conv2d_ints(&spec, 13,
                (int[]){c->N, c->H, c->W, c->C, (int)groups.in, c->P, c->Q, c->K, (int)groups.out, c->R,
                        c->S, c->pad, conv2d_stream(y)});
    direct_grid(&spec, (size_t)c->N * (size_t)(c->P * c->Q), (size_t)c->K, 1);
    CTR_TRY(conv2d_emit_pack(g, c, packed, w, 0));
    CTR_TRY(ctr_emit(g, &spec));
    CTR_TRY(conv2d_emit_pool(g, node));
out:
    return rc;
}

int conv2d_direct_dx_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    return is_cpu(caps) && conv2d_groups_fit(c);
}

int conv2d_direct_dx_prepare(ctr_graph *g, ctr_node *node)
{
    int rc = conv2d_prepare_gated(g, node, 0);
    if (rc != 0)
        return rc;
    return ctr_node_scratch(g, node, conv2d_packed_bytes(conv2d_of(node), 1)) ? 0 : CTR_E_FAIL;
}

int conv2d_direct_dx_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    struct conv2d_groups groups = conv2d_groups(c, 1);
    ctr_tensor *dy, *dx = node->out[0], *packed = conv2d_last_scratch(node);
    size_t st = (size_t)c->stride, high = conv2d_ceil((size_t)c->H, st);
    CTR_TRY(conv2d_emit_gated(g, node, &dy, node->in[0], node->in[2], NULL));
    CTR_TRY(conv2d_emit_pack(g, c, packed, node->in[1], 1));
    struct ctr_launch_spec spec = {
        .file = "op/conv2d_cpu.cl",
        .kernel = "conv2d_direct",
        .options = conv2d_options(node, "-DDGRAD=1 -DSTRIDE=%d -DHALVES=%d", c->stride, groups.halves),
        .flops = conv2d_flops(c),
        .bytes = (double)(dx->bytes + dy->bytes + packed->bytes)};
    conv2d_bufs(&spec, 4, (ctr_tensor *[]){dx, dy, packed, packed});
    conv2d_ints(&spec, 1, (int[]){0});
    spec.args[spec.n_args++] = CTR_F32(-INFINITY);
    conv2d_ints(&spec, 13,
                (int[]){c->N, c->P, c->Q, c->K, (int)groups.in, c->H, c->W, c->C, (int)groups.out, c->R,
                        c->S, c->pad, conv2d_stream(dx)});
    direct_grid(&spec, (size_t)c->N * high * conv2d_ceil((size_t)c->W, st), (size_t)c->C, st * st);
    CTR_TRY(ctr_emit(g, &spec));
out:
    return rc;
}

/* A direct weight gradient. A pass is what of x and dy stays in the nearest cache while it meets all
 * taps; 64 pixels outweigh moving the sums. */
struct direct_dw {
    size_t images, rows; /* of a pass: images, or output rows of one */
    size_t in, wide;     /* channels of a work-item: 8, 16 or 32 in, `met` by an out channel; out in 32s */
    size_t met, blocks;  /* blocks of `wide` in a group */
    size_t splits, per;  /* parts of the batch, images of a part */
    size_t acc_bytes, x_bytes, dy_bytes;
};

static size_t direct_dw_bytes(struct direct_dw *p, const struct conv2d *c)
{
    size_t high = conv2d_min((size_t)c->H, (p->rows - 1) * (size_t)c->stride + (size_t)c->R);
    p->acc_bytes = (size_t)(c->R * c->S) * p->met * p->wide * sizeof(float);
    p->x_bytes = p->images * high * (size_t)c->W * p->in * sizeof(float);
    p->dy_bytes = p->images * p->rows * (size_t)c->Q * 32 * sizeof(float);
    return p->acc_bytes + p->x_bytes + p->dy_bytes;
}

/* Parts of the batch: enough work-items for all threads; more (up to 32) while their sums stay
 * small, since fewer images at a time are read from nearer caches. A work-item takes as many out
 * channels, for which x is read once, as fit half of local memory and leave 8 work-items a thread, where that
 * can be had. */
static struct direct_dw direct_dw_plan(const struct ctr_caps *caps, const struct conv2d *c)
{
    size_t P = (size_t)c->P, Q = (size_t)c->Q, threads = (size_t)caps->compute_units;
    struct conv2d_groups groups = conv2d_groups(c, 0);
    size_t IG = groups.in, OG = groups.out;
    struct direct_dw p = {.images = conv2d_ceil(64, P * Q),
                          .rows = conv2d_min(P, conv2d_ceil(64, Q)),
                          .in = IG % 32 == 0 ? 32 : IG % 16 == 0 ? 16 : 8,
                          .wide = conv2d_ceil(OG, 32) * 32};
    p.met = groups.halves ? groups.met : p.in;
    size_t items = conv2d_ceil((size_t)c->C, 8) * conv2d_ceil(OG, 32);
    size_t bytes = (size_t)(c->R * c->S) * (size_t)(c->C / c->groups) * (size_t)c->K * sizeof(float);
    size_t least = conv2d_ceil(16 * threads, items);
    p.splits = conv2d_max(least, conv2d_min(32, PART_BYTES / bytes));
    p.splits = conv2d_min(p.splits, (size_t)c->N);
    p.per = conv2d_ceil((size_t)c->N, p.splits);
    p.splits = conv2d_ceil((size_t)c->N, p.per);
    size_t others = conv2d_ceil((size_t)c->C, p.in) * p.splits;
    while (p.wide > 32 && (direct_dw_bytes(&p, c) > caps->local_bytes / 2 ||
                           others * conv2d_ceil(OG, p.wide) < 8 * threads))
        p.wide = conv2d_ceil(p.wide / 2, 32) * 32;
    if (c->groups == 1 && direct_dw_bytes(&p, c) > caps->local_bytes)
        p.in = p.met = 8;
    p.blocks = conv2d_ceil(OG, p.wide);
    return p;
}

int conv2d_direct_dw_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    if (!is_cpu(caps) || c->C < 8 || !conv2d_groups_fit(c))
        return 0;
    struct direct_dw p = direct_dw_plan(caps, c);
    return direct_dw_bytes(&p, c) <= caps->local_bytes;
}

int conv2d_direct_dw_prepare(ctr_graph *g, ctr_node *node)
{
    struct direct_dw p = direct_dw_plan(ctr_graph_caps(g), conv2d_of(node));
    int rc = conv2d_prepare_gated(g, node, conv2d_of(node)->bias);
    if (rc != 0)
        return rc;
    return ctr_node_scratch(g, node, p.splits * node->out[0]->bytes) ? 0 : CTR_E_FAIL;
}

int conv2d_direct_dw_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *x = node->in[0], *dy, *part = conv2d_last_scratch(node);
    struct direct_dw p = direct_dw_plan(ctr_graph_caps(g), c);
    struct conv2d_groups groups = conv2d_groups(c, 0);
    direct_dw_bytes(&p, c);
    CTR_TRY(conv2d_emit_gated(g, node, &dy, node->in[1], node->in[2], node->out[1]));
    struct ctr_launch_spec spec = {
        .file = "op/conv2d_cpu.cl",
        .kernel = "conv2d_direct_bwd_dw",
        .options = conv2d_options(node, "-DSTRIDE=%d -DCI=%d -DHALVES=%d", c->stride, (int)p.in,
                                  groups.halves),
        .global = {conv2d_ceil((size_t)c->C, p.in), p.blocks, p.splits},
        .local = {1, 1, 1},
        .flops = conv2d_flops(c),
        .bytes = (double)(x->bytes + dy->bytes + part->bytes)};
    conv2d_bufs(&spec, 3, (ctr_tensor *[]){part, x, dy});
    spec.args[spec.n_args++] = CTR_LOCAL(p.acc_bytes);
    spec.args[spec.n_args++] = CTR_LOCAL(p.x_bytes);
    spec.args[spec.n_args++] = CTR_LOCAL(p.dy_bytes);
    conv2d_ints(&spec, 16,
                (int[]){c->N, c->H, c->W, c->C, c->C / c->groups, c->P, c->Q, c->K, c->K / c->groups, c->R,
                        c->S, c->pad, (int)p.per, (int)p.images, (int)p.rows, (int)p.wide});
    CTR_TRY(ctr_emit(g, &spec));
    CTR_TRY(conv2d_emit_dw_sum(g, c, node->out[0], part, p.splits));
out:
    return rc;
}

/* ---- thin ---- */

struct thin {
    size_t run, runs;   /* a filter row's inputs, cut into `runs` runs of `run` */
    size_t columns;     /* pixels of a register tile in a row */
    size_t high, pitch; /* output rows at a time; floats of a copied input row */
    size_t rows_bytes, dy_bytes, acc_bytes;
    size_t splits, per; /* parts of the batch in the weight gradient */
};

/* Of the tile widths between `least` and `most` the one that wastes least of a row; even if `even`.
 */
static size_t thin_columns(size_t row, size_t least, size_t most, int even)
{
    size_t best = least;
    for (size_t n = least; n <= most; n += even ? 2 : 1)
        if (conv2d_ceil(row, n) * n <= conv2d_ceil(row, best) * best)
            best = n;
    return best;
}

static struct thin thin_plan(const struct ctr_caps *caps, const struct conv2d *c)
{
    struct thin t;
    size_t span = (size_t)(c->S * c->C), row = (size_t)conv2d_columns(c);
    t.columns = c->pool ? thin_columns(row, 4, 6, 1) : thin_columns(row, 8, 12, 0);
    size_t wide = conv2d_ceil(row, t.columns) * t.columns;
    t.runs = conv2d_ceil(span, THIN_RUN);
    t.run = conv2d_ceil(span, t.runs);
    t.high = conv2d_min((size_t)conv2d_rows(c), THIN_HIGH);
    t.pitch = (wide - 1) * (size_t)(c->stride * c->C) + span + t.run;
    t.rows_bytes = ((t.high - 1) * (size_t)c->stride + (size_t)c->R) * t.pitch * sizeof(float);
    t.dy_bytes = t.high * row * 32 * sizeof(float);
    t.acc_bytes = (size_t)c->R * t.runs * t.run * 32 * sizeof(float);
    t.splits = conv2d_ceil(16 * (size_t)caps->compute_units, conv2d_ceil((size_t)c->K, 32));
    t.splits = conv2d_min(t.splits, (size_t)c->N);
    t.per = conv2d_ceil((size_t)c->N, t.splits);
    t.splits = conv2d_ceil((size_t)c->N, t.per);
    return t;
}

static const char *thin_options(ctr_node *node, const struct thin *t)
{
    const struct conv2d *c = conv2d_of(node);
    return conv2d_options(node, "-DSTRIDE=%d -DC=%d -DKW=%d -DCOLS=%d -DRUN=%d -DPOOL=%d -DGATE=%d",
                          c->stride, c->C, c->S, (int)t->columns, (int)t->run, c->pool,
                          conv2d_gate(c));
}

int conv2d_thin_fwd_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    return is_cpu(caps) && c->C < 8 && c->S * c->C <= 64 &&
           thin_plan(caps, c).rows_bytes <= caps->local_bytes;
}

int conv2d_thin_fwd_prepare(ctr_graph *g, ctr_node *node)
{
    return ctr_node_scratch(g, node, conv2d_packed_bytes(conv2d_of(node), 0)) ? 0 : CTR_E_FAIL;
}

int conv2d_thin_fwd_lower(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct thin t = thin_plan(ctr_graph_caps(g), c);
    ctr_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2], *y = node->out[0];
    ctr_tensor *packed = conv2d_scratch(node, 0);
    struct ctr_launch_spec spec = {
        .file = "op/conv2d_thin.cl",
        .kernel = "conv2d_thin",
        .options = thin_options(node, &t),
        .global = {conv2d_ceil((size_t)conv2d_rows(c), t.high), (size_t)c->N, 1},
        .local = {1, 1, 1},
        .flops = conv2d_flops(c),
        .bytes = (double)(x->bytes + y->bytes + packed->bytes + (c->pool ? y->count : 0))};
    conv2d_bufs(&spec, 5,
                (ctr_tensor *[]){y, c->pool ? node->out[1] : y, x, packed, b ? b : packed});
    spec.args[spec.n_args++] = CTR_LOCAL(t.rows_bytes);
    conv2d_ints(&spec, 1, (int[]){b != NULL});
    spec.args[spec.n_args++] = CTR_F32(c->relu ? 0.0f : -INFINITY);
    conv2d_ints(&spec, 10,
                (int[]){c->H, c->W, (int)y->dim[1], (int)y->dim[2], c->K, c->R, c->pad, (int)t.high,
                        (int)t.pitch, conv2d_stream(y)});
    int rc = conv2d_emit_pack(g, c, packed, w, 0);
    return rc != 0 ? rc : ctr_emit(g, &spec);
}

int conv2d_thin_dw_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct thin t = thin_plan(caps, c);
    return is_cpu(caps) && c->C < 8 && c->S * c->C <= 64 &&
           t.rows_bytes + t.dy_bytes + t.acc_bytes <= caps->local_bytes;
}

int conv2d_thin_dw_prepare(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct thin t = thin_plan(ctr_graph_caps(g), c);
    size_t bytes = t.splits * (node->out[0]->bytes + (size_t)c->K * sizeof(float));
    return ctr_node_scratch(g, node, bytes) ? 0 : CTR_E_FAIL;
}

int conv2d_thin_dw_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    struct thin t = thin_plan(ctr_graph_caps(g), c);
    ctr_tensor *x = node->in[0], *dy = node->in[1], *gate = node->in[2], *dw = node->out[0];
    ctr_tensor *part = conv2d_scratch(node, 0);
    struct ctr_launch_spec spec = {.file = "op/conv2d_thin.cl",
                                   .kernel = "conv2d_thin_bwd_dw",
                                   .options = thin_options(node, &t),
                                   .global = {conv2d_ceil((size_t)c->K, 32), t.splits, 1},
                                   .local = {1, 1, 1},
                                   .flops = conv2d_flops(c),
                                   .bytes =
                                       (double)(x->bytes + dy->bytes + part->bytes +
                                                (gate ? gate->bytes : 0))};
    conv2d_bufs(&spec, 4, (ctr_tensor *[]){part, x, dy, gate ? gate : dy});
    spec.args[spec.n_args++] = CTR_LOCAL(t.rows_bytes);
    spec.args[spec.n_args++] = CTR_LOCAL(t.dy_bytes);
    spec.args[spec.n_args++] = CTR_LOCAL(t.acc_bytes);
    conv2d_ints(&spec, 11,
                (int[]){c->N, c->H, c->W, conv2d_rows(c), conv2d_columns(c), c->K, c->R, c->pad,
                        (int)t.high, (int)t.pitch, (int)t.per});
    CTR_TRY(ctr_emit(g, &spec));
    CTR_TRY(conv2d_emit_dw_sum(g, c, dw, part, t.splits));
    if (c->bias)
        CTR_TRY(conv2d_emit_db_sum(g, c, node->out[1], part, t.splits * dw->count, t.splits));
out:
    return rc;
}
