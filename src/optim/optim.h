/* optim.h -- updating the parameters: one launch over the store's flat buffers, and the learning
 * rate's way through a run.
 *
 * An optimiser is one file (NAME.c, cl/optim/NAME.cl) ending in a const description, and one line in
 * optim.c. It works on the flat buffers (graph.h, enum ctr_store_part): values, gradients and moments
 * share one layout; CTR_STORE_BLOCKS tells which entry a block of 256 values belongs to, whether it
 * is free of weight decay and whether it has a learning rate of its own. Padding between entries is zero and must stay zero. */
#ifndef CTR_OPTIM_OPTIM_H
#define CTR_OPTIM_OPTIM_H

#include "base/option.h"
#include "graph/graph.h"

struct ctr_optim_params {
    float weight_decay; /* spares entries marked CTR_PARAM_NO_DECAY */
    float own_rate;     /* times the learning rate, for entries marked CTR_PARAM_OWN_RATE; 0: they stay */
    const double *option; /* in the order of the optimiser's table */
};

struct ctr_optim {
    const char *name, *text, *source;
    const struct ctr_option *options; /* ends with a row without a name */
    unsigned moments;                 /* flat buffers it keeps: 0, 1 or 2 */
    /* Records the update, after the gradients. scalars: f32[2] = {learning rate, number of this step
     * from 1}, read on the device, or the three of ctr_loss_scale_settle. */
    int (*record)(ctr_graph *g, ctr_tensor *scalars, const struct ctr_optim_params *params);
};
/* Ends with NULL. */
extern const struct ctr_optim *const ctr_optims[];
const struct ctr_optim *ctr_optim_find(const char *name);

/* Loss scaling, for gradients stored as fp16: the loss's gradient is multiplied by a power of two and
 * so is every other; the optimiser divides. The scale halves when a parameter's gradient is not
 * finite, and that step changes nothing; it doubles after CTR_LOSS_SCALE_STEPS good steps in a row.
 * All of it on the device, and in the store, so that a resumed run goes on with it. Micikevicius et
 * al., arXiv:1710.03740, section 3.2; numbers as torch.amp.GradScaler's.
 *
 *     scale = ctr_loss_scale(g);            after all parameters
 *     ctr_graph_backward(g, loss, ctr_loss_scale_seed(g, scale, loss));
 *     optim->record(g, ctr_loss_scale_settle(g, scale, scalars), ...); */
#define CTR_LOSS_SCALE_FIRST 65536
#define CTR_LOSS_SCALE_STEPS 2000
/* The store's state "optimizer.loss_scale": {doublings less halvings, good steps, steps left out}. */
ctr_tensor *ctr_loss_scale(ctr_graph *g);
ctr_tensor *ctr_loss_scale_seed(ctr_graph *g, ctr_tensor *scale, const ctr_tensor *loss);
/* {rate, number of this step among those that were not left out, 1 / scale or 0: leave this one out}.
 */
ctr_tensor *ctr_loss_scale_settle(ctr_graph *g, ctr_tensor *scale, ctr_tensor *scalars);

/* Records, after the update, shadow += (1 - momentum) (values - shadow) for all parameters
 * (ctr_graph_shadow). With `steps`, those of the whole run, 1 - momentum falls to zero along half a
 * cosine (BYOL, arXiv:2006.07733); 0: it stays. step: u32[4] of data/batch.h. */
int ctr_ema(ctr_graph *g, ctr_tensor *step, double momentum, uint64_t steps);

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
