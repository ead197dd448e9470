/* similarity.c -- all products of two sets of rows: s[A,B] = scale * a[A,D] b[B,D]^T;
 * da = scale * ds b, db = scale * ds^T a. Dense: losses over many rows stream instead (lse.c). And
 * of their columns: c[D,E] = scale * a[M,D]^T b[M,E];  da = scale * b dc^T, db = scale * a dc. */
#include <math.h>

#include "op/gemm.h"
#include "op/op.h"

struct attr {
    float scale;
    int transpose_a, transpose_b; /* of this node's product of its two inputs */
};

/* The node's product, its buffers still to come. */
static struct ctr_gemm product(const ctr_node *node)
{
    const struct attr *attr = node->attr;
    const ctr_tensor *A = node->in[0], *B = node->in[1], *C = node->out[0];
    return (struct ctr_gemm){.transpose_a = attr->transpose_a,
                             .transpose_b = attr->transpose_b,
                             .M = C->dim[0],
                             .N = C->dim[1],
                             .K = A->dim[attr->transpose_a ? 0 : 1],
                             .lda = A->dim[1],
                             .ldb = B->dim[1],
                             .ldc = C->dim[1],
                             .alpha = attr->scale};
}

static struct ctr_gemm placed_product(const ctr_node *node)
{
    struct ctr_gemm gemm = product(node);
    gemm.C = node->out[0]->buf;
    gemm.A = node->in[0]->buf;
    gemm.B = node->in[1]->buf;
    gemm.temp = node->scratch ? node->scratch->buf : NULL;
    return gemm;
}

static int want_scratch(ctr_graph *g, ctr_node *node, size_t bytes)
{
    return bytes == 0 || ctr_node_scratch(g, node, bytes) ? 0 : ctr_graph_status(g);
}

static int blas_prepare(ctr_graph *g, ctr_node *node)
{
    struct ctr_gemm gemm = product(node);
    size_t bytes = 0;
    int rc = ctr_gemm_temp_bytes(&bytes, ctr_graph_dev(g), &gemm);
    return rc != 0 ? rc : want_scratch(g, node, bytes);
}

static int blas_lower(ctr_graph *g, ctr_node *node)
{
    struct ctr_gemm gemm = placed_product(node);
    return ctr_emit_gemm(g, &gemm);
}

static int tiles_prepare(ctr_graph *g, ctr_node *node)
{
    struct ctr_gemm_tiles tiles = {.gemm = product(node)};
    return want_scratch(g, node, ctr_gemm_tiles_bytes(g, &tiles));
}

static int tiles_lower(ctr_graph *g, ctr_node *node)
{
    struct ctr_gemm_tiles tiles = {.gemm = placed_product(node)};
    return ctr_emit_gemm_tiles(g, &tiles);
}

static int gpu_prepare(ctr_graph *g, ctr_node *node)
{
    struct ctr_gemm_gpu p = {.gemm = product(node), .config = node->config};
    return want_scratch(g, node, ctr_gemm_gpu_bytes(ctr_graph_caps(g), &p));
}

static int gpu_lower(ctr_graph *g, ctr_node *node)
{
    return ctr_emit_gemm_gpu(
        g, &(struct ctr_gemm_gpu){.gemm = placed_product(node),
                                  .mma = node->variant->usable == ctr_gemm_mma_usable,
                                  .config = node->config});
}

static size_t gpu_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                          const ctr_node *node)
{
    return ctr_tile_configs(out, room, caps, node->out[0]->dim[0], node->out[0]->dim[1]);
}

#define GPU_VARIANTS                                                                               \
    {.name = "mma",                                                                                \
     .usable = ctr_gemm_mma_usable,                                                                \
     .prepare = gpu_prepare,                                                                       \
     .lower = gpu_lower,                                                                           \
     .configs = gpu_configs,                                                                       \
     .error = CTR_TILE_MMA_ERROR},                                                                 \
    {                                                                                              \
        .name = "gpu", .usable = ctr_gemm_gpu_usable, .prepare = gpu_prepare, .lower = gpu_lower,  \
        .configs = gpu_configs                                                                     \
    }

/* As in cl/lib/products.clh; rows of `a` that share one packing of 32 rows of `b`. */
enum { TILE = 32, BLOCK = 256 };

static int tile_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return caps->family == CTR_FAMILY_CPU &&
           node->in[0]->dim[1] * TILE * sizeof(float) <= caps->local_bytes;
}

