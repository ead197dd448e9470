/* decorrelate.c -- what a matrix of correlations or variances c[D,D] is short of: diagonal * sum_i
 * f(c_ii) + off * sum_{i != j} c_ij^2, f as op.h's enum says. Rows first, then their sum in order. */
#include "op/rowgroup.h"

struct attr {
    float diagonal, off;
    int32_t kind;
};

static int prepare(ctr_graph *g, ctr_node *node)
{
    size_t bytes = node->in[0]->dim[0] * sizeof(float);
    return ctr_node_scratch(g, node, bytes) ? 0 : ctr_graph_status(g);
}

static int fwd_lower(ctr_graph *g, ctr_node *node, int group)
{
    const struct attr *attr = node->attr;
    ctr_tensor *c = node->in[0], *part = node->scratch;
    size_t D = c->dim[0], lanes = group ? CTR_ROWGROUP_LANES : 1;
    struct ctr_launch_spec rows = {.file = "op/decorrelate.cl",
                                   .kernel = "decorrelate_fwd",
                                   .n_args = 7,
                                   .flops = 2.0 * (double)c->count,
                                   .bytes = (double)c->bytes};
    struct ctr_launch_spec sum = {
        .file = "op/decorrelate.cl",
        .kernel = "decorrelate_sum",
        .options = group ? "-DLANES=64" : "-DLANES=1",
        .global = {lanes},
        .local = {lanes},
        .args = {CTR_BUF(node->out[0]->buf), CTR_BUF(part->buf), CTR_I32(D)},
        .n_args = 3};
    rows.args[0] = CTR_BUF(part->buf);
    rows.args[1] = CTR_BUF(c->buf);
    rows.args[2] = CTR_I32(attr->kind);
    rows.args[3] = CTR_F32(attr->diagonal);
    rows.args[4] = CTR_F32(attr->off);
    rows.args[5] = CTR_I32(D);
    rows.args[6] = CTR_U32(ctr_rowgroup_grid(g, &rows, group, D, D));
    int rc = ctr_emit(g, &rows);
    return rc != 0 ? rc : ctr_emit(g, &sum);
}

static int fwd_row(ctr_graph *g, ctr_node *node)
{
    return fwd_lower(g, node, 0);
}

static int fwd_group(ctr_graph *g, ctr_node *node)
{
    return fwd_lower(g, node, 1);
}

static int bwd_lower(ctr_graph *g, ctr_node *node, int group)
{
    const struct attr *attr = node->attr;
    ctr_tensor *c = node->in[1], *dc = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/decorrelate.cl",
                                   .kernel = "decorrelate_bwd",
                                   .n_args = 8,
                                   .flops = (double)c->count,
                                   .bytes = 2.0 * (double)c->bytes};
    spec.args[0] = CTR_BUF(dc->buf);
    spec.args[1] = CTR_BUF(node->in[0]->buf);
    spec.args[2] = CTR_BUF(c->buf);
    spec.args[3] = CTR_I32(attr->kind);
    spec.args[4] = CTR_F32(attr->diagonal);
    spec.args[5] = CTR_F32(attr->off);
    spec.args[6] = CTR_I32(c->dim[0]);
    spec.args[7] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, c->dim[0], c->dim[0]));
    return ctr_emit(g, &spec);
}

static int bwd_row(ctr_graph *g, ctr_node *node)
{
    return bwd_lower(g, node, 0);
}

static int bwd_group(ctr_graph *g, ctr_node *node)
{
    return bwd_lower(g, node, 1);
}

static const struct ctr_op decorrelate_bwd = {
    .name = "decorrelate_bwd",
    .variants =
        (const struct ctr_variant[]){
            {.name = "row", .usable = ctr_rowgroup_single, .lower = bwd_row},
            {.name = "group", .lower = bwd_group},
            {0}},
};

static int decorrelate_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *c = node->in[0];
    ctr_node *bwd = ctr_node_add(g, &decorrelate_bwd, node->attr, sizeof(struct attr), 2,
                                 (ctr_tensor *[]){node->out[0]->grad, c}, 0);
    return ctr_grad_add(g, c, ctr_node_out(g, bwd, CTR_F32, 2, c->dim));
}

static const struct ctr_op decorrelate = {
    .name = "decorrelate",
    .grad = decorrelate_grad,
    .variants =
        (const struct ctr_variant[]){
            {.name = "row", .usable = ctr_rowgroup_single, .prepare = prepare, .lower = fwd_row},
            {.name = "group", .prepare = prepare, .lower = fwd_group},
            {0}},
};

ctr_tensor *ctr_decorrelate(ctr_graph *g, ctr_tensor *c, enum ctr_decorrelate_kind kind,
                            float diagonal, float off)
{
    struct attr attr = {diagonal, off, kind};
    size_t one = 1;
    if (c && (c->rank != 2 || c->dim[0] != c->dim[1] || c->dim[0] > 1u << 24))
        return ctr_graph_fail(g, CTR_E_USAGE, "decorrelate: %s is no square matrix", c->name);
    ctr_node *node = ctr_node_add(g, &decorrelate, &attr, sizeof attr, 1, &c, 0);
    return node ? ctr_node_out(g, node, CTR_F32, 1, &one) : NULL;
}
