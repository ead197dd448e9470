/* l2norm.c -- y = x / sqrt(sum x^2 + eps) for each row of x[N,D];  dx = r (dy - y (y.dy)) with
 * r = 1 / sqrt(sum x^2 + eps). eps keeps rows of zeros finite: y = 0, dx = dy / sqrt(eps). */
#include "op/form.h"
#include "op/rowgroup.h"

#define EPS 1e-12f

static int fwd_lower(ctr_graph *g, ctr_node *node, int group)
{
    ctr_tensor *x = node->in[0], *y = node->out[0], *r = node->out[1];
    struct ctr_launch_spec spec = {.file = "op/l2norm.cl",
                                   .kernel = "l2norm_fwd",
                                   .n_args = 7,
                                   .flops = 3.0 * (double)y->count,
                                   .bytes = 2.0 * (double)y->bytes};
    spec.args[0] = CTR_BUF(y->buf);
    spec.args[1] = CTR_BUF(r->buf);
    spec.args[2] = CTR_BUF(x->buf);
    spec.args[3] = CTR_F32(EPS);
    spec.args[4] = CTR_U64(x->dim[0]);
    spec.args[5] = CTR_I32(x->dim[1]);
    spec.args[6] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, x->dim[0], x->dim[1]));
    return ctr_emit(g, &spec);
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
    ctr_tensor *dy = node->in[0], *y = node->in[1], *r = node->in[2], *dx = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/l2norm.cl",
                                   .kernel = "l2norm_bwd",
                                   .n_args = 7,
                                   .flops = 5.0 * (double)y->count,
                                   .bytes = 3.0 * (double)y->bytes};
    spec.args[0] = CTR_BUF(dx->buf);
    spec.args[1] = CTR_BUF(dy->buf);
    spec.args[2] = CTR_BUF(y->buf);
    spec.args[3] = CTR_BUF(r->buf);
    spec.args[4] = CTR_U64(y->dim[0]);
    spec.args[5] = CTR_I32(y->dim[1]);
    spec.args[6] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, y->dim[0], y->dim[1]));
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

static const struct ctr_op l2norm_bwd = {
    .name = "l2norm_bwd",
    .variants =
        (const struct ctr_variant[]){
            {.name = "row", .usable = ctr_rowgroup_single, .lower = bwd_row},
            {.name = "group", .lower = bwd_group},
            {0}},
};

static int l2norm_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *y = node->out[0], *r = node->out[1];
    ctr_node *bwd = ctr_node_add(g, &l2norm_bwd, NULL, 0, 3, (ctr_tensor *[]){y->grad, y, r}, 0);
    return ctr_grad_add(g, x, ctr_node_out(g, bwd, CTR_F32, x->rank, x->dim));
}

static int l2norm_form(struct ctr_form *out, const ctr_node *node)
{
    *out = (struct ctr_form){.kind = CTR_FORM_UNIT, .eps = EPS};
    return 0;
}

static const struct ctr_op l2norm = {
    .name = "l2norm",
    .grad = l2norm_grad,
    .form = l2norm_form,
    .variants =
        (const struct ctr_variant[]){
            {.name = "row", .usable = ctr_rowgroup_single, .lower = fwd_row},
            {.name = "group", .lower = fwd_group},
            {0}},
};

ctr_tensor *ctr_l2norm(ctr_graph *g, ctr_tensor *x)
{
    if (x && (x->rank != 2 || x->dim[1] > INT32_MAX / 2))
        return ctr_graph_fail(g, CTR_E_USAGE, "l2norm: %s is not a matrix", x->name);
    ctr_node *node = ctr_node_add(g, &l2norm, NULL, 0, 1, &x, 0);
    ctr_tensor *y = node ? ctr_node_out(g, node, CTR_F32, 2, x->dim) : NULL;
    return y && ctr_node_out(g, node, CTR_F32, 1, x->dim) ? y : NULL;
}
