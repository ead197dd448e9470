/* sgd.c -- stochastic gradient descent with momentum, as torch.optim.SGD (dampening 0).
 * In: flat values, gradients, one moment. Out: values and moment, in one launch. */
#include "optim/impl.h"

enum { MOMENTUM, NESTEROV };

static int lower(ctr_graph *g, ctr_node *node)
{
    const struct ctr_optim_attr *a = node->attr;
    ctr_tensor *w = node->in[CTR_OPTIM_W], *scalars = node->in[node->n_in - 1];
    struct ctr_launch_spec spec = {.file = "optim/sgd.cl",
                                   .kernel = "sgd_update",
                                   .options = ctr_optim_options(node),
                                   .n_args = 11,
                                   .flops = 6.0 * (double)w->count,
                                   .bytes = 5.0 * (double)w->bytes};
    spec.args[0] = CTR_BUF(w->buf);
    spec.args[1] = CTR_BUF(node->in[CTR_OPTIM_MOMENT1]->buf);
    spec.args[2] = CTR_BUF(node->in[CTR_OPTIM_DW]->buf);
    spec.args[3] = CTR_BUF(node->in[CTR_OPTIM_BLOCKS]->buf);
    spec.args[4] = CTR_BUF(scalars->buf);
    spec.args[5] = CTR_F32(a->weight_decay);
    spec.args[6] = CTR_F32(a->own_rate);
    spec.args[7] = CTR_F32(a->option[MOMENTUM]);
    spec.args[8] = CTR_I32(a->option[NESTEROV] != 0);
    spec.args[9] = CTR_U64(w->count);
    spec.args[10] = CTR_U32(ctr_grid_chunks(g, &spec, w->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op sgd = {
    .name = "sgd",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = lower}, {0}},
};

static int record(ctr_graph *g, ctr_tensor *scalars, const struct ctr_optim_params *params)
{
    return ctr_optim_add(g, &sgd, ctr_optim_sgd.moments, scalars, params);
}

const struct ctr_optim ctr_optim_sgd = {
    .name = "sgd",
    .text = "stochastic gradient descent with momentum",
    .source = "Polyak 1964; Sutskever et al., ICML 2013 (Nesterov)",
    .options =
        (const struct ctr_option[]){
            {"momentum", "M", 0.9, 0, 0.9999, "share of the last update kept"},
            {"nesterov", "0|1", 0, 0, 1, "look ahead by the momentum"},
            {0}},
    .moments = 1,
    .record = record,
};
