/* conv2d_tile.c -- the convolution's general variants: products of matrices that are never written
 * down, in tiles that work-groups share (cl/op/conv2d_tile.cl, tile.h). Any size, stride and
 * padding, any device; made for GPUs. Configurations are tiles. The variants "mma" are the same by
 * matrix units (cl/op/conv2d_mma.cl), for channels in multiples of 16 bytes: of fp16 and bf16 as
 * they are stored, weights rounded to the same; of fp32 in tf32, where permitted. */
#include "op/conv2d.h"
#include "op/tile.h"

#include <math.h>

static size_t value_bytes(const ctr_node *node)
{
    return ctr_dtype_bytes(ctr_node_storage(node));
}

int conv2d_mma_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    return ctr_tile_mma_usable(caps, node) && (size_t)c->C * value_bytes(node) % 16 == 0 &&
           (size_t)c->K * value_bytes(node) % 16 == 0;
}

static int by_mma(const ctr_node *node)
{
    return node->variant->usable == conv2d_mma_usable;
}

static size_t packed_bytes(const ctr_node *node, int transposed)
{
    const struct conv2d *c = conv2d_of(node);
    return by_mma(node) ? (size_t)(c->K * c->R * c->S * c->C) * value_bytes(node)
                        : conv2d_packed_bytes(c, transposed);
}

/* full: what is written is pooled by the next launch. */
static const char *options(ctr_node *node, const struct ctr_tile *t, int dgrad, int full, int in,
                           int out)
{
    return conv2d_options(node,
                          "-DSTRIDE=%d -DDGRAD=%d -DEVEN_C=%d -DEVEN_O=%d%s " CTR_TILE_OPTIONS,
                          conv2d_of(node)->stride, dgrad, in % 4 == 0, out % 4 == 0,
                          full ? " -DFULL=1" : "", CTR_TILE_VALUES(*t, 0));
}

static int emit_pack(ctr_graph *g, const ctr_node *node, ctr_tensor *packed, int transposed,
                     const char *tile_options)
{
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *w = node->in[1];
    int taps = c->R * c->S, in = transposed ? c->K : c->C, out = transposed ? c->C : c->K;
    if (!by_mma(node))
        return conv2d_emit_pack(g, c, packed, w, transposed);
    struct ctr_launch_spec spec = {.file = "op/conv2d_mma.cl",
                                   .kernel = "conv2d_mma_pack",
                                   .options = tile_options,
                                   .bytes = (double)(w->bytes + packed->bytes)};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){packed, w});
    conv2d_ints(
        &spec, 5,
        (int[]){in, out, taps, transposed ? taps : c->C * taps, transposed ? c->C * taps : taps});
    ctr_grid_items(g, &spec, (size_t)out * (size_t)in, 64);
    return ctr_emit(g, &spec);
}

/* A launch, but for its bytes, grid and arguments. */
static struct ctr_launch_spec launch(const ctr_node *node, const char *tile_options)
{
    return (struct ctr_launch_spec){.file = by_mma(node) ? "op/conv2d_mma.cl" : "op/conv2d_tile.cl",
                                    .kernel = by_mma(node) ? "conv2d_mma" : "conv2d_tile",
                                    .options = tile_options,
                                    .flops = conv2d_flops(conv2d_of(node))};
}

/* ---- forward and data gradient ---- */

struct product {
    size_t rows, columns, batch; /* of so many of that size, or parts of the depth */
};

static struct product product_fwd(const struct conv2d *c)
{
    return (struct product){(size_t)c->N * (size_t)(c->P * c->Q), (size_t)c->K, 1};
}

/* The largest phase; the others have a row or column of pixels less. */
static struct product product_dx(const struct conv2d *c)
{
    size_t st = (size_t)c->stride;
    size_t pixels = conv2d_ceil((size_t)c->H, st) * conv2d_ceil((size_t)c->W, st);
    return (struct product){(size_t)c->N * pixels, (size_t)c->C, st * st};
}

static struct ctr_tile tile_of(const ctr_graph *g, const ctr_node *node, struct product p)
{
    return ctr_tile_of(&node->config, ctr_graph_caps(g), p.rows, p.columns, p.batch);
}

static void grid(struct ctr_launch_spec *spec, const struct ctr_tile *t, struct product p)
{
    spec->local[0] = ctr_tile_items(t);
    spec->global[0] = ctr_tile_blocks(t, p.rows, p.columns) * spec->local[0];
    spec->global[1] = spec->local[1] = spec->local[2] = 1;
    spec->global[2] = p.batch;
}

int conv2d_tile_fwd_prepare(ctr_graph *g, ctr_node *node)
{
    int rc = conv2d_prepare_full(g, node);
    if (rc != 0)
        return rc;
    return ctr_node_scratch(g, node, packed_bytes(node, 0)) ? 0 : CTR_E_FAIL;
}

int conv2d_tile_fwd_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *x = node->in[0], *b = node->in[2], *y = conv2d_full(node);
    ctr_tensor *packed = conv2d_last_scratch(node);
    struct ctr_tile t = tile_of(g, node, product_fwd(c));
    struct ctr_launch_spec spec =
        launch(node, options(node, &t, 0, conv2d_writes_full(node), c->C, c->K));
    spec.bytes = (double)(x->bytes + y->bytes + packed->bytes);
    grid(&spec, &t, product_fwd(c));
    conv2d_bufs(&spec, 4, (ctr_tensor *[]){y, x, packed, b ? b : packed});
    conv2d_ints(&spec, 1, (int[]){b != NULL});
    spec.args[spec.n_args++] = CTR_F32(c->relu ? 0.0f : -INFINITY);
    conv2d_ints(&spec, 10, (int[]){c->N, c->H, c->W, c->C, c->P, c->Q, c->K, c->R, c->S, c->pad});
    CTR_TRY(emit_pack(g, node, packed, 0, spec.options));
    CTR_TRY(ctr_emit(g, &spec));
    CTR_TRY(conv2d_emit_pool(g, node));
