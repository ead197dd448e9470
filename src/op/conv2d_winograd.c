/* conv2d_winograd.c -- the convolution's Winograd F(4x4, 3x3) variants for CPUs: 3x3, stride 1,
 * channels in multiples of 32 (cl/op/conv2d_winograd.cl). A work-item's tiles live in local memory,
 * whose size (that of a core's L2 cache) sets how many there are. */
#include "op/conv2d.h"

#include <math.h>

#define POINTS 36 /* of a transformed tile */
#define SLICE_BYTES ((size_t)12 << 20) /* of transformed weights at a time */
#define LARGE_BYTES ((size_t)8 << 20)  /* of them: not left in the caches */
#define LINE 16       /* floats that the kernels add between points */
#define PACK 4        /* in channels of a packed block */

static size_t tiles(size_t n, size_t h, size_t w)
{
    return n * conv2d_ceil(h, 4) * conv2d_ceil(w, 4);
}

/* Operations of the transforms, as the kernel file has them: of a row or column, times their
 * number. */
enum {
    PACK_OPS = 9 * 14,
    IN_OPS = 12 * 19,
    OUT_OPS = 10 * 13,
    GRAD_OPS = 10 * 11,
    DW_OPS = 9 * 15
};

/* Of a tile: 36 products of each of `out` channels with the `met` that it meets, and each transform once. */
static double tile_work(double in, double met, double out, double out_ops)
{
    return 2.0 * POINTS * met * out + IN_OPS * in + out_ops * out;
}

/* A tile costs 36 products a channel pair, plus transforms of about half as much again. */
static int pays(const struct conv2d *c, int h, int w)
{
    return (size_t)(h * w) * 9 > tiles(1, (size_t)h, (size_t)w) * 50;
}

static int suits(const struct ctr_caps *caps, const struct conv2d *c)
{
    return caps->family == CTR_FAMILY_CPU && c->R == 3 && c->S == 3 && c->stride == 1 &&
           c->C % 32 == 0 && c->K % 32 == 0 && conv2d_groups_fit(c);
}

/* ---- forward and data gradient ---- */

struct forward {
    size_t T, KC, G; /* tiles, in channels at a time, out channels of a work-item */
};

static size_t v_bytes(const struct forward *f)
{
    return POINTS * (f->T * f->KC + LINE) * sizeof(float);
}

static size_t m_bytes(const struct forward *f)
{
    return POINTS * (f->G / 32) * (f->T * 32 + LINE) * sizeof(float);
}

static size_t forward_bytes(const struct forward *f)
{
    return v_bytes(f) + m_bytes(f);
}

static const int forward_shapes[][2] = {{32, 128}, {32, 64}, {16, 64}, {16, 32}, {8, 32}};
enum { FORWARD_SHAPES = sizeof forward_shapes / sizeof *forward_shapes };

/* Block shape i for `out` of the channels; 0 when it does not fit. */
static int forward_shape(struct forward *f, const struct ctr_caps *caps, size_t i,
                         const struct conv2d_groups *groups, size_t out)
{
    *f = (struct forward){(size_t)forward_shapes[i][0], groups->in % 64 ? 32 : 64,
                          (size_t)forward_shapes[i][1]};
    return out % f->G == 0 && groups->out % f->G == 0 && forward_bytes(f) <= caps->local_bytes;
}

/* Whether so many equal work-items keep all threads busy to the end. */
static int fills(const struct ctr_caps *caps, size_t items)
{
    size_t threads = (size_t)caps->compute_units;
    return items >= 8 * threads || (items >= 2 * threads && items % threads == 0);
}

/* As configured, T and G; else the largest block that fits local memory and keeps the threads busy;
 * else the smallest. */
