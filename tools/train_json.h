/* train_json.h -- `clcontrast train --json`: an object a line on standard output. */
#ifndef CTR_TOOLS_TRAIN_JSON_H
#define CTR_TOOLS_TRAIN_JSON_H

#include "opt_train.h"

/* "type":"epoch": what stands in the epoch's line, and more. */
void train_json_epoch(const struct ctr_train_progress *p);
/* "type":"end": the run is over, or stopped; the summary of what is in its directory. */
void train_json_end(ctr_trainer *t, const struct train_command *c, const char *verdict,
                    double seconds);
/* "type":"plan": instead of the lines of --dry-run. */
void train_json_plan(ctr_trainer *t, const struct train_command *c);

#endif
