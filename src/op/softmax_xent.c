/* softmax_xent.c -- softmax cross-entropy with whole labels: loss = mean_n (lse_n - sum_k t_nk x_nk),
 * t_nk = (1 - smoothing) [k == label] + smoothing / K, also the share of rows whose largest logit (the
 * first, among equals) is the label's; dx_nk = dloss / N (e^(x_nk - lse_n) - t_nk). */
#include "op/rowgroup.h"

struct attr {
    float smoothing;
};

static int prepare(ctr_graph *g, ctr_node *node)
{
    size_t bytes = node->in[0]->dim[0] * sizeof(float);
    return ctr_node_scratch(g, node, bytes) && ctr_node_scratch(g, node, bytes)
               ? 0
               : ctr_graph_status(g);
}

static int emit_mean(ctr_graph *g, ctr_node *node, int group)
{
    ctr_tensor *each = node->scratch, *hit = each->next;
    size_t lanes = group ? CTR_ROWGROUP_LANES : 1;
    struct ctr_launch_spec spec = {.file = "op/softmax_xent.cl",
                                   .kernel = "softmax_xent_mean",
                                   .options = group ? "-DLANES=64" : "-DLANES=1",
                                   .global = {lanes},
                                   .local = {lanes},
                                   .n_args = 5};
    spec.args[0] = CTR_BUF(node->out[0]->buf);
    spec.args[1] = CTR_BUF(node->out[1]->buf);
    spec.args[2] = CTR_BUF(each->buf);
    spec.args[3] = CTR_BUF(hit->buf);
    spec.args[4] = CTR_I32(each->count);
    return ctr_emit(g, &spec);
}

static int fwd_lower(ctr_graph *g, ctr_node *node, int group)
{
    ctr_tensor *x = node->in[0], *label = node->in[1], *lse = node->out[2];
    struct ctr_launch_spec spec = {.file = "op/softmax_xent.cl",
                                   .kernel = "softmax_xent_fwd",
                                   .n_args = 9,
                                   .flops = 5.0 * (double)x->count,
                                   .bytes = (double)x->bytes};
    spec.args[0] = CTR_BUF(lse->buf);
    spec.args[1] = CTR_BUF(node->scratch->buf);
    spec.args[2] = CTR_BUF(node->scratch->next->buf);
    spec.args[3] = CTR_BUF(x->buf);
    spec.args[4] = CTR_BUF(label->buf);
    spec.args[5] = CTR_F32(((const struct attr *)node->attr)->smoothing);
    spec.args[6] = CTR_U64(x->dim[0]);
    spec.args[7] = CTR_I32(x->dim[1]);
    spec.args[8] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, x->dim[0], x->dim[1]));
    int rc = ctr_emit(g, &spec);
    return rc != 0 ? rc : emit_mean(g, node, group);
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
    ctr_tensor *x = node->in[1], *dx = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/softmax_xent.cl",
                                   .kernel = "softmax_xent_bwd",
                                   .n_args = 9,
                                   .flops = 4.0 * (double)x->count,
                                   .bytes = 2.0 * (double)x->bytes};
    spec.args[0] = CTR_BUF(dx->buf);
    for (unsigned i = 0; i < 4; i++) /* dloss, x, label, lse */
        spec.args[1 + i] = CTR_BUF(node->in[i]->buf);
    spec.args[5] = CTR_F32(((const struct attr *)node->attr)->smoothing);
    spec.args[6] = CTR_U64(x->dim[0]);
    spec.args[7] = CTR_I32(x->dim[1]);
    spec.args[8] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, x->dim[0], x->dim[1]));
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

static const struct ctr_op softmax_xent_bwd = {
    .name = "softmax_xent_bwd",
    .variants =
        (const struct ctr_variant[]){
            {.name = "row", .usable = ctr_rowgroup_single, .lower = bwd_row},
            {.name = "group", .lower = bwd_group},
            {0}},
};

static int softmax_xent_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *x = node->in[0], *loss = node->out[0];
    ctr_tensor *in[] = {loss->grad, x, node->in[1], node->out[2]};
    if (!loss->grad || !ctr_needs_grad(x))
        return 0;
    ctr_node *bwd = ctr_node_add(g, &softmax_xent_bwd, node->attr, sizeof(struct attr), 4, in, 0);
    return ctr_grad_add(g, x, ctr_node_out(g, bwd, CTR_F32, 2, x->dim));
}

static const struct ctr_op softmax_xent = {
    .name = "softmax_xent",
    .grad = softmax_xent_grad,
    .variants =
        (const struct ctr_variant[]){
            {.name = "row", .usable = ctr_rowgroup_single, .prepare = prepare, .lower = fwd_row},
            {.name = "group", .prepare = prepare, .lower = fwd_group},
            {0}},
};

ctr_tensor *ctr_softmax_xent(ctr_graph *g, ctr_tensor *x, ctr_tensor *label, float smoothing)
{
    const struct attr attr = {smoothing};
    size_t one = 1;
    ctr_tensor *in[] = {x, label};
    if (x && label &&
        (x->rank != 2 || label->dtype != CTR_I32 || label->count != x->dim[0] ||
         x->dim[0] > INT32_MAX / 2 || x->dim[1] > INT32_MAX / 2))
        return ctr_graph_fail(g, CTR_E_USAGE, "softmax_xent: %s needs one whole label a row",
                              x->name);
    if (!(smoothing >= 0 && smoothing <= 1))
        return ctr_graph_fail(g, CTR_E_USAGE, "softmax_xent: a smoothing of %g is not in [0, 1]",
                              (double)smoothing);
    ctr_node *node = ctr_node_add(g, &softmax_xent, &attr, sizeof attr, 2, in, 0);
    if (!node)
        return NULL;
    ctr_tensor *loss = ctr_node_out(g, node, CTR_F32, 1, &one);
    ctr_tensor *hits = ctr_node_out(g, node, CTR_F32, 1, &one);
    ctr_tensor *lse = ctr_node_out(g, node, CTR_F32, 1, x->dim);
    if (!loss || !hits || !lse)
        return NULL;
    return loss;
}

ctr_tensor *ctr_softmax_xent_accuracy(ctr_tensor *loss)
{
    return loss ? loss->producer->out[1] : NULL;
}