static struct forward forward_plan(const struct ctr_caps *caps, const struct ctr_config *config,
                                   size_t n_tiles, const struct conv2d_groups *groups, size_t out)
{
    struct forward f = {8, groups->in % 64 ? 32 : 64, 32}, try;
    if (config->v[0])
        return (struct forward){(size_t)config->v[0], f.KC, (size_t)config->v[1]};
    for (size_t i = 0; i < FORWARD_SHAPES; i++)
        if (forward_shape(&try, caps, i, groups, out) &&
            fills(caps, conv2d_ceil(n_tiles, try.T) * (out / try.G)))
            return try;
    if (forward_bytes(&f) > caps->local_bytes)
        f.KC = 32;
    return f;
}

/* Block shapes that fit, but for the one taken anyway. */
static size_t forward_configs(struct ctr_config *config, size_t room, const struct ctr_caps *caps,
                              size_t n_tiles, const struct conv2d_groups *groups, size_t out)
{
    static const struct ctr_config own;
    size_t n = 0;
    struct forward f, taken = forward_plan(caps, &own, n_tiles, groups, out);
    for (size_t i = 0; i < FORWARD_SHAPES && n < room; i++)
        if (forward_shape(&f, caps, i, groups, out) && (f.T != taken.T || f.G != taken.G))
            config[n++] = (struct ctr_config){{(int)f.T, (int)f.G}};
    return n;
}

static int forward_usable(const struct ctr_caps *caps, const struct conv2d *c, int h, int w)
{
    const struct forward least = {8, 32, 32};
    return suits(caps, c) && pays(c, h, w) && forward_bytes(&least) <= caps->local_bytes;
}

/* Out channels whose transformed weights U, 36 floats for each pair of channels that meet, are made and used at
 * a time: all of a late layer's would be a large part of a step's memory. */
static size_t slice(size_t met, size_t out)
{
    while (POINTS * met * out * sizeof(float) > SLICE_BYTES && out % 64 == 0)
        out /= 2;
    return out;
}

/* Whether weights are first brought in order by out channels: [out][met][9]. */
static int ordered(const struct conv2d *c, const struct conv2d_groups *groups, int transposed)
{
    return c->groups > 1 && (transposed || groups->halves);
}

static int forward_prepare(ctr_graph *g, ctr_node *node, int transposed)
{
    const struct conv2d *c = conv2d_of(node);
    struct conv2d_groups groups = conv2d_groups(c, transposed);
    size_t out = (size_t)(transposed ? c->C : c->K);
    size_t bytes = POINTS * groups.met * slice(groups.met, out) * sizeof(float);
    if (!ctr_node_scratch(g, node, bytes))
        return CTR_E_FAIL;
    bytes = out * groups.met * 9 * sizeof(float);
    return !ordered(c, &groups, transposed) || ctr_node_scratch(g, node, bytes) ? 0 : CTR_E_FAIL;
}

/* What differs between the two directions. `transposed`: the weights are. `h`, `w`: the input's size
 * (before pooling, where it is a pooled gradient); `rows`, `columns`: the part of the output map that
 * is wanted. */
struct direction {
    ctr_tensor *out, *max_at, *in, *gate, *bias;
    int transposed, h, w, rows, columns, pad, relu, pool, gate_kind;
};

static int emit_order(ctr_graph *g, ctr_node *node, const struct direction *d)
{
    const struct conv2d *c = conv2d_of(node);
    size_t met = conv2d_groups(c, d->transposed).met, out = d->out->dim[3];
    ctr_tensor *w = node->in[1], *to = conv2d_scratch(node, 1);
    struct ctr_launch_spec spec = {.file = "op/conv2d_winograd.cl",
                                   .kernel = "conv2d_winograd_order",
                                   .bytes = (double)(w->bytes + to->bytes)};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){to, w});
    conv2d_ints(&spec, 5,
                (int[]){(int)out, (int)met, c->C / c->groups, c->K / c->groups, d->transposed});
    ctr_grid_items(g, &spec, out * met, 64);
    return ctr_emit(g, &spec);
}

