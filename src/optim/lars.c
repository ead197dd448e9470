/* lars.c -- layer-wise adaptive rate scaling: each entry's rate follows |w| / |g|.
 * In: flat values, gradients, one moment. Out: values and moment, in three launches: squares of
 * each block, rate of each entry, update. Biases and norms are neither adapted nor decayed, as in
 * SimCLR's recipe. You, Gitman and Ginsburg, arXiv:1708.03888. */
#include "optim/impl.h"

#include <math.h>

enum { MOMENTUM, NESTEROV, ETA, CLIP };
enum { GROUP = 64 }; /* as in the kernel file */

static int prepare(ctr_graph *g, ctr_node *node)
{
    size_t bytes = node->in[CTR_OPTIM_BLOCKS]->count * sizeof(float);
    ctr_node_scratch(g, node, bytes);     /* rates */
    ctr_node_scratch(g, node, 2 * bytes); /* squares: the first in the list */
    return ctr_graph_status(g);
}

/* A group takes `per` blocks; returns per. */
static uint32_t grid(const ctr_graph *g, struct ctr_launch_spec *spec, size_t n_blocks)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    size_t gpu = caps->family == CTR_FAMILY_GPU;
    size_t groups = gpu ? 4096 : 16 * (size_t)caps->compute_units;
    size_t per = (n_blocks + groups - 1) / groups;
    if (!gpu && per < 16) /* 4,096 values */
        per = 16;
    spec->local[0] = gpu ? GROUP : 1;
    spec->global[0] = (n_blocks + per - 1) / per * spec->local[0];
    return (uint32_t)per;
}

static int emit_rates(ctr_graph *g, const ctr_node *node, const struct ctr_optim_attr *a)
{
    const ctr_tensor *w = node->in[CTR_OPTIM_W], *blocks = node->in[CTR_OPTIM_BLOCKS];
    ctr_buf *squares = node->scratch->buf, *rates = node->scratch->next->buf;
    struct ctr_launch_spec first = {.file = "optim/lars.cl",
                                    .kernel = "lars_squares",
                                    .options = ctr_optim_options(node),
                                    .args = {CTR_BUF(squares), CTR_BUF(w->buf),
                                             CTR_BUF(node->in[CTR_OPTIM_DW]->buf),
                                             CTR_BUF(node->in[node->n_in - 1]->buf),
                                             CTR_U32(blocks->count)},
                                    .n_args = 6,
                                    .flops = 4.0 * (double)w->count,
                                    .bytes = 2.0 * (double)w->bytes};
    struct ctr_launch_spec second = {.file = "optim/lars.cl",
                                     .kernel = "lars_rates",
                                     .args = {CTR_BUF(rates), CTR_BUF(squares),
                                              CTR_BUF(blocks->buf), CTR_F32(a->option[ETA]),
                                              CTR_F32(a->weight_decay),
                                              CTR_F32(a->option[CLIP] != 0 ? INFINITY : 1),
                                              CTR_U32(blocks->count)},
                                     .n_args = 8};
    first.args[5] = CTR_U32(grid(g, &first, blocks->count));
    second.args[7] = CTR_U32(grid(g, &second, blocks->count));
    int rc = ctr_emit(g, &first);
    return rc != 0 ? rc : ctr_emit(g, &second);
}

static int lower(ctr_graph *g, ctr_node *node)
{
    const struct ctr_optim_attr *a = node->attr;
    ctr_tensor *w = node->in[CTR_OPTIM_W], *scalars = node->in[node->n_in - 1];
    int rc = emit_rates(g, node, a);
    if (rc != 0)
        return rc;
    struct ctr_launch_spec spec = {.file = "optim/lars.cl",
                                   .kernel = "lars_update",
                                   .options = ctr_optim_options(node),
                                   .n_args = 13,
                                   .flops = 7.0 * (double)w->count,
                                   .bytes = 5.0 * (double)w->bytes};
    spec.args[0] = CTR_BUF(w->buf);
    spec.args[1] = CTR_BUF(node->in[CTR_OPTIM_MOMENT1]->buf);
    spec.args[2] = CTR_BUF(node->in[CTR_OPTIM_DW]->buf);
    spec.args[3] = CTR_BUF(node->in[CTR_OPTIM_BLOCKS]->buf);
    spec.args[4] = CTR_BUF(node->scratch->next->buf);
    spec.args[5] = CTR_BUF(scalars->buf);
    spec.args[6] = CTR_F32(a->weight_decay);
    spec.args[7] = CTR_F32(a->own_rate);
    spec.args[8] = CTR_F32(a->option[MOMENTUM]);
    spec.args[9] = CTR_I32(a->option[NESTEROV] != 0);
    spec.args[10] = CTR_I32(a->option[CLIP] != 0);
    spec.args[11] = CTR_U64(w->count);
    spec.args[12] = CTR_U32(ctr_grid_chunks(g, &spec, w->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op lars = {
    .name = "lars",
    .variants =
        (const struct ctr_variant[]){{.name = "general", .prepare = prepare, .lower = lower}, {0}},
};

static int record(ctr_graph *g, ctr_tensor *scalars, const struct ctr_optim_params *params)
{
    return ctr_optim_add(g, &lars, ctr_optim_lars.moments, scalars, params);
}

const struct ctr_optim ctr_optim_lars = {
    .name = "lars",
    .text = "layer-wise adaptive rates, for large batches",
    .source = "You, Gitman and Ginsburg, arXiv:1708.03888",
    .options =
        (const struct ctr_option[]){
            {"momentum", "M", 0.9, 0, 0.9999, "share of the last update kept"},
            {"nesterov", "0|1", 0, 0, 1, "look ahead by the momentum"},
            {"eta", "E", 0.001, 1e-6, 1, "trust in |w| / |g|"},
            {"clip", "0|1", 0, 0, 1, "the rate is eta |w| / |g|, at most the learning rate (LARC)"},
            {0}},
    .moments = 1,
    .record = record,
};
