/* conv2d_depthwise.c -- the grouped convolution's variants where each channel is a group of its own
 * and has one filter (cl/op/conv2d_depthwise.cl): little arithmetic for each value read, so that
 * vectors run along the channels and pixels along a row. Any size, stride, padding and device. */
#include "op/conv2d.h"

#include <math.h>

#define LANES      16
#define RUN        8   /* taps of a filter row that an item of the weight gradient adds up, at most */
#define MAX_SPLITS 256 /* parts of the batch in the weight gradient */
#define PART_BYTES ((size_t)8 << 20)

int conv2d_depthwise_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    (void)caps;
    return c->groups == c->C && c->groups == c->K;
}

static size_t blocks_of(const struct conv2d *c)
{
    return conv2d_ceil((size_t)c->K, LANES);
}

static int is_cpu(const ctr_graph *g)
{
    return ctr_graph_caps(g)->family == CTR_FAMILY_CPU;
}

static int run_of(const struct conv2d *c)
{
    return c->S < RUN ? c->S : RUN;
}

static const char *options(const ctr_graph *g, ctr_node *node, int dgrad)
{
    const struct conv2d *c = conv2d_of(node);
    return conv2d_options(node, "-DSTRIDE=%d -DDGRAD=%d -DEVEN=%d -DPIX=%d -DRUN=%d", c->stride,
                          dgrad, c->K % LANES == 0, is_cpu(g) ? 8 : 2, run_of(c));
}

/* As the packing sees it: one in channel. */
static struct conv2d filters(const struct conv2d *c)
{
    struct conv2d one = *c;
    one.C = one.groups = 1;
    return one;
}

/* ---- forward and data gradient ---- */

static int emit_gather(ctr_graph *g, ctr_node *node, ctr_tensor *out, ctr_tensor *in, ctr_tensor *b,
                       int dgrad)
{
    const struct conv2d *c = conv2d_of(node), one = filters(c);
    ctr_tensor *packed = conv2d_last_scratch(node);
    size_t step = dgrad ? (size_t)c->stride : 1; /* phases, whose pixels share their taps */
    size_t rows = out->dim[0] * conv2d_ceil(out->dim[1], step);
    size_t per = is_cpu(g) ? blocks_of(c) : 1; /* blocks of channels that an item does */
    struct ctr_launch_spec spec = {.file = "op/conv2d_depthwise.cl",
                                   .kernel = "conv2d_depthwise",
                                   .options = options(g, node, dgrad),
                                   .flops = conv2d_flops(c),
                                   .bytes = (double)(in->bytes + out->bytes + packed->bytes)};
    conv2d_bufs(&spec, 4, (ctr_tensor *[]){out, in, packed, b ? b : packed});
    conv2d_ints(&spec, 1, (int[]){b != NULL});
    spec.args[spec.n_args++] = CTR_F32(c->relu && !dgrad ? 0.0f : -INFINITY);
    conv2d_ints(&spec, 11,
                (int[]){c->N, dgrad ? c->P : c->H, dgrad ? c->Q : c->W, (int)out->dim[1],
                        (int)out->dim[2], c->K, c->R, c->S, c->pad, (int)per, conv2d_stream(out)});
    ctr_grid_items(g, &spec, rows * conv2d_ceil(blocks_of(c), per), 64);
    spec.global[1] = step * step;
    spec.local[1] = 1;
    int rc = conv2d_emit_pack(g, &one, packed, node->in[1], 0);
    return rc != 0 ? rc : ctr_emit(g, &spec);
}

static int packed_scratch(ctr_graph *g, ctr_node *node)
{
    struct conv2d one = filters(conv2d_of(node));
    return ctr_node_scratch(g, node, conv2d_packed_bytes(&one, 0)) ? 0 : CTR_E_FAIL;
}

int conv2d_depthwise_fwd_prepare(ctr_graph *g, ctr_node *node)
{
    return packed_scratch(g, node);
}

int conv2d_depthwise_fwd_lower(ctr_graph *g, ctr_node *node)
{
    return emit_gather(g, node, node->out[0], node->in[0], node->in[2], 0);
}

int conv2d_depthwise_dx_prepare(ctr_graph *g, ctr_node *node)
{
    int rc = conv2d_prepare_gated(g, node, 0);
    return rc != 0 ? rc : packed_scratch(g, node);
}

int conv2d_depthwise_dx_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *dy;
    int rc = conv2d_emit_gated(g, node, &dy, node->in[0], node->in[2], NULL);
    return rc != 0 ? rc : emit_gather(g, node, node->out[0], dy, NULL, 1);
}

/* ---- weight gradient ---- */

static size_t dw_splits(size_t *per, const struct conv2d *c, size_t dw_bytes)
{
    size_t splits = conv2d_min(MAX_SPLITS, conv2d_max(1, PART_BYTES / dw_bytes));
    *per = conv2d_ceil((size_t)c->N, conv2d_min(splits, (size_t)c->N));
    return conv2d_ceil((size_t)c->N, *per);
}

int conv2d_depthwise_dw_prepare(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    size_t per, splits = dw_splits(&per, c, node->out[0]->bytes);
    int rc = conv2d_prepare_gated(g, node, c->bias);
    if (rc != 0)
        return rc;
    return ctr_node_scratch(g, node, splits * node->out[0]->bytes) ? 0 : CTR_E_FAIL;
}

int conv2d_depthwise_dw_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *x = node->in[0], *dw = node->out[0], *dy, *part = conv2d_last_scratch(node);
    size_t per, splits = dw_splits(&per, c, dw->bytes);
    size_t blocks = blocks_of(c), runs = conv2d_ceil((size_t)c->S, (size_t)run_of(c));
    CTR_TRY(conv2d_emit_gated(g, node, &dy, node->in[1], node->in[2], node->out[1]));
    struct ctr_launch_spec spec = {.file = "op/conv2d_depthwise.cl",
                                   .kernel = is_cpu(g) ? "conv2d_depthwise_bwd_dw_rows"
                                                       : "conv2d_depthwise_bwd_dw",
                                   .options = options(g, node, 0),
                                   .flops = conv2d_flops(c),
                                   .bytes = (double)(x->bytes + dy->bytes + part->bytes)};
    conv2d_bufs(&spec, 3, (ctr_tensor *[]){part, x, dy});
    conv2d_ints(&spec, 10,
                (int[]){c->N, c->H, c->W, c->P, c->Q, c->K, c->R, c->S, c->pad, (int)per});
    if (is_cpu(g)) {
        /* All channels of a part of the batch, or some where threads would have no work. */
        size_t wanted = conv2d_ceil(4 * (size_t)ctr_graph_caps(g)->compute_units, splits);
        size_t some = conv2d_ceil(blocks, conv2d_min(wanted, blocks));
        conv2d_ints(&spec, 1, (int[]){(int)some});
        spec.global[0] = splits;
        spec.global[1] = conv2d_ceil(blocks, some);
        spec.local[0] = spec.local[1] = 1;
    } else {
        ctr_grid_items(g, &spec, splits * (size_t)c->R * runs * blocks, 64);
    }
    CTR_TRY(ctr_emit(g, &spec));
    CTR_TRY(conv2d_emit_dw_sum(g, c, dw, part, splits));
out:
    return rc;
}
