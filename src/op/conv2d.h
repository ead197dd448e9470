/* conv2d.h -- what the files of the convolution share: its shape, and helpers to describe launches.
 * conv2d.c holds shape rule, gradient rule and the general variants; conv2d_cpu.c the direct
 * variants and conv2d_winograd.c the Winograd variants for CPUs. */
#ifndef CTR_OP_CONV2D_H
#define CTR_OP_CONV2D_H

#include "op/op.h"

/* y[N,P,Q,K] from x[N,H,W,C] and w[K,C,R,S]; the attribute of all three nodes:
 *   conv2d         in x, w, b or NULL          out y
 *   conv2d_bwd_dx  in dy, w, y or NULL         out dx
 *   conv2d_bwd_dw  in x, dy, y or NULL         out dw, db when `bias`
 * y is there when `relu`: dy counts where y > 0. */
struct conv2d {
    int N, H, W, C, P, Q, K, R, S, stride, pad, relu, bias;
    char options[64]; /* of the node's main kernel; launches only borrow their text */
};

static inline const struct conv2d *conv2d_of(const ctr_node *node)
{
    return node->attr;
}

static inline size_t conv2d_ceil(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

static inline size_t conv2d_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t conv2d_max(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Multiply-adds of the direct algorithm, twice: what every variant states as its work. */
double conv2d_flops(const struct conv2d *c);
/* Formats the node's compiler options and returns them. */
const char *conv2d_options(ctr_node *node, const char *fmt, ...) CTR_PRINTF(2, 3);
/* Appends arguments to a launch. */
void conv2d_bufs(struct ctr_launch_spec *spec, size_t n, ctr_tensor *const *t);
void conv2d_ints(struct ctr_launch_spec *spec, size_t n, const int *v);
/* Bytes of the weights packed for `out` channels (conv2d_pack), and the launch that packs w: as it
 * is (I = C, O = K), or transposed for the data gradient (I = K, O = C). */
size_t conv2d_packed_bytes(const struct conv2d *c, int transposed);
int conv2d_emit_pack(ctr_graph *g, const struct conv2d *c, ctr_tensor *packed, ctr_tensor *w,
                     int transposed);
/* dw from partial sums part[splits][taps][C][K]; db from part[splits][K], `at` floats into `part`.
 */
int conv2d_emit_dw_sum(ctr_graph *g, const struct conv2d *c, ctr_tensor *dw, ctr_tensor *part,
                       size_t splits);
int conv2d_emit_db_sum(ctr_graph *g, const struct conv2d *c, ctr_tensor *db, ctr_tensor *part,
                       size_t at, size_t splits);
/* For variants that take dy as it is. conv2d_prepare_mask comes first in a node's prepare: scratch
 * for the masked dy (with c->relu) and sums of it (with `sums`). conv2d_emit_mask fills it and says
 * what to read instead of dy; with `db` it emits the bias gradient as well. */
int conv2d_prepare_mask(ctr_graph *g, ctr_node *node, int sums);
int conv2d_emit_mask(ctr_graph *g, ctr_node *node, ctr_tensor **masked, ctr_tensor *dy,
                     ctr_tensor *y, ctr_tensor *db);
/* The i-th scratch tensor that a node asked for. */
ctr_tensor *conv2d_scratch(const ctr_node *node, unsigned i);

#define CONV2D_VARIANT(name)                                                                       \
    int name##_usable(const struct ctr_caps *caps, const ctr_node *node);                          \
    int name##_prepare(ctr_graph *g, ctr_node *node);                                              \
    int name##_lower(ctr_graph *g, ctr_node *node)
CONV2D_VARIANT(conv2d_winograd_fwd);
CONV2D_VARIANT(conv2d_winograd_dx);
CONV2D_VARIANT(conv2d_winograd_dw);
CONV2D_VARIANT(conv2d_thin_fwd);
CONV2D_VARIANT(conv2d_thin_dw);
CONV2D_VARIANT(conv2d_direct_fwd);
CONV2D_VARIANT(conv2d_direct_dx);
CONV2D_VARIANT(conv2d_direct_dw);

#endif