static int emit_pack(ctr_graph *g, ctr_node *node, const struct direction *d, size_t first, size_t n)
{
    const struct conv2d *c = conv2d_of(node);
    struct conv2d_groups groups = conv2d_groups(c, d->transposed);
    int order = ordered(c, &groups, d->transposed), by_out = order || !d->transposed;
    ctr_tensor *U = conv2d_scratch(node, 0), *w = order ? conv2d_scratch(node, 1) : node->in[1];
    size_t in = groups.met;
    struct ctr_launch_spec spec = {.file = "op/conv2d_winograd.cl",
                                   .kernel = "conv2d_winograd_pack",
                                   .global = {in / PACK, n / 32, 1},
                                   .local = {1, 1, 1},
                                   /* none of the direct algorithm's */
                                   .work = (double)PACK_OPS * (double)in * (double)n,
                                   .bytes = (double)((POINTS + 9) * in * n * sizeof(float))};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){U, w});
    conv2d_ints(&spec, 6,
                (int[]){(int)in, (int)first, by_out ? (int)in * 9 : 9, by_out ? 9 : c->C * 9,
                        d->transposed, U->bytes > LARGE_BYTES});
    return ctr_emit(g, &spec);
}

/* `n` out channels from `first`. */
static int emit_slice(ctr_graph *g, ctr_node *node, const struct direction *d, size_t first, size_t n)
{
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *out = d->out, *in = d->in, *U = conv2d_scratch(node, 0);
    size_t th = conv2d_ceil((size_t)d->rows, 4), tw = conv2d_ceil((size_t)d->columns, 4);
    size_t n_tiles = (size_t)c->N * th * tw;
    double share = (double)n / (double)out->dim[3];
    struct conv2d_groups groups = conv2d_groups(c, d->transposed);
    struct forward f = forward_plan(ctr_graph_caps(g), &node->config, n_tiles, &groups, n);
    struct ctr_launch_spec spec = {
        .file = "op/conv2d_winograd.cl",
        .kernel = "conv2d_winograd",
        .options = conv2d_options(node, "-DT=%d -DKC=%d -DPOOL=%d -DGATE=%d -DHALVES=%d", (int)f.T,
                                  (int)f.KC, d->pool, d->gate_kind, groups.halves),
        .global = {conv2d_ceil(n_tiles, f.T), n / f.G, 1},
        .local = {1, 1, 1},
        .flops = share * conv2d_flops(c),
        .work = share * (double)n_tiles *
                tile_work((double)in->dim[3], (double)groups.met, (double)out->dim[3], OUT_OPS),
        .bytes = (double)(in->bytes + U->bytes + (d->gate ? d->gate->bytes : 0)) +
                 share * (double)(out->bytes + (d->max_at ? d->max_at->bytes : 0))};
    conv2d_bufs(&spec, 6,
                (ctr_tensor *[]){out, d->max_at ? d->max_at : out, in, d->gate ? d->gate : in, U,
                                 d->bias ? d->bias : U});
    spec.args[spec.n_args++] = CTR_LOCAL(v_bytes(&f));
    spec.args[spec.n_args++] = CTR_LOCAL(m_bytes(&f));
    conv2d_ints(&spec, 1, (int[]){d->bias != NULL});
    spec.args[spec.n_args++] = CTR_F32(d->relu ? 0.0f : -INFINITY);
    conv2d_ints(&spec, 15,
                (int[]){c->N, d->h, d->w, (int)in->dim[3], (int)groups.in, (int)out->dim[1],
                        (int)out->dim[2], (int)out->dim[3], (int)groups.out, (int)first, d->pad,
                        (int)th, (int)tw, (int)f.G, conv2d_stream(out)});
    return ctr_emit(g, &spec);
}

static int emit_forward(ctr_graph *g, ctr_node *node, const struct direction *d)
{
    int rc = 0;
    struct conv2d_groups groups = conv2d_groups(conv2d_of(node), d->transposed);
    size_t out = d->out->dim[3], n = slice(groups.met, out);
    if (ordered(conv2d_of(node), &groups, d->transposed))
        CTR_TRY(emit_order(g, node, d));
    for (size_t first = 0; first < out; first += n) {
        CTR_TRY(emit_pack(g, node, d, first, n));
        CTR_TRY(emit_slice(g, node, d, first, n));
    }
out:
    return rc;
}

