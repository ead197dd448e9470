/* label_mean.c -- y_i = the mean of the other rows of x[M,D] with row i's label, label[i mod N];
 * zero where there are none. dx is the same of dy, since rows of one label have equally many
 * others. */
#include "op/rowgroup.h"

static int lower(ctr_graph *g, ctr_node *node, int group)
{
    ctr_tensor *x = node->in[0], *label = node->in[1], *y = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/label_mean.cl",
                                   .kernel = "label_mean",
                                   .n_args = 7,
                                   .flops = (double)x->dim[0] * (double)x->dim[0],
                                   .bytes = 2.0 * (double)x->bytes};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(x->buf);
    spec.args[2] = CTR_BUF(label->buf);
    spec.args[3] = CTR_U64(x->dim[0]);
    spec.args[4] = CTR_U64(label->count);
    spec.args[5] = CTR_I32(x->dim[1]);
    spec.args[6] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, x->dim[0], x->dim[1]));
    return ctr_emit(g, &spec);
}

static int row(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 0);
}

static int group(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 1);
}

static int label_mean_grad(ctr_graph *g, ctr_node *node);

static const struct ctr_op label_mean = {
    .name = "label_mean",
    .grad = label_mean_grad,
    .whole_below = 10,
    .variants =
        (const struct ctr_variant[]){{.name = "row", .usable = ctr_rowgroup_single, .lower = row},
                                     {.name = "group", .lower = group},
                                     {0}},
};

static int label_mean_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0];
    return ctr_grad_add(g, x, ctr_label_mean(g, node->out[0]->grad, node->in[1]));
}

ctr_tensor *ctr_label_mean(ctr_graph *g, ctr_tensor *x, ctr_tensor *label)
{
    if (x && label &&
        (x->rank != 2 || label->dtype != CTR_I32 || x->dim[0] % label->count != 0 ||
         x->dim[0] > 1u << 30 || x->dim[1] > INT32_MAX / 2))
        return ctr_graph_fail(g, CTR_E_USAGE,
                              "label_mean: the rows of %s are no views of %zu labels", x->name,
                              label->count);
    ctr_node *node = ctr_node_add(g, &label_mean, NULL, 0, 2, (ctr_tensor *[]){x, label}, 0);
    return node ? ctr_node_out(g, node, CTR_F32, 2, x->dim) : NULL;
}