out:
    return rc;
}

size_t conv2d_tile_fwd_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                               const ctr_node *node)
{
    struct product p = product_fwd(conv2d_of(node));
    return ctr_tile_configs(out, room, caps, p.rows, p.columns);
}

int conv2d_tile_dx_prepare(ctr_graph *g, ctr_node *node)
{
    int rc = conv2d_prepare_gated(g, node, 0);
    if (rc != 0)
        return rc;
    return ctr_node_scratch(g, node, packed_bytes(node, 1)) ? 0 : CTR_E_FAIL;
}

int conv2d_tile_dx_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *dy, *dx = node->out[0];
    ctr_tensor *packed = conv2d_last_scratch(node);
    struct ctr_tile t = tile_of(g, node, product_dx(c));
    CTR_TRY(conv2d_emit_gated(g, node, &dy, node->in[0], node->in[2], NULL));
    struct ctr_launch_spec spec = launch(node, options(node, &t, 1, 0, c->K, c->C));
    spec.bytes = (double)(dx->bytes + dy->bytes + packed->bytes);
    grid(&spec, &t, product_dx(c));
    conv2d_bufs(&spec, 4, (ctr_tensor *[]){dx, dy, packed, packed});
    conv2d_ints(&spec, 1, (int[]){0});
    spec.args[spec.n_args++] = CTR_F32(-INFINITY);
    conv2d_ints(&spec, 10, (int[]){c->N, c->P, c->Q, c->K, c->H, c->W, c->C, c->R, c->S, c->pad});
    CTR_TRY(emit_pack(g, node, packed, 1, spec.options));
    CTR_TRY(ctr_emit(g, &spec));
out:
    return rc;
}

size_t conv2d_tile_dx_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                              const ctr_node *node)
{
    struct product p = product_dx(conv2d_of(node));
    return ctr_tile_configs(out, room, caps, p.rows, p.columns);
}

/* ---- weight gradient ---- */

/* With as many parts of the depth, all output pixels, as there may be: at least 256 pixels each. */
static struct product product_dw(const struct conv2d *c)
{
    size_t most = conv2d_ceil(product_fwd(c).rows, 256);
    return (struct product){(size_t)(c->R * c->S) * (size_t)c->C, (size_t)c->K, most};
}

struct parts {
    size_t splits, per; /* parts of the depth, pixels of each */
};

/* Enough for four groups a compute unit, at most 64 MiB of partial sums. A function of shapes and
 * device alone: same bits each time. */
static struct parts parts_of(const struct ctr_caps *caps, const struct conv2d *c,
                             const struct ctr_tile *t)
{
    struct product p = product_dw(c);
    size_t pixels = product_fwd(c).rows, blocks = ctr_tile_blocks(t, p.rows, p.columns);
    size_t splits = conv2d_ceil(4 * (size_t)caps->compute_units, blocks);
    splits = conv2d_min(splits, p.batch);
    splits = conv2d_min(splits, conv2d_max(1, ((size_t)64 << 20) / (p.rows * p.columns * 4)));
    size_t per = conv2d_ceil(pixels, splits);
    return (struct parts){conv2d_ceil(pixels, per), per};
}

int conv2d_tile_dw_prepare(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct ctr_tile t = tile_of(g, node, product_dw(c));
    struct parts parts = parts_of(ctr_graph_caps(g), c, &t);
    int rc = conv2d_prepare_gated(g, node, c->bias);
    if (rc != 0)
        return rc;
    return ctr_node_scratch(g, node, parts.splits * node->out[0]->bytes) ? 0 : CTR_E_FAIL;
}

int conv2d_tile_dw_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *x = node->in[0], *dy, *part = conv2d_last_scratch(node);
    struct ctr_tile t = tile_of(g, node, product_dw(c));
    struct parts parts = parts_of(ctr_graph_caps(g), c, &t);
    CTR_TRY(conv2d_emit_gated(g, node, &dy, node->in[1], node->in[2], node->out[1]));
    struct ctr_launch_spec spec = launch(node, options(node, &t, 0, 0, c->C, c->K));
    spec.kernel = by_mma(node) ? "conv2d_mma_bwd_dw" : "conv2d_tile_bwd_dw";
    spec.bytes = (double)(x->bytes + dy->bytes + part->bytes);
    grid(&spec, &t, product_dw(c));
    spec.global[2] = parts.splits;
    conv2d_bufs(&spec, 3, (ctr_tensor *[]){part, x, dy});
    conv2d_ints(
        &spec, 11,
        (int[]){c->N, c->H, c->W, c->C, c->P, c->Q, c->K, c->R, c->S, c->pad, (int)parts.per});
    CTR_TRY(ctr_emit(g, &spec));
    CTR_TRY(conv2d_emit_dw_sum(g, c, node->out[0], part, parts.splits));
out:
    return rc;
}

size_t conv2d_tile_dw_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                              const ctr_node *node)
{
    struct product p = product_dw(conv2d_of(node));
    return ctr_tile_configs(out, room, caps, p.rows, p.columns);
}
