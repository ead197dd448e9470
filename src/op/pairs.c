/* pairs.c -- losses over all pairs of rows by their distances, and which pairs belong together.
 *
 * In: s[M,M], the products of the rows, and q[M], their squared lengths: d_ij^2 = q_i + q_j - 2 s_ij.
 * Rows i and j belong together when label[i mod N] is label[j mod N], without labels when i = j mod
 * N. Out: the loss of op.h's enum ctr_pairs_kind, and the share of pairs or triplets that are on the
 * right side. The gradient of s is whole, too: this is for batches, not for streams of rows. */
#include "op/op.h"

struct attr {
    float margin;
    int32_t kind;
    uint32_t N;
};

/* Outputs: loss, share that is right, weights of a pair of either sort. */
enum { LOSS, RIGHT, WEIGHT };
enum { SUMS = 6 }; /* a row's, see pairs.cl */

static int prepare(ctr_graph *g, ctr_node *node)
{
    size_t bytes = SUMS * node->in[1]->bytes;
    return ctr_node_scratch(g, node, bytes) ? 0 : ctr_graph_status(g);
}

/* label or, where there is none, something that is not read. */
static ctr_buf *label_of(const ctr_node *node, unsigned at, unsigned other)
{
    return (node->in[at] ? node->in[at] : node->in[other])->buf;
}

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *attr = node->attr;
    ctr_tensor *s = node->in[0], *q = node->in[1], *part = node->scratch;
    struct ctr_launch_spec rows = {
        .file = "op/pairs.cl",
        .kernel = "pairs_fwd",
        .args = {CTR_BUF(part->buf), CTR_BUF(s->buf), CTR_BUF(q->buf),
                 CTR_BUF(label_of(node, 2, 1)), CTR_I32(node->in[2] != NULL), CTR_I32(attr->kind),
                 CTR_F32(attr->margin), CTR_I32(attr->N), CTR_I32(q->count)},
        .n_args = 9,
        .flops = 8.0 * (double)s->count,
        .bytes = (double)s->bytes};
    struct ctr_launch_spec sum = {.file = "op/pairs.cl",
                                  .kernel = "pairs_sum",
                                  .global = {1},
                                  .local = {1},
                                  .args = {CTR_BUF(node->out[LOSS]->buf),
                                           CTR_BUF(node->out[RIGHT]->buf),
                                           CTR_BUF(node->out[WEIGHT]->buf), CTR_BUF(part->buf),
                                           CTR_I32(attr->kind), CTR_I32(q->count)},
                                  .n_args = 6};
    ctr_grid_items(g, &rows, q->count, 64);
    int rc = ctr_emit(g, &rows);
    return rc != 0 ? rc : ctr_emit(g, &sum);
}

static int bwd_lower(ctr_graph *g, ctr_node *node)
{
    enum { DLOSS, S, Q, WEIGHTS, LABEL };
    const struct attr *attr = node->attr;
    ctr_tensor *ds = node->out[0], *dq = node->out[1];
    struct ctr_launch_spec rows = {
        .file = "op/pairs.cl",
        .kernel = "pairs_bwd",
        .args = {CTR_BUF(ds->buf), CTR_BUF(node->in[DLOSS]->buf), CTR_BUF(node->in[S]->buf),
                 CTR_BUF(node->in[Q]->buf), CTR_BUF(node->in[WEIGHTS]->buf),
                 CTR_BUF(label_of(node, LABEL, Q)), CTR_I32(node->in[LABEL] != NULL),
                 CTR_I32(attr->kind), CTR_F32(attr->margin), CTR_I32(attr->N), CTR_I32(dq->count)},
        .n_args = 11,
        .flops = 8.0 * (double)ds->count,
        .bytes = 2.0 * (double)ds->bytes};
    struct ctr_launch_spec sums = {.file = "op/pairs.cl",
                                   .kernel = "pairs_dq",
                                   .args = {CTR_BUF(dq->buf), CTR_BUF(ds->buf), CTR_I32(dq->count)},
                                   .n_args = 3,
                                   .flops = 2.0 * (double)ds->count,
                                   .bytes = 2.0 * (double)ds->bytes};
    ctr_grid_items(g, &rows, dq->count, 64);
    ctr_grid_items(g, &sums, dq->count, 64);
    int rc = ctr_emit(g, &rows);
    return rc != 0 ? rc : ctr_emit(g, &sums);
}

static const struct ctr_op pairs_bwd = {
    .name = "pairs_bwd",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = bwd_lower}, {0}},
};

static int pairs_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *s = node->in[0], *q = node->in[1];
    ctr_tensor *in[] = {node->out[LOSS]->grad, s, q, node->out[WEIGHT], node->in[2]};
    if (!in[0]) /* the figure carries no gradient */
        return 0;
    ctr_node *bwd = ctr_node_add(g, &pairs_bwd, node->attr, sizeof(struct attr), 5, in, 1);
    ctr_tensor *ds = ctr_node_out(g, bwd, CTR_F32, 2, s->dim);
    ctr_tensor *dq = ctr_node_out(g, bwd, CTR_F32, 1, q->dim);
    if (ctr_needs_grad(s))
        ctr_grad_add(g, s, ds);
    if (ctr_needs_grad(q))
        ctr_grad_add(g, q, dq);
    return ctr_graph_status(g);
}

static const struct ctr_op pairs = {
    .name = "pairs",
    .grad = pairs_grad,
    .variants =
        (const struct ctr_variant[]){{.name = "general", .prepare = prepare, .lower = fwd_lower},
                                     {0}},
};

ctr_tensor *ctr_pairs(ctr_graph *g, ctr_tensor *z, ctr_tensor *label, size_t N, float margin,
                      enum ctr_pairs_kind kind)
{
    size_t one = 1, two = 2;
    struct attr attr = {margin, kind, (uint32_t)N};
    if (z && (N == 0 || z->dim[0] % N != 0 || z->dim[0] > 1u << 15 ||
              (label && (label->dtype != CTR_I32 || label->count != N))))
        return ctr_graph_fail(
            g, CTR_E_USAGE, "pairs: the %zu rows of %s are no views of %zu images (at most 32768)",
            z->dim[0], z->name, N);
    if (!(margin > 0 && margin <= 1e4f))
        return ctr_graph_fail(g, CTR_E_USAGE, "pairs: margin %g is not in (0, 1e4]",
                              (double)margin);
    ctr_tensor *in[] = {ctr_similarity(g, z, z, 1), ctr_row_dot(g, z, z, 1, 0), label};
    ctr_node *node = ctr_node_add(g, &pairs, &attr, sizeof attr, 3, in, 1);
    if (!node || !ctr_node_out(g, node, CTR_F32, 1, &one) ||
        !ctr_node_out(g, node, CTR_F32, 1, &one) || !ctr_node_out(g, node, CTR_F32, 1, &two))
        return NULL;
    return node->out[LOSS];
}

ctr_tensor *ctr_pairs_right(ctr_tensor *loss)
{
    return loss ? loss->producer->out[RIGHT] : NULL;
}
