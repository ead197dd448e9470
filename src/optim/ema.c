/* ema.c -- the store's shadow follows its values: one launch over the flat buffers. See optim.h. */
#include "optim/optim.h"

enum { SHADOW, VALUES, STEP };
struct attr {
    double rate;
    uint64_t steps;
};

static int lower(ctr_graph *g, ctr_node *node)
{
    const struct attr *a = node->attr;
    ctr_tensor *shadow = node->in[SHADOW];
    struct ctr_launch_spec spec = {.file = "optim/ema.cl",
                                   .kernel = "ema_update",
                                   .n_args = 7,
                                   .flops = 3.0 * (double)shadow->count,
                                   .bytes = 3.0 * (double)shadow->bytes};
    for (unsigned i = 0; i < 3; i++)
        spec.args[i] = CTR_BUF(node->in[i]->buf);
    spec.args[3] = CTR_F32(a->rate);
    spec.args[4] = CTR_F32(a->steps ? 1 / (double)a->steps : 0);
    spec.args[5] = CTR_U64(shadow->count);
    spec.args[6] = CTR_U32(ctr_grid_chunks(g, &spec, shadow->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op ema = {
    .name = "ema",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = lower}, {0}},
};

int ctr_ema(ctr_graph *g, ctr_tensor *step, double momentum, uint64_t steps)
{
    struct attr attr = {1 - momentum, steps};
    ctr_tensor *in[] = {ctr_graph_store_part(g, CTR_STORE_SHADOW),
                        ctr_graph_store_part(g, CTR_STORE_VALUES), step};
    ctr_node_add(g, &ema, &attr, sizeof attr, 3, in, 0);
    return ctr_graph_status(g);
}
