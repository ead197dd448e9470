/* optim.h -- updating the parameters: one launch over the store's flat buffers, and the learning
 * rate's way through a run.
 *
 * An optimiser is one file (NAME.c, cl/optim/NAME.cl) ending in a const description, and one line in
 * optim.c. It works on the flat buffers (graph.h, enum ctr_store_part): values, gradients and moments
 * share one layout; CTR_STORE_BLOCKS tells which entry a block of 256 values belongs to and whether it
 * is free of weight decay. Padding between entries is zero and must stay zero. */
#ifndef CTR_OPTIM_OPTIM_H
#define CTR_OPTIM_OPTIM_H

#include "base/option.h"
#include "graph/graph.h"

struct ctr_optim {
    const char *name, *text, *source;
    const struct ctr_option *options; /* ends with a row without a name */
    unsigned moments;                 /* flat buffers it keeps: 0, 1 or 2 */
    /* Records the update, after the gradients. scalars: f32[2] = {learning rate, number of this step
     * from 1}, read on the device. weight_decay spares entries marked CTR_PARAM_NO_DECAY. */
    int (*record)(ctr_graph *g, ctr_tensor *scalars, float weight_decay, const double *option);
};
/* Ends with NULL. */
extern const struct ctr_optim *const ctr_optims[];
const struct ctr_optim *ctr_optim_find(const char *name);

enum ctr_schedule_kind { CTR_SCHEDULE_COSINE, CTR_SCHEDULE_CONSTANT, CTR_SCHEDULE_STEP };
/* Linear warm-up from base / warmup over `warmup` steps, then from base down to base * final_fraction
 * at step `total` (cosine: Loshchilov and Hutter, arXiv:1608.03983), constant, or times 0.1 at 60 %
 * and 80 % of total (step). */
struct ctr_schedule {
    enum ctr_schedule_kind kind;
    double base, final_fraction;
    uint64_t warmup, total; /* steps */
};
/* The rate of step number `step`, from 0. */
double ctr_schedule_rate(const struct ctr_schedule *schedule, uint64_t step);

#endif
