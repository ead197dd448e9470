/* row_dot.c -- y_i = scale * a_i.b_j with j = (i + shift) mod K, for rows of a[M,D] and b[K,D], or
 * of one tensor;  da_i = scale dy_i b_j, db_j = scale sum_i dy_i a_i over its i. */
#include <math.h>

#include "op/rowgroup.h"

enum { LEFT = 1, RIGHT = 2 }; /* sides of a gradient */
struct attr {
    float scale;
    uint32_t shift, sides;
};

static int lower(ctr_graph *g, ctr_node *node, int group)
{
    const struct attr *attr = node->attr;
    ctr_tensor *a = node->in[0], *y = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/row_dot.cl",
                                   .kernel = "row_dot_fwd",
                                   .n_args = 9,
                                   .flops = 2.0 * (double)a->count,
                                   .bytes = (double)(a->bytes + node->in[1]->bytes)};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(a->buf);
    spec.args[2] = CTR_BUF(node->in[1]->buf);
    spec.args[3] = CTR_F32(attr->scale);
    spec.args[4] = CTR_U64(attr->shift);
    spec.args[5] = CTR_U64(a->dim[0]);
    spec.args[6] = CTR_U64(node->in[1]->dim[0]);
    spec.args[7] = CTR_I32(a->dim[1]);
    spec.args[8] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, a->dim[0], a->dim[1]));
    return ctr_emit(g, &spec);
}

static int fwd_row(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 0);
}

static int fwd_group(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 1);
}

static int bwd_lower(ctr_graph *g, ctr_node *node, int group)
{
    const struct attr *attr = node->attr;
    ctr_tensor *dx = node->out[0], *dy = node->in[0], *other = node->in[1];
    struct ctr_launch_spec spec = {.file = "op/row_dot.cl",
                                   .kernel = "row_dot_bwd",
                                   .n_args = 11,
                                   .flops = 4.0 * (double)(dy->count * dx->dim[1]),
                                   .bytes = (double)(dx->bytes + dy->bytes + other->bytes)};
    spec.args[0] = CTR_BUF(dx->buf);
    spec.args[1] = CTR_BUF(dy->buf);
    spec.args[2] = CTR_BUF(other->buf);
    spec.args[3] = CTR_F32(attr->scale);
    spec.args[4] = CTR_I32(attr->sides);
    spec.args[5] = CTR_U64(attr->shift);
    spec.args[6] = CTR_U64(dx->dim[0]);
    spec.args[7] = CTR_U64(dy->count);
    spec.args[8] = CTR_U64(attr->sides & RIGHT ? dx->dim[0] : other->dim[0]);
    spec.args[9] = CTR_I32(dx->dim[1]);
    spec.args[10] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, dx->dim[0], dx->dim[1]));
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

static const struct ctr_op row_dot_bwd = {
    .name = "row_dot_bwd",
    .variants =
        (const struct ctr_variant[]){
            {.name = "row", .usable = ctr_rowgroup_single, .lower = bwd_row},
            {.name = "group", .lower = bwd_group},
            {0}},
};

static void add_gradient(ctr_graph *g, ctr_node *node, ctr_tensor *x, ctr_tensor *other,
                         uint32_t sides)
{
    struct attr attr = *(const struct attr *)node->attr;
    attr.sides = sides;
    if (!ctr_needs_grad(x))
        return;
    ctr_node *bwd = ctr_node_add(g, &row_dot_bwd, &attr, sizeof attr, 2,
                                 (ctr_tensor *[]){node->out[0]->grad, other}, 0);
    ctr_grad_add(g, x, ctr_node_out(g, bwd, CTR_F32, 2, x->dim));
}

static int row_dot_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *a = node->in[0], *b = node->in[1];
    add_gradient(g, node, a, b, a == b ? LEFT | RIGHT : LEFT);
    if (a != b)
        add_gradient(g, node, b, a, RIGHT);
    return ctr_graph_status(g);
}

static const struct ctr_op row_dot = {
    .name = "row_dot",
    .grad = row_dot_grad,
    .variants =
        (const struct ctr_variant[]){
            {.name = "row", .usable = ctr_rowgroup_single, .lower = fwd_row},
            {.name = "group", .lower = fwd_group},
            {0}},
};

ctr_tensor *ctr_row_dot(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, float scale, size_t shift)
{
    struct attr attr = {.scale = scale};
    if (a && b &&
        (a->rank != 2 || b->rank != 2 || a->dim[1] != b->dim[1] || a->dim[0] > 1u << 30 ||
         b->dim[0] > 1u << 30 || a->dim[1] > INT32_MAX / 2))
        return ctr_graph_fail(g, CTR_E_USAGE, "row_dot: rows of '%s' and '%s' differ in length",
                              a->name, b->name);
    if (!isfinite(scale))
        return ctr_graph_fail(g, CTR_E_USAGE, "row_dot: scale is not finite");
    if (b)
        attr.shift = (uint32_t)(shift % b->dim[0]);
    ctr_node *node = ctr_node_add(g, &row_dot, &attr, sizeof attr, 2, (ctr_tensor *[]){a, b}, 0);
    return node ? ctr_node_out(g, node, CTR_F32, 1, a->dim) : NULL;
}
