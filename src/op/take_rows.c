/* take_rows.c -- y = rows [first, first + n) of x (its first dimension);  dx = dy there, else 0. */
#include "op/op.h"

struct attr {
    uint64_t first;
};

static int lower(ctr_graph *g, ctr_node *node, const char *kernel)
{
    ctr_tensor *from = node->in[0], *to = node->out[0];
    const ctr_tensor *part = from->count < to->count ? from : to;
    uint64_t at = ((const struct attr *)node->attr)->first * (to->count / to->dim[0]);
    struct ctr_launch_spec spec = {.file = "op/take_rows.cl",
                                   .kernel = kernel,
                                   .n_args = 6,
                                   .bytes = (double)(part->bytes + to->bytes)};
    spec.args[0] = CTR_BUF(to->buf);
    spec.args[1] = CTR_BUF(from->buf);
    spec.args[2] = CTR_U64(at);
    spec.args[3] = CTR_U64(part->count);
    spec.args[4] = CTR_U64(to->count);
    spec.args[5] = CTR_U32(ctr_grid_chunks(g, &spec, to->count));
    return ctr_emit(g, &spec);
}

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, "take_rows_fwd");
}

static int bwd_lower(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, "take_rows_bwd");
}

static const struct ctr_op take_rows_bwd = {
    .name = "take_rows_bwd",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = bwd_lower}, {0}},
};

static int take_rows_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0];
    ctr_node *bwd =
        ctr_node_add(g, &take_rows_bwd, node->attr, sizeof(struct attr), 1, &node->out[0]->grad, 0);
    return ctr_grad_add(g, x, ctr_node_out(g, bwd, CTR_F32, x->rank, x->dim));
}

static const struct ctr_op take_rows = {
    .name = "take_rows",
    .grad = take_rows_grad,
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = fwd_lower}, {0}},
};

ctr_tensor *ctr_take_rows(ctr_graph *g, ctr_tensor *x, size_t first, size_t n)
{
    struct attr attr = {first};
    if (x && (x->dtype != CTR_F32 || x->rank == 0 || n == 0 || first > x->dim[0] ||
              n > x->dim[0] - first))
        return ctr_graph_fail(g, CTR_E_USAGE, "take_rows: '%s' has no rows %zu to %zu of fp32",
                              x->name, first, first + n);
    ctr_node *node = ctr_node_add(g, &take_rows, &attr, sizeof attr, 1, &x, 0);
    return node ? ctr_node_out(g, node, CTR_F32, x->rank,
                               (size_t[]){n, x->dim[1], x->dim[2], x->dim[3]})
                : NULL;
}
