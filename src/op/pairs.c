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

/* Inputs; label, slope and bias may be absent. Outputs: loss, share that is right, weights of a
 * pair of either sort. */
enum { S, Q, LABEL, SLOPE, BIAS };
enum { LOSS, RIGHT, WEIGHT };
enum { SUMS = 6, SLOPE_SUMS = 2 }; /* a row's, see pairs.cl */

static int prepare(ctr_graph *g, ctr_node *node)
{
    size_t bytes = SUMS * node->in[Q]->bytes;
    return ctr_node_scratch(g, node, bytes) ? 0 : ctr_graph_status(g);
}

/* An input or, where it is absent, something that is not read. */
static struct ctr_arg given(const ctr_node *node, unsigned at)
{
    return CTR_BUF((node->in[at] ? node->in[at] : node->in[Q])->buf);
}

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *attr = node->attr;
    ctr_tensor *s = node->in[S], *q = node->in[Q], *part = node->scratch;
    struct ctr_launch_spec rows = {
        .file = "op/pairs.cl",
        .kernel = "pairs_fwd",
        .args = {CTR_BUF(part->buf), CTR_BUF(s->buf), CTR_BUF(q->buf), given(node, SLOPE),
                 given(node, BIAS), given(node, LABEL), CTR_I32(node->in[LABEL] != NULL),
                 CTR_I32(attr->kind), CTR_F32(attr->margin), CTR_I32(attr->N), CTR_I32(q->count)},
        .n_args = 11,
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

/* Inputs and outputs of the gradient: the forward node's, then these. */
enum { DLOSS = BIAS + 1, WEIGHTS };
enum { DS, DQ, DSLOPE, DBIAS };

static int bwd_prepare(ctr_graph *g, ctr_node *node)
{
    size_t bytes = SLOPE_SUMS * node->in[Q]->bytes;
    return !node->in[SLOPE] || ctr_node_scratch(g, node, bytes) ? 0 : ctr_graph_status(g);
}

/* ds of a loss that a margin shapes. */
static struct ctr_launch_spec margin_spec(const ctr_node *node)
{
    const struct attr *attr = node->attr;
    return (struct ctr_launch_spec){
        .file = "op/pairs.cl",
        .kernel = "pairs_bwd",
        .args = {CTR_BUF(node->out[DS]->buf), CTR_BUF(node->in[DLOSS]->buf),
                 CTR_BUF(node->in[S]->buf), CTR_BUF(node->in[Q]->buf),
                 CTR_BUF(node->in[WEIGHTS]->buf), given(node, LABEL),
                 CTR_I32(node->in[LABEL] != NULL), CTR_I32(attr->kind), CTR_F32(attr->margin),
                 CTR_I32(attr->N), CTR_I32(node->in[Q]->count)},
        .n_args = 11};
}

/* ds, and each row's share of dslope and dbias. */
static struct ctr_launch_spec sigmoid_spec(const ctr_node *node)
{
    const struct attr *attr = node->attr;
    return (struct ctr_launch_spec){
        .file = "op/pairs.cl",
        .kernel = "pairs_bwd_sigmoid",
        .args = {CTR_BUF(node->out[DS]->buf), CTR_BUF(node->scratch->buf),
                 CTR_BUF(node->in[DLOSS]->buf), CTR_BUF(node->in[S]->buf),
                 CTR_BUF(node->in[Q]->buf), CTR_BUF(node->in[SLOPE]->buf),
                 CTR_BUF(node->in[BIAS]->buf), CTR_BUF(node->in[WEIGHTS]->buf), given(node, LABEL),
                 CTR_I32(node->in[LABEL] != NULL), CTR_I32(attr->N), CTR_I32(node->in[Q]->count)},
        .n_args = 12};
}

static int emit_slope(ctr_graph *g, const ctr_node *node)
{
    return ctr_emit(g, &(struct ctr_launch_spec){
                           .file = "op/pairs.cl",
                           .kernel = "pairs_dt",
                           .global = {1},
                           .local = {1},
                           .args = {CTR_BUF(node->out[DSLOPE]->buf), CTR_BUF(node->out[DBIAS]->buf),
                                    CTR_BUF(node->scratch->buf), CTR_I32(node->in[Q]->count)},
                           .n_args = 4});
}

static int bwd_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *ds = node->out[DS], *dq = node->out[DQ];
    int rc = 0, sigmoid = node->in[SLOPE] != NULL;
    struct ctr_launch_spec rows = sigmoid ? sigmoid_spec(node) : margin_spec(node);
    struct ctr_launch_spec sums = {.file = "op/pairs.cl",
                                   .kernel = "pairs_dq",
                                   .args = {CTR_BUF(dq->buf), CTR_BUF(ds->buf), CTR_I32(dq->count)},
                                   .n_args = 3,
                                   .flops = 2.0 * (double)ds->count,
                                   .bytes = 2.0 * (double)ds->bytes};
    rows.flops = 8.0 * (double)ds->count;
    rows.bytes = 2.0 * (double)ds->bytes;
    ctr_grid_items(g, &rows, dq->count, 64);
    ctr_grid_items(g, &sums, dq->count, 64);
    CTR_TRY(ctr_emit(g, &rows));
    CTR_TRY(ctr_emit(g, &sums));
    if (sigmoid)
        CTR_TRY(emit_slope(g, node));
out:
    return rc;
}