static int tile_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *a = node->in[0], *b = node->in[1], *s = node->out[0];
    size_t A = a->dim[0], B = b->dim[0], D = a->dim[1], columns = (B + TILE - 1) / TILE;
    struct ctr_launch_spec spec = {.file = "op/similarity.cl",
                                   .kernel = "similarity_fwd_tile",
                                   .global = {columns, (A + BLOCK - 1) / BLOCK},
                                   .local = {1, 1},
                                   .n_args = 9,
                                   .flops = 2.0 * (double)s->count * (double)D,
                                   .bytes = (double)(s->bytes + a->bytes + b->bytes)};
    spec.args[0] = CTR_BUF(s->buf);
    spec.args[1] = CTR_BUF(a->buf);
    spec.args[2] = CTR_BUF(b->buf);
    spec.args[3] = CTR_LOCAL(D * TILE * sizeof(float));
    spec.args[4] = CTR_F32(((const struct attr *)node->attr)->scale);
    spec.args[5] = CTR_I32(A);
    spec.args[6] = CTR_I32(B);
    spec.args[7] = CTR_I32(D);
    spec.args[8] = CTR_I32(BLOCK);
    return ctr_emit(g, &spec);
}

/* Any product; that of the forward pass has a kernel of its own before them. */
static const struct ctr_variant products[] = {
    {.name = "tiles",
     .usable = ctr_gemm_tiles_usable,
     .prepare = tiles_prepare,
     .lower = tiles_lower},
    GPU_VARIANTS,
    {.name = "blas", .prepare = blas_prepare, .lower = blas_lower},
    {0},
};

static const struct ctr_op similarity_bwd = {
    .name = "similarity_bwd",
    .variants = products,
};

enum { TRANSPOSE_A = 1, TRANSPOSE_B = 2 };

/* Adds scale * op(a) op(b) to the gradient of x. */
static void add_gradient(ctr_graph *g, const ctr_node *node, ctr_tensor *x, ctr_tensor *a,
                         ctr_tensor *b, int transposed)
{
    struct attr attr = {.scale = ((const struct attr *)node->attr)->scale,
                        .transpose_a = (transposed & TRANSPOSE_A) != 0,
                        .transpose_b = (transposed & TRANSPOSE_B) != 0};
    if (!ctr_needs_grad(x))
        return;
    ctr_node *bwd =
        ctr_node_add(g, &similarity_bwd, &attr, sizeof attr, 2, (ctr_tensor *[]){a, b}, 0);
    ctr_grad_add(g, x, ctr_node_out(g, bwd, CTR_F32, 2, x->dim));
}

static int similarity_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *a = node->in[0], *b = node->in[1], *ds = node->out[0]->grad;
    add_gradient(g, node, a, ds, b, 0);
    add_gradient(g, node, b, ds, a, TRANSPOSE_A);
    return ctr_graph_status(g);
}

static const struct ctr_op similarity = {
    .name = "similarity",
    .grad = similarity_grad,
    .variants =
        (const struct ctr_variant[]){{.name = "tile", .usable = tile_usable, .lower = tile_lower},
                                     GPU_VARIANTS,
                                     {.name = "blas", .prepare = blas_prepare, .lower = blas_lower},
                                     {0}},
};

ctr_tensor *ctr_similarity(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, float scale)
{
    struct attr attr = {.scale = scale, .transpose_b = 1};
    ctr_tensor *in[] = {a, b};
    if (a && b &&
        (a->rank != 2 || b->rank != 2 || a->dim[1] != b->dim[1] || a->dim[0] > 1u << 30 ||
         b->dim[0] > 1u << 30 || a->dim[1] > 1u << 24))
        return ctr_graph_fail(g, CTR_E_USAGE, "similarity: rows of %s and %s differ in length",
                              a->name, b->name);
    if (!isfinite(scale))
        return ctr_graph_fail(g, CTR_E_USAGE, "similarity: scale is not finite");
    ctr_node *node = ctr_node_add(g, &similarity, &attr, sizeof attr, 2, in, 0);
    size_t dim[2] = {a ? a->dim[0] : 0, b ? b->dim[0] : 0};
    return node ? ctr_node_out(g, node, CTR_F32, 2, dim) : NULL;
}

static int gram_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *a = node->in[0], *b = node->in[1], *dc = node->out[0]->grad;
    add_gradient(g, node, a, b, dc, TRANSPOSE_B);
    add_gradient(g, node, b, a, dc, 0);
    return ctr_graph_status(g);
}

static const struct ctr_op gram = {
    .name = "gram",
    .grad = gram_grad,
    .variants = products,
};

ctr_tensor *ctr_gram(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, float scale)
{
    struct attr attr = {.scale = scale, .transpose_a = 1};
    if (a && b &&
        (a->rank != 2 || b->rank != 2 || a->dim[0] != b->dim[0] || a->dim[0] > 1u << 30 ||
         a->dim[1] > 1u << 24 || b->dim[1] > 1u << 24))
        return ctr_graph_fail(g, CTR_E_USAGE, "gram: %s and %s differ in their number of rows",
                              a->name, b->name);
    if (!isfinite(scale))
        return ctr_graph_fail(g, CTR_E_USAGE, "gram: scale is not finite");
    ctr_node *node = ctr_node_add(g, &gram, &attr, sizeof attr, 2, (ctr_tensor *[]){a, b}, 0);
    return node ? ctr_node_out(g, node, CTR_F32, 2, (size_t[]){a->dim[1], b->dim[1]}) : NULL;
}
