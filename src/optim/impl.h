/* impl.h -- what the optimisers' files share. Nobody else includes it. */
#ifndef CTR_OPTIM_IMPL_H
#define CTR_OPTIM_IMPL_H

#include "optim/optim.h"

extern const struct ctr_optim ctr_optim_sgd, ctr_optim_adamw, ctr_optim_lars;

#define CTR_OPTIM_MAX_OPTIONS 4

struct ctr_optim_attr {
    float weight_decay, own_rate;
    double option[CTR_OPTIM_MAX_OPTIONS];
};
/* Inputs of an optimiser's node: the flat buffers, the moments it keeps, at last the scalars. */
enum { CTR_OPTIM_W, CTR_OPTIM_DW, CTR_OPTIM_BLOCKS, CTR_OPTIM_MOMENT1, CTR_OPTIM_MOMENT2 };

/* Compiler options of its kernels, for what the scalars hold. */
const char *ctr_optim_options(const ctr_node *node);

/* Adds the node. params->option has at least CTR_OPTIM_MAX_OPTIONS values. */
int ctr_optim_add(ctr_graph *g, const struct ctr_op *op, unsigned moments, ctr_tensor *scalars,
                  const struct ctr_optim_params *params);

#endif
