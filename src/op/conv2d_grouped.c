/* conv2d_grouped.c -- convolution with groups > 1 and its gradients: the list of variants, and the general ones
 * (cl/op/conv2d_grouped.cl): any size, stride, padding and device.
 *
 * An item holds 16 out channels of a few pixels. It meets a window of in channels, that of all groups
 * its 16 belong to, with packed weights that are zero where groups differ: small groups pay for zeros
 * but run at the speed of a dense convolution. The data gradient is the same gather with the sides
 * exchanged; the weight gradient is summed over parts of
 * the batch in a fixed order. */
#include "op/conv2d.h"

#include <math.h>

#define LANES      16
#define CHUNK      8 /* in channels of a weight gradient's item */
#define PART_BYTES ((size_t)8 << 20) /* partial sums of a weight gradient, about */

/* One side's view: channels in and out, how many of them a group has. */
struct sides {
    int in, out, in_group, out_group;
    int window; /* in channels that 16 out channels meet, at most */
};

static struct sides sides_of(const struct conv2d *c, int transposed)
{
    struct sides s = {c->C, c->K, c->C / c->groups, c->K / c->groups, 0};
    if (transposed)
        s = (struct sides){c->K, c->C, c->K / c->groups, c->C / c->groups, 0};
    for (int o = 0; o < s.out; o += LANES) {
        int last = (o + LANES < s.out ? o + LANES : s.out) - 1;
        int groups = last / s.out_group - o / s.out_group + 1;
        s.window = groups * s.in_group > s.window ? groups * s.in_group : s.window;
    }
    return s;
}

static size_t blocks_of(const struct sides *s)
{
    return conv2d_ceil((size_t)s->out, LANES);
}

static int pixels_of_item(const ctr_graph *g)
{
    return ctr_graph_caps(g)->family == CTR_FAMILY_CPU ? 8 : 2;
}

static const char *options(const ctr_graph *g, ctr_node *node, const struct sides *s, int dgrad)
{
    return conv2d_options(node, "-DSTRIDE=%d -DDGRAD=%d -DIG=%d -DOG=%d -DWINDOW=%d -DPIX=%d",
                          conv2d_of(node)->stride, dgrad, s->in_group, s->out_group, s->window,
                          pixels_of_item(g));
}

/* ---- forward and data gradient ---- */

/* Zeros behind: what a tap outside the image reads. */
static size_t packed_bytes(const struct conv2d *c, const struct sides *s)
{
    return (blocks_of(s) * (size_t)(c->R * c->S) * LANES + 1) * (size_t)s->window * sizeof(float);
}

static int emit_pack(ctr_graph *g, ctr_node *node, const struct sides *s, ctr_tensor *w, int dgrad)
{
    const struct conv2d *c = conv2d_of(node);
    ctr_tensor *packed = conv2d_last_scratch(node);
    struct ctr_launch_spec spec = {.file = "op/conv2d_grouped.cl",
                                   .kernel = "conv2d_grouped_pack",
                                   .options = options(g, node, s, dgrad),
                                   .bytes = (double)(w->bytes + packed->bytes)};
    conv2d_bufs(&spec, 2, (ctr_tensor *[]){packed, w});
    conv2d_ints(&spec, 2, (int[]){s->out, c->R * c->S});
    ctr_grid_items(g, &spec, blocks_of(s) * (size_t)s->window, 64);
    return ctr_emit(g, &spec);
}

/* out from in, forward or, with `dgrad`, back. */
static int emit_gather(ctr_graph *g, ctr_node *node, ctr_tensor *out, ctr_tensor *in, ctr_tensor *b,
                       int dgrad)
{
    const struct conv2d *c = conv2d_of(node);
    struct sides s = sides_of(c, dgrad);
    ctr_tensor *packed = conv2d_last_scratch(node);
    size_t step = dgrad ? (size_t)c->stride : 1; /* phases, whose pixels share their taps */
    size_t pixels = out->dim[0] * conv2d_ceil(out->dim[1], step) * conv2d_ceil(out->dim[2], step);
    int high = dgrad ? c->P : c->H, wide = dgrad ? c->Q : c->W; /* of in */
    struct ctr_launch_spec spec = {.file = "op/conv2d_grouped.cl",
                                   .kernel = "conv2d_grouped",
                                   .options = options(g, node, &s, dgrad),
                                   .flops = conv2d_flops(c),
                                   .bytes = (double)(in->bytes + out->bytes + packed->bytes)};
    conv2d_bufs(&spec, 4, (ctr_tensor *[]){out, in, packed, b ? b : packed});
    conv2d_ints(&spec, 1, (int[]){b != NULL});
    spec.args[spec.n_args++] = CTR_F32(c->relu && !dgrad ? 0.0f : -INFINITY);
    conv2d_ints(&spec, 11,
                (int[]){c->N, high, wide, s.in, (int)out->dim[1], (int)out->dim[2], s.out, c->R, c->S,
                        c->pad, conv2d_stream(out)});
    ctr_grid_items(g, &spec, conv2d_ceil(pixels, (size_t)pixels_of_item(g)) * blocks_of(&s), 64);
    spec.global[1] = step * step;
    spec.local[1] = 1;
    return ctr_emit(g, &spec);
}

static int fwd_prepare(ctr_graph *g, ctr_node *node)
{
    struct sides s = sides_of(conv2d_of(node), 0);
    return ctr_node_scratch(g, node, packed_bytes(conv2d_of(node), &s)) ? 0 : CTR_E_FAIL;
}

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    struct sides s = sides_of(conv2d_of(node), 0);
    int rc = emit_pack(g, node, &s, node->in[1], 0);
    return rc != 0 ? rc : emit_gather(g, node, node->out[0], node->in[0], node->in[2], 0);
}

