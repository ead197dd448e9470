/* center.c -- y = x less the mean of its group of rows, column by column (op.h); dx is the same of dy,
 * since it is a projection. */
#include "op/op.h"

struct attr {
    uint32_t n, stride;
};

static int lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *attr = node->attr;
    const struct ctr_caps *caps = ctr_graph_caps(g);
    ctr_tensor *x = node->in[0];
    size_t D = x->dim[1], vw = caps->family == CTR_FAMILY_CPU ? 16 : 4;
    size_t items = x->dim[0] / attr->n * ((D + vw - 1) / vw);
    struct ctr_launch_spec spec = {.file = "op/center.cl",
                                   .kernel = "center",
                                   .args = {CTR_BUF(node->out[0]->buf), CTR_BUF(x->buf),
                                            CTR_U32(attr->n), CTR_U32(attr->stride), CTR_U32(D),
                                            CTR_U64(items)},
                                   .n_args = 6,
                                   .flops = 2.0 * (double)x->count,
                                   .bytes = 3.0 * (double)x->bytes};
    ctr_grid_items(g, &spec, items, 64);
    return ctr_emit(g, &spec);
}

static int center_grad(ctr_graph *g, ctr_node *node)
{
    const struct attr *attr = node->attr;
    ctr_tensor *dy = node->out[0]->grad;
    return ctr_grad_add(g, node->in[0], ctr_center(g, dy, attr->n, attr->stride));
}

static const struct ctr_op center = {
    .name = "center",
    .grad = center_grad,
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = lower}, {0}},
};

ctr_tensor *ctr_center(ctr_graph *g, ctr_tensor *x, size_t n, size_t stride)
{
    struct attr attr = {(uint32_t)n, (uint32_t)stride};
    if (x && (x->rank != 2 || n == 0 || stride == 0 || x->dim[0] % (n * stride) != 0 ||
              x->dim[0] > 1u << 30 || x->dim[1] > INT32_MAX / 2))
        return ctr_graph_fail(g, CTR_E_USAGE,
                              "center: the %zu rows of %s are no groups of %zu, %zu apart",
                              x->dim[0], x->name, n, stride);
    ctr_node *node = ctr_node_add(g, &center, &attr, sizeof attr, 1, &x, 0);
    return node ? ctr_node_out(g, node, CTR_F32, 2, x->dim) : NULL;
}
