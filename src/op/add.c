/* add.c -- y = a + b, or max(a + b, 0) with relu, for equal shapes;  da = db = dy, with relu where
 * y > 0. One tensor then serves as both gradients. */
#include "op/form.h"
#include "op/op.h"

#include <string.h>

struct attr {
    int relu;
};

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *y = node->out[0];
    const struct attr *attr = node->attr;
    struct ctr_launch_spec spec = {.file = "op/add.cl",
                                   .kernel = attr->relu ? "add_fwd_relu" : "add_fwd",
                                   .n_args = 5,
                                   .flops = (double)y->count,
                                   .bytes = 3.0 * (double)y->bytes};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(node->in[0]->buf);
    spec.args[2] = CTR_BUF(node->in[1]->buf);
    spec.args[3] = CTR_U64(y->count);
    spec.args[4] = CTR_U32(ctr_grid_chunks(g, &spec, y->count));
    return ctr_emit(g, &spec);
}

static int bwd_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *dx = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/add.cl",
                                   .kernel = "add_bwd_relu",
                                   .n_args = 5,
                                   .flops = (double)dx->count,
                                   .bytes = 3.0 * (double)dx->bytes};
    spec.args[0] = CTR_BUF(dx->buf);
    spec.args[1] = CTR_BUF(node->in[0]->buf);
    spec.args[2] = CTR_BUF(node->in[1]->buf);
    spec.args[3] = CTR_U64(dx->count);
    spec.args[4] = CTR_U32(ctr_grid_chunks(g, &spec, dx->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op add_bwd = {
    .name = "add_bwd",
    .in_place = ctr_element_wise,
    .variants =
        (const struct ctr_variant[]){{.name = "general", .lower = bwd_lower, .half = 1}, {0}},
};

static int add_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *y = node->out[0], *d = y->grad;
    if (((const struct attr *)node->attr)->relu) {
        ctr_node *bwd = ctr_node_add(g, &add_bwd, NULL, 0, 2, (ctr_tensor *[]){d, y}, 0);
        d = ctr_node_out(g, bwd, y->dtype, y->rank, y->dim);
    }
    for (unsigned i = 0; i < 2; i++)
        if (ctr_needs_grad(node->in[i]))
            ctr_grad_add(g, node->in[i], d);
    return ctr_graph_status(g);
}

static int add_form(struct ctr_form *out, const ctr_node *node)
{
    *out = (struct ctr_form){.kind = CTR_FORM_ADD, .relu = ((const struct attr *)node->attr)->relu};
    return 0;
}

static const struct ctr_op add = {
    .name = "add",
    .grad = add_grad,
    .again = ctr_node_again,
    .in_place = ctr_element_wise,
    .form = add_form,
    .variants =
        (const struct ctr_variant[]){{.name = "general", .lower = fwd_lower, .half = 1}, {0}},
};

ctr_tensor *ctr_add(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, int relu)
{
    struct attr attr = {relu};
    if (a && b && memcmp(a->dim, b->dim, sizeof a->dim) != 0)
        return ctr_graph_fail(g, CTR_E_USAGE, "add: '%s' and '%s' differ in shape", a->name,
                              b->name);
    if (a && b && a->dtype != b->dtype)
        return ctr_graph_fail(g, CTR_E_USAGE, "add: '%s' is %s, '%s' is %s", a->name,
                              ctr_dtype_name(a->dtype), b->name, ctr_dtype_name(b->dtype));
    ctr_node *node = ctr_node_add(g, &add, &attr, sizeof attr, 2, (ctr_tensor *[]){a, b}, 0);
    return node ? ctr_node_out(g, node, a->dtype, a->rank, a->dim) : NULL;
}
