/* conv2d_pointwise.c -- the convolution's variants for CPUs where the filter is one pixel and nothing
 * padded: matrix products over the pixels of y (NPQ of them) by register tiles (op/gemm.h).
 *   y[NPQ,K] = x[NPQ,C] w[K,C]^T    dx[NPQ,C] = dy[NPQ,K] w[K,C]    dw[K,C] = dy[NPQ,K]^T x[NPQ,C]
 * With a stride, x and dx are strided matrices. */
#include "op/conv2d.h"
#include "op/gemm.h"

static int pointwise(const struct ctr_caps *caps, const ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    return ctr_gemm_tiles_usable(caps, node) && c->R == 1 && c->S == 1 && c->pad == 0 && !c->pool;
}

static struct ctr_gemm_tiles product(const struct conv2d *c, enum ctr_gemm_strided x)
{
    size_t C = (size_t)c->C, K = (size_t)c->K, pixels = (size_t)c->N * (size_t)(c->P * c->Q);
    struct ctr_gemm_tiles t = {.strided = c->stride > 1 ? x : CTR_STRIDED_NONE,
                               .H = c->H,
                               .W = c->W,
                               .P = c->P,
                               .Q = c->Q,
                               .stride = c->stride};
    if (x == CTR_STRIDED_A) /* y */
        t.gemm = (struct ctr_gemm){
            .transpose_b = 1, .M = pixels, .N = K, .K = C, .lda = C, .ldb = C, .ldc = K};
    else if (x == CTR_STRIDED_C) /* dx */
        t.gemm = (struct ctr_gemm){.M = pixels, .N = C, .K = K, .lda = K, .ldb = C, .ldc = C};
    else /* dw */
        t.gemm = (struct ctr_gemm){
            .transpose_a = 1, .M = K, .N = C, .K = pixels, .lda = K, .ldb = C, .ldc = C};
    t.gemm.alpha = 1;
    return t;
}

/* Scratch of the product, after any other. */
static int prepare(ctr_graph *g, ctr_node *node, enum ctr_gemm_strided x)
{
    struct ctr_gemm_tiles t = product(conv2d_of(node), x);
    size_t bytes = ctr_gemm_tiles_bytes(g, &t);
    return bytes && !ctr_node_scratch(g, node, bytes) ? CTR_E_FAIL : 0;
}

static int emit(ctr_graph *g, const ctr_node *node, struct ctr_gemm_tiles t, ctr_tensor *out,
                ctr_tensor *a, ctr_tensor *b)
{
    t.gemm.C = out->buf;
    t.gemm.A = a->buf;
    t.gemm.B = b->buf;
    t.gemm.temp = ctr_gemm_tiles_bytes(g, &t) ? conv2d_last_scratch(node)->buf : NULL;
    return ctr_emit_gemm_tiles(g, &t);
}

int conv2d_pointwise_fwd_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return pointwise(caps, node);
}

int conv2d_pointwise_fwd_prepare(ctr_graph *g, ctr_node *node)
{
    return prepare(g, node, CTR_STRIDED_A);
}

int conv2d_pointwise_fwd_lower(ctr_graph *g, ctr_node *node)
{
    const struct conv2d *c = conv2d_of(node);
    struct ctr_gemm_tiles t = product(c, CTR_STRIDED_A);
    t.bias = node->in[2] ? node->in[2]->buf : NULL;
    t.relu = c->relu;
    return emit(g, node, t, node->out[0], node->in[0], node->in[1]);
}

int conv2d_pointwise_dx_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return pointwise(caps, node);
}

int conv2d_pointwise_dx_prepare(ctr_graph *g, ctr_node *node)
{
    int rc = conv2d_prepare_gated(g, node, 0);
    return rc != 0 ? rc : prepare(g, node, CTR_STRIDED_C);
}

int conv2d_pointwise_dx_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *dy;
    int rc = conv2d_emit_gated(g, node, &dy, node->in[0], node->in[2], NULL);
    return rc != 0 ? rc
                   : emit(g, node, product(conv2d_of(node), CTR_STRIDED_C), node->out[0], dy,
                          node->in[1]);
}

int conv2d_pointwise_dw_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    return pointwise(caps, node);
}

int conv2d_pointwise_dw_prepare(ctr_graph *g, ctr_node *node)
{
    int rc = conv2d_prepare_gated(g, node, conv2d_of(node)->bias);
    return rc != 0 ? rc : prepare(g, node, CTR_STRIDED_B);
}

int conv2d_pointwise_dw_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *dy;
    int rc = conv2d_emit_gated(g, node, &dy, node->in[1], node->in[2], node->out[1]);
    return rc != 0 ? rc
                   : emit(g, node, product(conv2d_of(node), CTR_STRIDED_B), node->out[0], dy,
                          node->in[0]);
}