static int dx_prepare(ctr_graph *g, ctr_node *node)
{
    struct sides s = sides_of(conv2d_of(node), 1);
    int rc = conv2d_prepare_gated(g, node, 0);
    if (rc != 0)
        return rc;
    return ctr_node_scratch(g, node, packed_bytes(conv2d_of(node), &s)) ? 0 : CTR_E_FAIL;
}

static int dx_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    struct sides s = sides_of(conv2d_of(node), 1);
    ctr_tensor *dy;
    CTR_TRY(conv2d_emit_gated(g, node, &dy, node->in[0], node->in[2], NULL));
    CTR_TRY(emit_pack(g, node, &s, node->in[1], 1));
    CTR_TRY(emit_gather(g, node, node->out[0], dy, NULL, 1));
out:
    return rc;
}

/* ---- weight gradient ---- */

/* Items of one part of the batch: a tap of 16 filters over CHUNK in channels. */
static size_t dw_items(const struct conv2d *c, const struct sides *s)
{
    return blocks_of(s) * conv2d_ceil((size_t)s->window, CHUNK) * (size_t)(c->R * c->S);
}

/* Parts of the batch: enough items for all threads; more while their sums stay small, since fewer
 * images at a time are read from nearer caches. */
static size_t dw_splits(size_t *per, const ctr_graph *g, const struct conv2d *c,
                        const struct sides *s, size_t dw_bytes)
{
    size_t wanted = 16 * (size_t)ctr_graph_caps(g)->compute_units;
    size_t splits = conv2d_max(conv2d_ceil(wanted, dw_items(c, s)), PART_BYTES / dw_bytes);
    splits = conv2d_min(conv2d_max(splits, 1), (size_t)c->N);
    *per = conv2d_ceil((size_t)c->N, splits);
    return conv2d_ceil((size_t)c->N, *per);
}

static int dw_prepare(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct sides s = sides_of(c, 0);
    size_t per, splits = dw_splits(&per, g, c, &s, node->out[0]->bytes);
    int rc = conv2d_prepare_gated(g, node, c->bias);
    if (rc != 0)
        return rc;
    return ctr_node_scratch(g, node, splits * node->out[0]->bytes) ? 0 : CTR_E_FAIL;
}

static int dw_lower(ctr_graph *g, ctr_node *node)
{
    int rc = 0;
    const struct conv2d *c = conv2d_of(node);
    struct sides s = sides_of(c, 0);
    ctr_tensor *x = node->in[0], *dw = node->out[0], *dy, *part = conv2d_last_scratch(node);
    size_t per, splits = dw_splits(&per, g, c, &s, dw->bytes);
    CTR_TRY(conv2d_emit_gated(g, node, &dy, node->in[1], node->in[2], node->out[1]));
    struct ctr_launch_spec spec = {.file = "op/conv2d_grouped.cl",
                                   .kernel = "conv2d_grouped_bwd_dw",
                                   .options = options(g, node, &s, 0),
                                   .flops = conv2d_flops(c),
                                   .bytes = (double)(x->bytes + dy->bytes + part->bytes)};
    conv2d_bufs(&spec, 3, (ctr_tensor *[]){part, x, dy});
    conv2d_ints(
        &spec, 11,
        (int[]){c->N, c->H, c->W, c->C, c->P, c->Q, c->K, c->R, c->S, c->pad, (int)per});
    ctr_grid_items(g, &spec, splits * dw_items(c, &s), 64);
    CTR_TRY(ctr_emit(g, &spec));
    CTR_TRY(conv2d_emit_dw_sum(g, c, dw, part, splits));
out:
    return rc;
}

#define VARIANTS(direction, winograd_configs)                                                      \
    (const struct ctr_variant[])                                                                   \
    {                                                                                              \
        {.name = "depthwise",                                                                      \
         .usable = conv2d_depthwise_usable,                                                        \
         .prepare = conv2d_depthwise_##direction##_prepare,                                        \
         .lower = conv2d_depthwise_##direction##_lower,                                            \
         .half = 1},                                                                               \
        {.name = "winograd",                                                                       \
         .usable = conv2d_winograd_##direction##_usable,                                           \
         .configs = winograd_configs,                                                              \
         .prepare = conv2d_winograd_##direction##_prepare,                                         \
         .lower = conv2d_winograd_##direction##_lower,                                             \
         .half = 1},                                                                               \
        {.name = "direct",                                                                         \
         .usable = conv2d_direct_##direction##_usable,                                             \
         .prepare = conv2d_direct_##direction##_prepare,                                           \
         .lower = conv2d_direct_##direction##_lower,                                               \
         .half = 1},                                                                               \
        {.name = "general",                                                                        \
         .prepare = direction##_prepare,                                                           \
         .lower = direction##_lower,                                                               \
         .half = 1},                                                                               \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

const struct ctr_op conv2d_grouped_bwd_dx = {.name = "conv2d_grouped_bwd_dx",
                                             .variants = VARIANTS(dx, conv2d_winograd_dx_configs)};

const struct ctr_op conv2d_grouped_bwd_dw = {.name = "conv2d_grouped_bwd_dw",
                                             .variants = VARIANTS(dw, NULL)};

const struct ctr_op conv2d_grouped = {.name = "conv2d_grouped",
                                      .grad = conv2d_grad,
                                      .again = conv2d_again,
                                      .again_dear = 1,
                                      .form = conv2d_form,
                                      .variants = VARIANTS(fwd, conv2d_winograd_fwd_configs)};