static const struct ctr_op pairs_bwd = {
    .name = "pairs_bwd",
    .variants =
        (const struct ctr_variant[]){
            {.name = "general", .prepare = bwd_prepare, .lower = bwd_lower}, {0}},
};

static int pairs_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor **in = node->in, *dloss = node->out[LOSS]->grad;
    if (!dloss) /* the figure carries no gradient */
        return 0;
    ctr_tensor *all[] = {in[S], in[Q], in[LABEL], in[SLOPE], in[BIAS], dloss, node->out[WEIGHT]};
    ctr_node *bwd = ctr_node_add(g, &pairs_bwd, node->attr, sizeof(struct attr), 7, all, 5);
    for (unsigned i = S; i <= BIAS; i++) { /* as the outputs stand */
        if (i == LABEL || !in[i])
            continue;
        ctr_tensor *d = ctr_node_out(g, bwd, CTR_F32, in[i]->rank, in[i]->dim);
        if (ctr_needs_grad(in[i]))
            ctr_grad_add(g, in[i], d);
    }
    return ctr_graph_status(g);
}

static const struct ctr_op pairs = {
    .name = "pairs",
    .grad = pairs_grad,
    .variants =
        (const struct ctr_variant[]){{.name = "general", .prepare = prepare, .lower = fwd_lower},
                                     {0}},
};

static ctr_tensor *record(ctr_graph *g, ctr_tensor *z, ctr_tensor *label, ctr_tensor *slope,
                          ctr_tensor *bias, struct attr attr)
{
    size_t one = 1, two = 2, N = attr.N;
    if (z && (N == 0 || z->dim[0] % N != 0 || z->dim[0] > 1u << 15 ||
              (label && (label->dtype != CTR_I32 || label->count != N))))
        return ctr_graph_fail(
            g, CTR_E_USAGE, "pairs: the %zu rows of %s are no views of %zu images (at most 32768)",
            z->dim[0], z->name, N);
    ctr_tensor *in[] = {ctr_similarity(g, z, z, 1), ctr_row_dot(g, z, z, 1, 0), label, slope, bias};
    ctr_node *node = ctr_node_add(g, &pairs, &attr, sizeof attr, 5, in, 3);
    if (!node || !ctr_node_out(g, node, CTR_F32, 1, &one) ||
        !ctr_node_out(g, node, CTR_F32, 1, &one) || !ctr_node_out(g, node, CTR_F32, 1, &two))
        return NULL;
    return node->out[LOSS];
}

ctr_tensor *ctr_pairs(ctr_graph *g, ctr_tensor *z, ctr_tensor *label, size_t N, float margin,
                      enum ctr_pairs_kind kind)
{
    if (!(margin > 0 && margin <= 1e4f))
        return ctr_graph_fail(g, CTR_E_USAGE, "pairs: margin %g is not in (0, 1e4]",
                              (double)margin);
    return record(g, z, label, NULL, NULL, (struct attr){margin, (int32_t)kind, (uint32_t)N});
}

ctr_tensor *ctr_pairs_sigmoid(ctr_graph *g, ctr_tensor *z, ctr_tensor *label, size_t N,
                              ctr_tensor *slope, ctr_tensor *bias)
{
    if (slope && bias && (slope->count != 1 || bias->count != 1))
        return ctr_graph_fail(g, CTR_E_USAGE, "pairs: %s and %s are no single numbers", slope->name,
                              bias->name);
    if (!slope || !bias)
        return NULL;
    return record(g, z, label, slope, bias, (struct attr){1, CTR_PAIRS_SIGMOID, (uint32_t)N});
}

ctr_tensor *ctr_pairs_right(ctr_tensor *loss)
{
    return loss ? loss->producer->out[RIGHT] : NULL;
}
