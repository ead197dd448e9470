/* bias.c -- y = x + b, b[C] along the last dimension of x;  dx = dy, db = sum of dy over all else,
 * in two ordered stages (rows.h). Convolution and dense layers have their own. */
#include "op/op.h"
#include "op/rows.h"

static size_t channels(const ctr_tensor *x)
{
    return x->dim[x->rank - 1];
}

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *b = node->in[1], *y = node->out[0];
    size_t C = b->count, rows = x->count / C;
    struct ctr_launch_spec spec = {.file = "op/bias.cl",
                                   .kernel = "bias_fwd",
                                   .n_args = 6,
                                   .flops = (double)y->count,
                                   .bytes = 2.0 * (double)y->bytes};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(x->buf);
    spec.args[2] = CTR_BUF(b->buf);
    spec.args[3] = CTR_U32(ctr_grid_rows(g, &spec, rows, C));
    spec.args[4] = CTR_U64(rows);
    spec.args[5] = CTR_U32(C);
    return ctr_emit(g, &spec);
}

static int bwd_prepare(ctr_graph *g, ctr_node *node)
{
    size_t C = node->out[0]->count, rows = node->in[0]->count / C;
    size_t bytes = ctr_row_split(g, rows, C).chunks * C * sizeof(float);
    return ctr_node_scratch(g, node, bytes) ? 0 : ctr_graph_status(g);
}

static int bwd_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *dy = node->in[0], *db = node->out[0];
    size_t C = db->count, rows = dy->count / C;
    struct ctr_row_split split = ctr_row_split(g, rows, C);
    ctr_buf *part = node->scratch->buf;
    struct ctr_launch_spec sums = {.file = "op/dense.cl",
                                   .kernel = "dense_bwd_db",
                                   .args = {CTR_BUF(part), CTR_BUF(part), CTR_BUF(dy->buf),
                                            CTR_BUF(dy->buf), CTR_I32(0), CTR_U32(split.per),
                                            CTR_U32(rows), CTR_U32(C)},
                                   .n_args = 8,
                                   .flops = (double)dy->count,
                                   .bytes = (double)dy->bytes};
    struct ctr_launch_spec total = {
        .file = "op/dense.cl",
        .kernel = "dense_bwd_db_total",
        .args = {CTR_BUF(db->buf), CTR_BUF(part), CTR_U32(split.chunks), CTR_U32(C)},
        .n_args = 4,
        .flops = (double)split.chunks * (double)C,
        .bytes = 4.0 * (double)(split.chunks + 1) * (double)C};
    ctr_grid_row_sums(g, &sums, split, C);
    ctr_grid_row_totals(g, &total, C);
    int rc = ctr_emit(g, &sums);
    return rc != 0 ? rc : ctr_emit(g, &total);
}

static const struct ctr_op bias_bwd = {
    .name = "bias_bwd",
    .variants =
        (const struct ctr_variant[]){
            {.name = "general", .prepare = bwd_prepare, .lower = bwd_lower}, {0}},
};

static int bias_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *b = node->in[1], *dy = node->out[0]->grad;
    if (ctr_needs_grad(x))
        ctr_grad_add(g, x, dy);
    if (ctr_needs_grad(b)) {
        ctr_node *bwd = ctr_node_add(g, &bias_bwd, NULL, 0, 1, &dy, 0);
        ctr_tensor *db = ctr_node_out(g, bwd, CTR_F32, 1, b->dim);
        ctr_grad_add(g, b, db);
    }
    return ctr_graph_status(g);
}

static const struct ctr_op bias = {
    .name = "bias",
    .grad = bias_grad,
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = fwd_lower}, {0}},
};

ctr_tensor *ctr_bias(ctr_graph *g, ctr_tensor *x, ctr_tensor *b)
{
    if (x && b && (x->rank == 0 || b->count != channels(x) || x->count / b->count > UINT32_MAX))
        return ctr_graph_fail(g, CTR_E_USAGE, "bias: %s does not fit %s", b->name, x->name);
    ctr_node *node = ctr_node_add(g, &bias, NULL, 0, 2, (ctr_tensor *[]){x, b}, 0);
    return node ? ctr_node_out(g, node, CTR_F32, x->rank, x->dim) : NULL;
}