int conv2d_winograd_fwd_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    return forward_usable(caps, c, conv2d_rows(c), conv2d_columns(c));
}

size_t conv2d_winograd_fwd_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                                   const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct conv2d_groups groups = conv2d_groups(c, 0);
    size_t n_tiles = tiles((size_t)c->N, (size_t)conv2d_rows(c), (size_t)conv2d_columns(c));
    return forward_configs(out, room, caps, n_tiles, &groups, slice(groups.met, (size_t)c->K));
}

int conv2d_winograd_fwd_prepare(ctr_graph *g, ctr_node *node)
{
    return forward_prepare(g, node, 0);
}

int conv2d_winograd_fwd_lower(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct direction d = {.out = node->out[0],
                          .max_at = node->out[1],
                          .in = node->in[0],
                          .bias = node->in[2],
                          .h = c->H,
                          .w = c->W,
                          .rows = conv2d_rows(c),
                          .columns = conv2d_columns(c),
                          .pad = c->pad,
                          .relu = c->relu,
                          .pool = c->pool};
    return emit_forward(g, node, &d);
}

int conv2d_winograd_dx_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    return forward_usable(caps, c, c->H, c->W);
}

size_t conv2d_winograd_dx_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                                  const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct conv2d_groups groups = conv2d_groups(c, 1);
    size_t n_tiles = tiles((size_t)c->N, (size_t)c->H, (size_t)c->W);
    return forward_configs(out, room, caps, n_tiles, &groups, slice(groups.met, (size_t)c->C));
}

int conv2d_winograd_dx_prepare(ctr_graph *g, ctr_node *node)
{
    return forward_prepare(g, node, 1);
}

int conv2d_winograd_dx_lower(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct direction d = {.out = node->out[0],
                          .transposed = 1,
                          .in = node->in[0],
                          .gate = node->in[2],
                          .h = conv2d_rows(c),
                          .w = conv2d_columns(c),
                          .rows = c->H,
                          .columns = c->W,
                          .pad = 2 - c->pad,
                          .gate_kind = conv2d_gate(c)};
    return emit_forward(g, node, &d);
}

/* ---- weight gradient ---- */

struct weights {
    size_t T, CI, CO;   /* tiles at a time, channel block of a work-item */
    size_t met;         /* of CI by each of CO */
    size_t splits, per; /* parts of the tiles, tiles of a part */
    int sole;           /* whether one part is dw itself */
};

static size_t point_bytes(size_t floats)
{
    return POINTS * (floats + LINE) * sizeof(float);
}

static size_t weights_bytes(const struct weights *p)
{
    return point_bytes(p->T * p->CI) + point_bytes(p->T * p->CO) + point_bytes(p->met * p->CO);
}

/* Channel blocks of 64 where they fit, and as many tiles at a time as do then: the sums of a point move
 * between caches and registers once for each T. Enough parts for 8 work-items a thread, of 64 tiles at
 * least. */
static struct weights weights_plan(const struct ctr_caps *caps, const struct conv2d *c)
{
    size_t n = tiles((size_t)c->N, (size_t)conv2d_rows(c), (size_t)conv2d_columns(c));
    struct conv2d_groups groups = conv2d_groups(c, 0);
    struct weights p = {.T = n > 16 ? 32 : n > 8 ? 16 : 8,
                        .CI = groups.in % 64 ? 32 : 64,
                        .CO = groups.out % 64 ? 32 : 64};
    p.met = groups.halves ? groups.met : p.CI;
    if (p.T == 32 && weights_bytes(&p) > caps->local_bytes)
        p.T = 16;
    if (weights_bytes(&p) > caps->local_bytes && p.CI > 32)
        p.CI = p.met = 32;
    if (weights_bytes(&p) > caps->local_bytes)
        p.CO = 32;
    if (weights_bytes(&p) > caps->local_bytes)
        p.T = 8;
    size_t blocks = (size_t)c->C / p.CI * (groups.out / p.CO);
    p.splits = conv2d_ceil(8 * (size_t)caps->compute_units, blocks);
    p.splits = conv2d_min(p.splits, conv2d_ceil(n, 64));
    p.per = conv2d_ceil(conv2d_ceil(n, p.splits), p.T) * p.T;
    p.splits = conv2d_ceil(n, p.per);
    p.sole = p.splits == 1 && c->C / c->groups >= 16;
    return p;
}

