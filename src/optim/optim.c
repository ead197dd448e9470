/* optim.c -- the list of optimisers, and what their files share. */
#include "optim/impl.h"

#include <string.h>

const struct ctr_optim *const ctr_optims[] = {&ctr_optim_sgd, &ctr_optim_adamw, &ctr_optim_lars,
                                              NULL};

const struct ctr_optim *ctr_optim_find(const char *name)
{
    for (const struct ctr_optim *const *o = ctr_optims; *o; o++)
        if (strcmp((*o)->name, name) == 0)
            return *o;
    return NULL;
}

const char *ctr_optim_options(const ctr_node *node)
{
    return node->in[node->n_in - 1]->count == 3 ? "-DSCALED=1" : NULL;
}

int ctr_optim_add(ctr_graph *g, const struct ctr_op *op, unsigned moments, ctr_tensor *scalars,
                  const struct ctr_optim_params *params)
{
    static const enum ctr_store_part part[] = {CTR_STORE_VALUES, CTR_STORE_GRADS, CTR_STORE_BLOCKS,
                                               CTR_STORE_MOMENT1, CTR_STORE_MOMENT2};
    struct ctr_optim_attr a = {params->weight_decay, params->own_rate, {0}};
    ctr_tensor *in[6];
    unsigned n = 3 + moments;
    for (unsigned i = 0; i < n; i++)
        in[i] = ctr_graph_store_part(g, part[i]);
    in[n] = scalars;
    if (scalars && (scalars->dtype != CTR_F32 || (scalars->count != 2 && scalars->count != 3)))
        ctr_graph_fail(g, CTR_E_USAGE, "%s: '%s' is not {rate, step} or {rate, step, factor}",
                       op->name, scalars->name);
    memcpy(a.option, params->option, sizeof a.option);
    ctr_node_add(g, op, &a, sizeof a, n + 1, in, 0);
    return ctr_graph_status(g);
}
