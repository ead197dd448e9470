/* mean.c -- y = offset + scale * mean(x), a scalar, of x of any shape;  dx_i = dy scale / n. */
#include <math.h>

#include "op/rowgroup.h"

struct attr {
    float scale, offset;
};

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *attr = node->attr;
    const struct ctr_caps *caps = ctr_graph_caps(g);
    ctr_tensor *x = node->in[0];
    int group = caps->family != CTR_FAMILY_CPU && caps->max_group >= CTR_ROWGROUP_LANES;
    size_t lanes = group ? CTR_ROWGROUP_LANES : 1;
    struct ctr_launch_spec spec = {.file = "op/mean.cl",
                                   .kernel = "mean_fwd",
                                   .options = group ? "-DLANES=64" : "-DLANES=1",
                                   .global = {lanes},
                                   .local = {lanes},
                                   .n_args = 5,
                                   .flops = (double)x->count,
                                   .bytes = (double)x->bytes};
    spec.args[0] = CTR_BUF(node->out[0]->buf);
    spec.args[1] = CTR_BUF(x->buf);
    spec.args[2] = CTR_F32((double)attr->scale / (double)x->count);
    spec.args[3] = CTR_F32(attr->offset);
    spec.args[4] = CTR_I32(x->count);
    return ctr_emit(g, &spec);
}

static int bwd_lower(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *dx = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/mean.cl", .kernel = "mean_bwd", .n_args = 5};
    spec.args[0] = CTR_BUF(dx->buf);
    spec.args[1] = CTR_BUF(node->in[0]->buf);
    spec.args[2] = CTR_F32((double)((const struct attr *)node->attr)->scale / (double)dx->count);
    spec.args[3] = CTR_U64(dx->count);
    spec.args[4] = CTR_U32(ctr_grid_chunks(g, &spec, dx->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op mean_bwd = {
    .name = "mean_bwd",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = bwd_lower}, {0}},
};

static int mean_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0];
    ctr_node *bwd =
        ctr_node_add(g, &mean_bwd, node->attr, sizeof(struct attr), 1, &node->out[0]->grad, 0);
    return ctr_grad_add(g, x, ctr_node_out(g, bwd, CTR_F32, x->rank, x->dim));
}

static const struct ctr_op mean = {
    .name = "mean",
    .grad = mean_grad,
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = fwd_lower}, {0}},
};

ctr_tensor *ctr_mean(ctr_graph *g, ctr_tensor *x, float scale, float offset)
{
    struct attr attr = {scale, offset};
    size_t one = 1;
    if (x && (x->dtype != CTR_F32 || x->count > INT32_MAX))
        return ctr_graph_fail(g, CTR_E_USAGE, "mean: '%s' is too large, or not fp32", x->name);
    if (!isfinite(scale) || !isfinite(offset))
        return ctr_graph_fail(g, CTR_E_USAGE, "mean: scale or offset is not finite");
    ctr_node *node = ctr_node_add(g, &mean, &attr, sizeof attr, 1, &x, 0);
    return node ? ctr_node_out(g, node, CTR_F32, 1, &one) : NULL;
}
