/* similarity.c -- all products of two sets of rows: s[A,B] = scale * a[A,D] b[B,D]^T;
 * da = scale * ds b, db = scale * ds^T a. Dense: losses over many rows stream instead (ntxent.c).
 */
#include <math.h>

#include "op/op.h"

struct attr {
    float scale;
};

/* The node's product, its buffers still to come. */
static struct ctr_gemm product(const ctr_node *node, int transpose_a, int transpose_b)
{
    const ctr_tensor *x = node->in[0], *C = node->out[0];
    size_t K = transpose_a ? x->dim[0] : x->dim[1];
    return (struct ctr_gemm){.transpose_a = transpose_a,
                             .transpose_b = transpose_b,
                             .M = C->dim[0],
                             .N = C->dim[1],
                             .K = K,
                             .lda = x->dim[1],
                             .ldb = node->in[1]->dim[1],
                             .ldc = C->dim[1],
                             .alpha = ((const struct attr *)node->attr)->scale};
}

static int prepare(ctr_graph *g, ctr_node *node, struct ctr_gemm gemm)
{
    size_t bytes = 0;
    int rc = ctr_gemm_temp_bytes(&bytes, ctr_graph_dev(g), &gemm);
    if (rc != 0 || bytes == 0)
        return rc;
    return ctr_node_scratch(g, node, bytes) ? 0 : ctr_graph_status(g);
}

static int lower(ctr_graph *g, ctr_node *node, struct ctr_gemm gemm)
{
    gemm.C = node->out[0]->buf;
    gemm.A = node->in[0]->buf;
    gemm.B = node->in[1]->buf;
    gemm.temp = node->scratch ? node->scratch->buf : NULL;
    return ctr_emit_gemm(g, &gemm);
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
                                   .bytes = (double)s->bytes + (double)columns * (double)a->bytes};
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

static int fwd_prepare(ctr_graph *g, ctr_node *node)
{
    return prepare(g, node, product(node, 0, 1));
}

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, product(node, 0, 1));
}

static int da_prepare(ctr_graph *g, ctr_node *node)
{
    return prepare(g, node, product(node, 0, 0));
}

static int da_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, product(node, 0, 0));
}

static int db_prepare(ctr_graph *g, ctr_node *node)
{
    return prepare(g, node, product(node, 1, 0));
}

static int db_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, product(node, 1, 0));
}

static const struct ctr_op similarity_da = {
    .name = "similarity_da",
    .variants =
        (const struct ctr_variant[]){{.name = "gemm", .prepare = da_prepare, .lower = da_lower},
                                     {0}},
};

static const struct ctr_op similarity_db = {
    .name = "similarity_db",
    .variants =
        (const struct ctr_variant[]){{.name = "gemm", .prepare = db_prepare, .lower = db_lower},
                                     {0}},
};

static int similarity_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *a = node->in[0], *b = node->in[1], *ds = node->out[0]->grad;
    if (ctr_needs_grad(a)) {
        ctr_node *da = ctr_node_add(g, &similarity_da, node->attr, sizeof(struct attr), 2,
                                    (ctr_tensor *[]){ds, b}, 0);
        ctr_grad_add(g, a, ctr_node_out(g, da, CTR_F32, 2, a->dim));
    }
    if (ctr_needs_grad(b)) {
        ctr_node *db = ctr_node_add(g, &similarity_db, node->attr, sizeof(struct attr), 2,
                                    (ctr_tensor *[]){ds, a}, 0);
        ctr_grad_add(g, b, ctr_node_out(g, db, CTR_F32, 2, b->dim));
    }
    return ctr_graph_status(g);
}

static const struct ctr_op similarity = {
    .name = "similarity",
    .grad = similarity_grad,
    .variants =
        (const struct ctr_variant[]){{.name = "tile", .usable = tile_usable, .lower = tile_lower},
                                     {.name = "gemm", .prepare = fwd_prepare, .lower = fwd_lower},
                                     {0}},
};

ctr_tensor *ctr_similarity(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, float scale)
{
    struct attr attr = {scale};
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