int conv2d_winograd_dw_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    const struct weights least = {.T = 8, .CI = 32, .CO = 32, .met = 32};
    return suits(caps, c) && pays(c, conv2d_rows(c), conv2d_columns(c)) &&
           weights_bytes(&least) <= caps->local_bytes;
}

int conv2d_winograd_dw_prepare(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct weights p = weights_plan(ctr_graph_caps(g), c);
    size_t bytes = p.splits * (node->out[0]->bytes + (size_t)c->K * sizeof(float));
    return p.sole || ctr_node_scratch(g, node, bytes) ? 0 : CTR_E_FAIL;
}

/* The sums over tiles, in parts or, if there is but one, to where they belong. */
static int emit_weights(ctr_graph *g, ctr_node *node, const struct weights *p, ctr_tensor *part,
                        ctr_tensor *sums, size_t sums_at)
{
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *x = node->in[0], *dy = node->in[1], *gate = node->in[2];
    struct conv2d_groups groups = conv2d_groups(c, 0);
    int rows = conv2d_rows(c), columns = conv2d_columns(c);
    struct ctr_launch_spec spec = {
        .file = "op/conv2d_winograd.cl",
        .kernel = "conv2d_winograd_bwd_dw",
        .options = conv2d_options(node, "-DT=%d -DCI=%d -DCO=%d -DGATE=%d -DSOLE=%d -DHALVES=%d",
                                  (int)p->T, (int)p->CI, (int)p->CO, conv2d_gate(c), p->sole,
                                  groups.halves),
        .global = {p->splits, (size_t)c->C / p->CI, groups.out / p->CO},
        .local = {1, 1, 1},
        .flops = conv2d_flops(c),
        .work = (double)tiles((size_t)c->N, (size_t)rows, (size_t)columns) *
                    tile_work(c->C, (double)groups.met, c->K, GRAD_OPS) +
                (double)p->splits * DW_OPS * (double)groups.met * c->K,
        .bytes = (double)(x->bytes + dy->bytes + (gate ? gate->bytes : 0) + part->bytes)};
    conv2d_bufs(&spec, 5, (ctr_tensor *[]){part, x, dy, gate ? gate : dy, sums ? sums : part});
    spec.args[spec.n_args++] = CTR_U64(sums_at);
    spec.args[spec.n_args++] = CTR_I32(sums != NULL);
    spec.args[spec.n_args++] = CTR_LOCAL(point_bytes(p->T * p->CI));
    spec.args[spec.n_args++] = CTR_LOCAL(point_bytes(p->T * p->CO));
    spec.args[spec.n_args++] = CTR_LOCAL(point_bytes(p->met * p->CO));
    conv2d_ints(&spec, 13,
                (int[]){c->N, c->H, c->W, c->C, c->C / c->groups, rows, columns, c->K, c->K / c->groups,
                        c->pad, (rows + 3) / 4, (columns + 3) / 4, (int)p->per});
    return ctr_emit(g, &spec);
}

int conv2d_winograd_dw_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    struct weights p = weights_plan(ctr_graph_caps(g), c);
    ctr_tensor *dw = node->out[0], *db = c->bias ? node->out[1] : NULL;
    if (p.sole)
        return emit_weights(g, node, &p, dw, db, 0);
    ctr_tensor *part = conv2d_scratch(node, 0);
    size_t behind = p.splits * dw->count;
    CTR_TRY(emit_weights(g, node, &p, part, db ? part : NULL, behind));
    CTR_TRY(conv2d_emit_dw_sum(g, c, dw, part, p.splits));
    if (db)
        CTR_TRY(conv2d_emit_db_sum(g, c, db, part, behind, p.splits));
out:
    return rc;
}
