/* dry_run.h -- what a run would be: `clcontrast train --dry-run`. Nothing is written. */
#ifndef CTR_TOOLS_DRY_RUN_H
#define CTR_TOOLS_DRY_RUN_H

#include "opt_train.h"

/* First: whether the run could begin in --out, or be resumed; the failure that it would have there. Of a
 * run that goes on params->init becomes NULL: it has begun. */
int dry_run_check(struct ctr_train_params *params, const struct train_command *c);
/* Prints to standard output what a trainer made without a run directory has settled on, and what its
 * step takes. */
int dry_run_print(ctr_trainer *trainer, const struct train_command *c);

#endif
