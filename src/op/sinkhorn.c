/* sinkhorn.c -- scores to assignments that use all columns equally: q = u_k e^(s_ik / eps) r_i, with factors
 * u of the columns and r of the rows found by turns (Cuturi, "Sinkhorn distances", arXiv:1306.0895; Caron
 * et al., arXiv:2006.09882, appendix A). In: s[M,K], N rows of a problem. Out: q[M,K]. No gradient. */
#include "op/rowgroup.h"

struct attr {
    float eps;
    uint32_t N, rounds;
};

static int prepare(ctr_graph *g, ctr_node *node)
{
    const struct attr *attr = node->attr;
    size_t M = node->in[0]->dim[0], K = node->in[0]->dim[1];
    return ctr_node_scratch(g, node, M * sizeof(float)) &&
                   ctr_node_scratch(g, node, M / attr->N * K * sizeof(float))
               ? 0
               : ctr_graph_status(g);
}

/* e = e^(s / eps). */
static int emit_exp(ctr_graph *g, ctr_node *node)
{
    ctr_tensor *q = node->out[0];
    struct ctr_launch_spec spec = {.file = "op/sinkhorn.cl",
                                   .kernel = "sinkhorn_exp",
                                   .n_args = 5,
                                   .flops = (double)q->count,
                                   .bytes = 2.0 * (double)q->bytes};
    spec.args[0] = CTR_BUF(q->buf);
    spec.args[1] = CTR_BUF(node->in[0]->buf);
    spec.args[2] = CTR_F32(1 / (double)((const struct attr *)node->attr)->eps);
    spec.args[3] = CTR_U64(q->count);
    spec.args[4] = CTR_U32(ctr_grid_chunks(g, &spec, q->count));
    return ctr_emit(g, &spec);
}

static int emit_columns(ctr_graph *g, ctr_node *node, int first)
{
    const struct attr *attr = node->attr;
    const struct ctr_caps *caps = ctr_graph_caps(g);
    ctr_tensor *q = node->out[0], *u = node->scratch, *r = u->next;
    size_t K = q->dim[1], vw = caps->family == CTR_FAMILY_CPU ? 16 : 4;
    size_t items = q->dim[0] / attr->N * ((K + vw - 1) / vw);
    struct ctr_launch_spec spec = {.file = "op/sinkhorn.cl",
                                   .kernel = "sinkhorn_columns",
                                   .args = {CTR_BUF(u->buf), CTR_BUF(q->buf), CTR_BUF(r->buf),
                                            CTR_I32(first), CTR_U32(attr->N), CTR_U32(K),
                                            CTR_U64(items)},
                                   .n_args = 7,
                                   .flops = 2.0 * (double)q->count,
                                   .bytes = (double)q->bytes};
    ctr_grid_items(g, &spec, items, 64);
    return ctr_emit(g, &spec);
}

static int emit_rows(ctr_graph *g, ctr_node *node, int last, int group)
{
    const struct attr *attr = node->attr;
    ctr_tensor *q = node->out[0], *u = node->scratch, *r = u->next;
    struct ctr_launch_spec spec = {.file = "op/sinkhorn.cl",
                                   .kernel = "sinkhorn_rows",
                                   .n_args = 8,
                                   .flops = 2.0 * (double)q->count,
                                   .bytes = (last ? 2.0 : 1.0) * (double)q->bytes};
    spec.args[0] = CTR_BUF(q->buf);
    spec.args[1] = CTR_BUF(r->buf);
    spec.args[2] = CTR_BUF(u->buf);
    spec.args[3] = CTR_I32(last);
    spec.args[4] = CTR_U64(attr->N);
    spec.args[5] = CTR_U64(q->dim[0]);
    spec.args[6] = CTR_I32(q->dim[1]);
    spec.args[7] = CTR_U32(ctr_rowgroup_grid(g, &spec, group, q->dim[0], q->dim[1]));
    return ctr_emit(g, &spec);
}

static int lower(ctr_graph *g, ctr_node *node, int group)
{
    uint32_t rounds = ((const struct attr *)node->attr)->rounds;
    int rc = emit_exp(g, node);
    for (uint32_t i = 0; rc == 0 && i < rounds; i++) {
        rc = emit_columns(g, node, i == 0);
        if (rc == 0)
            rc = emit_rows(g, node, i + 1 == rounds, group);
    }
    return rc;
}

static int row(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 0);
}

static int group(ctr_graph *g, ctr_node *node)
{
    return lower(g, node, 1);
}

static const struct ctr_op sinkhorn = {
    .name = "sinkhorn",
    .variants =
        (const struct ctr_variant[]){
            {.name = "row", .usable = ctr_rowgroup_single, .prepare = prepare, .lower = row},
            {.name = "group", .prepare = prepare, .lower = group},
            {0}},
};

ctr_tensor *ctr_sinkhorn(ctr_graph *g, ctr_tensor *s, size_t N, float eps, unsigned rounds)
{
    struct attr attr = {eps, (uint32_t)N, rounds};
    if (s && (s->rank != 2 || N == 0 || s->dim[0] % N != 0 || s->dim[0] > 1u << 30 ||
              s->dim[1] > INT32_MAX / 2))
        return ctr_graph_fail(g, CTR_E_USAGE, "sinkhorn: the rows of %s are no problems of %zu",
                              s->name, N);
    if (!(eps > 0) || rounds == 0)
        return ctr_graph_fail(g, CTR_E_USAGE, "sinkhorn: %u rounds with eps %g", rounds,
                              (double)eps);
    ctr_node *node = ctr_node_add(g, &sinkhorn, &attr, sizeof attr, 1, &s, 0);
    return node ? ctr_node_out(g, node, CTR_F32, 2, s->dim) : NULL;
}
