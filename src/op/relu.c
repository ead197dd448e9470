/* relu.c -- y = max(x, 0);  dx = dy where y > 0, else 0.  Any shape. The template for other ops:
 * shape rule, gradient rule, lowering, and the const description that ties them together. */
#include "op/form.h"
#include "op/op.h"

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *y = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/relu.cl",
                                   .kernel = "relu_fwd",
                                   .n_args = 4,
                                   .flops = (double)y->count,
                                   .bytes = 2.0 * (double)y->bytes};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(x->buf);
    spec.args[2] = CTR_U64(y->count);
    spec.args[3] = CTR_U32(ctr_grid_chunks(g, &spec, y->count));
    return ctr_emit(g, &spec);
}

static int bwd_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *dy = node->in[0], *y = node->in[1], *dx = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/relu.cl",
                                   .kernel = "relu_bwd",
                                   .n_args = 5,
                                   .flops = (double)y->count,
                                   .bytes = 3.0 * (double)y->bytes};
    spec.args[0] = CTR_BUF(dx->buf);
    spec.args[1] = CTR_BUF(dy->buf);
    spec.args[2] = CTR_BUF(y->buf);
    spec.args[3] = CTR_U64(y->count);
    spec.args[4] = CTR_U32(ctr_grid_chunks(g, &spec, y->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op relu_bwd = {
    .name = "relu_bwd",
    .in_place = ctr_element_wise,
    .variants =
        (const struct ctr_variant[]){{.name = "general", .lower = bwd_lower, .half = 1}, {0}},
};

static int relu_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *y = node->out[0];
    ctr_node *bwd = ctr_node_add(g, &relu_bwd, NULL, 0, 2, (ctr_tensor *[]){y->grad, y}, 0);
    return ctr_grad_add(g, x, ctr_node_out(g, bwd, x->dtype, x->rank, x->dim));
}

static int relu_form(struct ctr_form *out, const ctr_node *node)
{
    *out = (struct ctr_form){.kind = CTR_FORM_RELU, .relu = 1};
    return 0;
}

static const struct ctr_op relu = {
    .name = "relu",
    .grad = relu_grad,
    .again = ctr_node_again,
    .in_place = ctr_element_wise,
    .form = relu_form,
    .variants =
        (const struct ctr_variant[]){{.name = "general", .lower = fwd_lower, .half = 1}, {0}},
};

ctr_tensor *ctr_relu(ctr_graph *g, ctr_tensor *x)
{
    ctr_node *node = ctr_node_add(g, &relu, NULL, 0, 1, &x, 0);
    return node ? ctr_node_out(g, node, x->dtype, x->rank, x->dim) : NULL;
}
