/* conv2d.h -- what the files of the convolution share: its shape, and helpers to describe launches.
 * conv2d.c holds shape rule and gradient rule; conv2d_tile.c the general variants, which GPUs use;
 * conv2d_cpu.c the direct variants, conv2d_pointwise.c those for 1x1 and conv2d_winograd.c the
 * Winograd variants for CPUs, conv2d_winograd_gpu.c for GPUs; conv2d_grouped.c the ops for more than one group, any device,
 * conv2d_depthwise.c their variants for groups of one channel. */
#ifndef CTR_OP_CONV2D_H
#define CTR_OP_CONV2D_H

#include "op/op.h"

/* y[N,P,Q,K] from x[N,H,W,C] and w[K,C/groups,R,S]; with `pool`, y is what 2x2 max pooling leaves of that,
 * [N,P/2,Q/2,K], and `at` (bytes) says where each maximum was. The attribute of all three nodes:
 *   conv2d         in x, w, b or NULL          out y, at when `pool`
 *   conv2d_bwd_dx  in dy, w, gate or NULL      out dx
 *   conv2d_bwd_dw  in x, dy, gate or NULL      out dw, db when `bias`
 * The gate decides which of dy count: `at` when `pool`, else y when `relu`. */
struct conv2d {
    int N, H, W, C, P, Q, K, R, S, stride, pad, groups, relu, bias, pool;
    char options[128]; /* of the node's main kernel; launches only borrow their text */
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

/* Rows and columns of the map that reach y: all, or with `pool` an even number. */
static inline int conv2d_rows(const struct conv2d *c)
{
    return c->pool ? c->P / 2 * 2 : c->P;
}

static inline int conv2d_columns(const struct conv2d *c)
{
    return c->pool ? c->Q / 2 * 2 : c->Q;
}

/* Whether a map is better stored past the caches of a CPU, and can be (16 channels are a line). */
static inline int conv2d_stream(const ctr_tensor *t)
{
    return t->bytes > (size_t)16 << 20 && t->dim[3] % 16 == 0;
}

/* How direct and Winograd kernels for CPUs take groups (cl/lib/groups.clh), forward or, with `transposed`, in the
 * data gradient: `out` channels meet `in` channels, each `met` of them. Groups of less than 32 channels are taken as
 * groups of 32 in two halves. */
struct conv2d_groups {
    size_t in, out, met;
    int halves;
};
struct conv2d_groups conv2d_groups(const struct conv2d *c, int transposed);
/* Whether they can. */
int conv2d_groups_fit(const struct conv2d *c);

/* The kernels' GATE. */
static inline int conv2d_gate(const struct conv2d *c)
{
    return c->pool ? 2 : c->relu ? 1 : 0;
}

/* The kernels' FULL: whether what a variant without pooling writes (conv2d_full) is fp32 though
 * activations are not. */
static inline int conv2d_writes_full(const ctr_node *node)
{
    return conv2d_of(node)->pool && ctr_node_storage(node) != CTR_F32;
}

/* Multiply-adds of the direct algorithm, twice: what every variant states as its work. */
double conv2d_flops(const struct conv2d *c);
/* Formats the node's compiler options and returns them. */
const char *conv2d_options(ctr_node *node, const char *fmt, ...) CTR_PRINTF(2, 3);
/* Appends arguments to a launch. */
void conv2d_bufs(struct ctr_launch_spec *spec, size_t n, ctr_tensor *const *t);
void conv2d_ints(struct ctr_launch_spec *spec, size_t n, const int *v);
/* Bytes of the weights packed for `out` channels (conv2d_pack), and the launch that packs w: as it
 * is (O = K), or transposed for the data gradient (O = C). */
size_t conv2d_packed_bytes(const struct conv2d *c, int transposed);
int conv2d_emit_pack(ctr_graph *g, const struct conv2d *c, ctr_tensor *packed, ctr_tensor *w,
                     int transposed);
/* dw from partial sums part[splits][taps][C/groups][K]; db from part[splits][K], `at` floats into `part`.
 */
int conv2d_emit_dw_sum(ctr_graph *g, const struct conv2d *c, ctr_tensor *dw, ctr_tensor *part,
                       size_t splits);
int conv2d_emit_db_sum(ctr_graph *g, const struct conv2d *c, ctr_tensor *db, ctr_tensor *part,
                       size_t at, size_t splits);
/* For variants that know neither pooling nor gates. First in prepare: conv2d_prepare_full asks for
 * scratch for the map before pooling (with `pool`), conv2d_prepare_gated for dy of that map, as far
 * as it counts, and sums of it (with `pool`, `relu` or `sums`). In lower: conv2d_full is the tensor
 * to write, conv2d_emit_pool what to do afterwards; conv2d_emit_gated says what to read as dy, and
 * with `db` emits the bias gradient. */
int conv2d_prepare_full(ctr_graph *g, ctr_node *node);
ctr_tensor *conv2d_full(const ctr_node *node);
int conv2d_emit_pool(ctr_graph *g, const ctr_node *node);
int conv2d_prepare_gated(ctr_graph *g, ctr_node *node, int sums);
int conv2d_emit_gated(ctr_graph *g, const ctr_node *node, ctr_tensor **gated, ctr_tensor *dy,
                      ctr_tensor *gate, ctr_tensor *db);
/* The i-th scratch tensor that a node asked for; the last one. */
ctr_tensor *conv2d_scratch(const ctr_node *node, unsigned i);
static inline ctr_tensor *conv2d_last_scratch(const ctr_node *node)
{
    return node->scratch;
}

/* Of conv2d and the grouped ops: gradients, how y is made again where that is worth it, and its form. */
int conv2d_grad(ctr_graph *g, ctr_node *node);
ctr_node *conv2d_again(ctr_graph *g, ctr_node *node);
int conv2d_form(struct ctr_form *out, const ctr_node *node);
/* The same three ops with groups > 1. Their kernels know no pooling. */
extern const struct ctr_op conv2d_grouped, conv2d_grouped_bwd_dx, conv2d_grouped_bwd_dw;

int conv2d_depthwise_usable(const struct ctr_caps *caps, const ctr_node *node);
int conv2d_depthwise_fwd_prepare(ctr_graph *g, ctr_node *node);
int conv2d_depthwise_fwd_lower(ctr_graph *g, ctr_node *node);
int conv2d_depthwise_dx_prepare(ctr_graph *g, ctr_node *node);
int conv2d_depthwise_dx_lower(ctr_graph *g, ctr_node *node);
int conv2d_depthwise_dw_prepare(ctr_graph *g, ctr_node *node);
int conv2d_depthwise_dw_lower(ctr_graph *g, ctr_node *node);

#define CONV2D_VARIANT(name)                                                                       \
    int name##_usable(const struct ctr_caps *caps, const ctr_node *node);                          \
    int name##_prepare(ctr_graph *g, ctr_node *node);                                              \
    int name##_lower(ctr_graph *g, ctr_node *node)
#define CONV2D_CONFIGS(name)                                                                       \
    size_t name##_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,        \
                          const ctr_node *node)
