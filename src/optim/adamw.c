/* adamw.c -- Adam with decoupled weight decay, as torch.optim.AdamW.
 * In: flat values, gradients, two moments. Out: values and moments, in one launch. */
#include "optim/impl.h"

#include <math.h>

enum { BETA1, BETA2, EPS };

static int lower(ctr_graph *g, ctr_node *node)
{
    const struct ctr_optim_attr *a = node->attr;
    const double beta1 = a->option[BETA1], beta2 = a->option[BETA2];
    ctr_tensor *w = node->in[CTR_OPTIM_W], *scalars = node->in[node->n_in - 1];
    struct ctr_launch_spec spec = {.file = "optim/adamw.cl",
                                   .kernel = "adamw_update",
                                   .options = ctr_optim_options(node),
                                   .n_args = 17,
                                   .flops = 14.0 * (double)w->count,
                                   .bytes = 7.0 * (double)w->bytes};
    spec.args[0] = CTR_BUF(w->buf);
    spec.args[1] = CTR_BUF(node->in[CTR_OPTIM_MOMENT1]->buf);
    spec.args[2] = CTR_BUF(node->in[CTR_OPTIM_MOMENT2]->buf);
    spec.args[3] = CTR_BUF(node->in[CTR_OPTIM_DW]->buf);
    spec.args[4] = CTR_BUF(node->in[CTR_OPTIM_BLOCKS]->buf);
    spec.args[5] = CTR_BUF(scalars->buf);
    spec.args[6] = CTR_F32(a->weight_decay);
    spec.args[7] = CTR_F32(a->own_rate);
    spec.args[8] = CTR_F32(beta1);
    spec.args[9] = CTR_F32(beta2);
    spec.args[10] = CTR_F32(1 - beta1);
    spec.args[11] = CTR_F32(1 - beta2);
    spec.args[12] = CTR_F32(beta1 > 0 ? log(beta1) : -1e30); /* exp(t * this) is beta^t, 0 for 0 */
    spec.args[13] = CTR_F32(beta2 > 0 ? log(beta2) : -1e30);
    spec.args[14] = CTR_F32(a->option[EPS]);
    spec.args[15] = CTR_U64(w->count);
    spec.args[16] = CTR_U32(ctr_grid_chunks(g, &spec, w->count));
    return ctr_emit(g, &spec);
}

static const struct ctr_op adamw = {
    .name = "adamw",
    .variants = (const struct ctr_variant[]){{.name = "general", .lower = lower}, {0}},
};

static int record(ctr_graph *g, ctr_tensor *scalars, const struct ctr_optim_params *params)
{
    return ctr_optim_add(g, &adamw, ctr_optim_adamw.moments, scalars, params);
}

const struct ctr_optim ctr_optim_adamw = {
    .name = "adamw",
    .text = "Adam with decoupled weight decay",
    .source = "Loshchilov and Hutter, arXiv:1711.05101",
    .options =
        (const struct ctr_option[]){
            {"beta1", "B", 0.9, 0, 0.9999, "decay of the mean of the gradient"},
            {"beta2", "B", 0.999, 0, 0.999999, "decay of the mean of its square"},
            {"eps", "E", 1e-8, 1e-15, 1, "added to the root of the mean square"},
            {0}},
    .moments = 2,
    .record = record,
};
