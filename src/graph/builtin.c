/* builtin.c -- the ops that differentiation itself needs: a constant, the sum of two contributions to
 * one gradient, the sum over the turns of a part. */
#include "graph/impl.h"

static int fill_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *y = node->out[0];
    struct ctr_launch_spec spec = {.file = "graph/builtin.cl",
                                   .kernel = "builtin_fill",
                                   .bytes = (double)y->bytes,
                                   .n_args = 4};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_F32(*(const float *)node->attr);
    spec.args[2] = CTR_U64(y->count);
    spec.args[3] = CTR_U32(ctr_grid_chunks(g, &spec, y->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op fill = {
    .name = "fill",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = fill_lower}, {0}},
};

ctr_tensor *ctr_builtin_fill(ctr_graph *g, unsigned rank, const size_t *dim, float value)
{
    ctr_node *node = ctr_node_add(g, &fill, &value, sizeof value, 0, NULL, 0);
    return ctr_node_out(g, node, CTR_F32, rank, dim);
}

static int sum_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *y = node->out[0], *a = node->in[0], *b = node->in[1];
    struct ctr_launch_spec spec = {.file = "graph/builtin.cl",
                                   .kernel = b ? "builtin_sum" : "builtin_copy",
                                   .flops = b ? (double)y->count : 0,
                                   .bytes = (b ? 3.0 : 2.0) * (double)y->bytes};
    unsigned n = 0;
    spec.args[n++] = CTR_BUF(y->buf);
    spec.args[n++] = CTR_BUF(a->buf);
    if (b) {
        spec.args[n++] = CTR_BUF(b->buf);
        spec.args[n++] = CTR_I32(ctr_stream(y));
    }
    spec.args[n++] = CTR_U64(y->count);
    spec.args[n++] = CTR_U32(ctr_grid_chunks(g, &spec, y->count));
    spec.n_args = n;
    return ctr_emit(g, &spec);
}

static const struct ctr_op sum = {
    .name = "sum",
    .in_place = ctr_element_wise,
    .variants =
        (const struct ctr_variant[]){{.name = "general", .lower = sum_lower, .half = 1}, {0}},
};

ctr_tensor *ctr_detach(ctr_graph *g, ctr_tensor *x)
{
    return ctr_builtin_sum(g, x, NULL);
}

ctr_tensor *ctr_builtin_sum(ctr_graph *g, ctr_tensor *a, ctr_tensor *b)
{
    ctr_node *node = ctr_node_add(g, &sum, NULL, 0, 2, (ctr_tensor *[]){a, b}, 1);
    return node ? ctr_node_out(g, node, a->dtype, a->rank, a->dim) : NULL;
}

static int accumulate_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *y = node->out[0];
    struct ctr_launch_spec spec = {
        .file = "graph/builtin.cl",
        .kernel = "builtin_accumulate",
        .flops = (double)y->count,
        .bytes = 3.0 * (double)y->bytes,
        .args = {CTR_BUF(y->buf), CTR_BUF(node->in[0]->buf), CTR_BUF(node->in[1]->buf),
                 CTR_U64(y->count)},
        .n_args = 5};
    spec.args[4] = CTR_U32(ctr_grid_chunks(g, &spec, y->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op accumulate = {
    .name = "accumulate",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = accumulate_lower}, {0}},
};

ctr_tensor *ctr_builtin_accumulate(ctr_graph *g, ctr_tensor *a, ctr_tensor *turn)
{
    ctr_node *node = ctr_node_add(g, &accumulate, NULL, 0, 2, (ctr_tensor *[]){a, turn}, 0);
    return node ? ctr_node_out(g, node, CTR_F32, a->rank, a->dim) : NULL;
}
