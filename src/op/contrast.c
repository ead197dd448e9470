/* contrast.c -- contrastive losses, row by row: from pos[M], the scaled similarity of a row and its
 * positive, and neg[M], the logarithm of the sum of e^(scaled similarity) over its negatives
 * (ctr_lse), to one number. Positive and negatives stay apart, so that loss and gradient keep their
 * digits when the positive dominates. Two figures come with it: the share of rows whose positive is
 * nearer than all negatives, and the mean similarity of positives. */
#include <math.h>

#include "op/rowgroup.h"

struct attr {
    struct ctr_contrast p;
};

enum { LOSS, NEAREST, SIMILARITY };

/* One group: M is small beside what made pos and neg. */
static void one_group(struct ctr_launch_spec *spec, const ctr_graph *g)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    int group = caps->family != CTR_FAMILY_CPU && caps->max_group >= CTR_ROWGROUP_LANES;
    spec->options = group ? "-DLANES=64" : "-DLANES=1";
    spec->global[0] = spec->local[0] = group ? CTR_ROWGROUP_LANES : 1;
}

/* What both kernels end with. */
static void add_parameters(struct ctr_launch_spec *spec, unsigned at, const struct attr *attr,
                           size_t M)
{
    const struct ctr_contrast *p = &attr->p;
    int weighted = p->kind == CTR_CONTRAST_WEIGHTED;
    spec->args[at] = CTR_I32(p->kind);
    spec->args[at + 1] = CTR_F32(weighted ? 1 / (p->scale * p->sigma) : p->prior);
    spec->args[at + 2] = CTR_F32(p->prior * p->n);
    spec->args[at + 3] = CTR_F32(p->kind == CTR_CONTRAST_DEBIASED ? log(p->n) - p->scale : 0);
    spec->args[at + 4] = CTR_I32(M);
}

static int fwd_lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *attr = node->attr;
    ctr_tensor *pos = node->in[0], *top = node->in[2];
    struct ctr_launch_spec spec = {
        .file = "op/contrast.cl", .kernel = "contrast_fwd", .n_args = 13};
    for (unsigned i = LOSS; i <= SIMILARITY; i++)
        spec.args[i] = CTR_BUF(node->out[i]->buf);
    spec.args[3] = CTR_BUF(pos->buf);
    spec.args[4] = CTR_BUF(node->in[1]->buf);
    spec.args[5] = CTR_BUF((top ? top : pos)->buf);
    spec.args[6] = CTR_I32(top != NULL);
    spec.args[7] = CTR_F32(1 / attr->p.scale);
    add_parameters(&spec, 8, attr, pos->count);
    one_group(&spec, g);
    return ctr_emit(g, &spec);
}

static int bwd_lower(ctr_graph *g, ctr_node *node)
{
    struct ctr_launch_spec spec = {
        .file = "op/contrast.cl", .kernel = "contrast_bwd", .n_args = 10};
    spec.args[0] = CTR_BUF(node->out[0]->buf);
    spec.args[1] = CTR_BUF(node->out[1]->buf);
    for (unsigned i = 0; i < 3; i++) /* dloss, pos, neg */
        spec.args[2 + i] = CTR_BUF(node->in[i]->buf);
    add_parameters(&spec, 5, node->attr, node->out[0]->count);
    one_group(&spec, g);
    return ctr_emit(g, &spec);
}

static const struct ctr_op contrast_bwd = {
    .name = "contrast_bwd",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = bwd_lower}, {0}},
};

static int contrast_grad(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *pos = node->in[0], *neg = node->in[1];
    ctr_tensor *in[] = {node->out[LOSS]->grad, pos, neg};
    if (!in[0]) /* the figures carry no gradient */
        return 0;
    ctr_node *bwd = ctr_node_add(g, &contrast_bwd, node->attr, sizeof(struct attr), 3, in, 0);
    ctr_tensor *dpos = ctr_node_out(g, bwd, CTR_F32, 1, pos->dim);
    ctr_tensor *dneg = ctr_node_out(g, bwd, CTR_F32, 1, neg->dim);
    if (ctr_needs_grad(pos))
        ctr_grad_add(g, pos, dpos);
    if (ctr_needs_grad(neg))
        ctr_grad_add(g, neg, dneg);
    return ctr_graph_status(g);
}

static const struct ctr_op contrast = {
    .name = "contrast",
    .grad = contrast_grad,
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = fwd_lower}, {0}},
};

ctr_tensor *ctr_contrast(ctr_graph *g, ctr_tensor *pos, ctr_tensor *neg, ctr_tensor *top,
                         const struct ctr_contrast *p)
{
    size_t one = 1;
    struct attr attr = {*p};
    ctr_tensor *in[] = {pos, neg, top};
    if (pos && neg && (pos->count != neg->count || pos->count > 1u << 30))
        return ctr_graph_fail(g, CTR_E_USAGE, "contrast: '%s' and '%s' differ in length", pos->name,
                              neg->name);
    if ((p->kind == CTR_CONTRAST_WEIGHTED && !(p->sigma > 0)) ||
        (p->kind == CTR_CONTRAST_DEBIASED && !(p->prior >= 0 && p->prior < 1 && p->n >= 1)))
        return ctr_graph_fail(g, CTR_E_USAGE, "contrast: sigma %g, prior %g of %g negatives",
                              (double)p->sigma, (double)p->prior, (double)p->n);
    ctr_node *node = ctr_node_add(g, &contrast, &attr, sizeof attr, 3, in, 1);
    for (unsigned i = LOSS; i <= SIMILARITY && node; i++)
        if (!ctr_node_out(g, node, CTR_F32, 1, &one))
            return NULL;
    return node ? node->out[LOSS] : NULL;
}

ctr_tensor *ctr_contrast_nearest(ctr_tensor *loss)
{
    return loss ? loss->producer->out[NEAREST] : NULL;
}

ctr_tensor *ctr_contrast_similarity(ctr_tensor *loss)
{
    return loss ? loss->producer->out[SIMILARITY] : NULL;
}