#define CONV2D_GENERAL(name)                                                                       \
    int name##_prepare(ctr_graph *g, ctr_node *node);                                              \
    int name##_lower(ctr_graph *g, ctr_node *node);                                                \
    CONV2D_CONFIGS(name)
CONV2D_VARIANT(conv2d_pointwise_fwd);
CONV2D_VARIANT(conv2d_pointwise_dx);
CONV2D_VARIANT(conv2d_pointwise_dw);
CONV2D_VARIANT(conv2d_winograd_fwd);
CONV2D_VARIANT(conv2d_winograd_dx);
CONV2D_VARIANT(conv2d_winograd_dw);
CONV2D_VARIANT(conv2d_thin_fwd);
CONV2D_VARIANT(conv2d_thin_dw);
CONV2D_VARIANT(conv2d_direct_fwd);
CONV2D_VARIANT(conv2d_direct_dx);
CONV2D_VARIANT(conv2d_direct_dw);
CONV2D_VARIANT(conv2d_winograd_gpu_fwd);
CONV2D_VARIANT(conv2d_winograd_gpu_dx);
CONV2D_VARIANT(conv2d_winograd_gpu_dw);
CONV2D_CONFIGS(conv2d_winograd_gpu_fwd);
CONV2D_CONFIGS(conv2d_winograd_gpu_dx);
CONV2D_CONFIGS(conv2d_winograd_gpu_dw);
CONV2D_CONFIGS(conv2d_winograd_fwd);
CONV2D_CONFIGS(conv2d_winograd_dx);
/* The general variants by matrix units. */
int conv2d_mma_usable(const struct ctr_caps *caps, const ctr_node *node);
CONV2D_GENERAL(conv2d_tile_fwd);
CONV2D_GENERAL(conv2d_tile_dx);
CONV2D_GENERAL(conv2d_tile_dw);

#endif
