/* embed_data.h -- a data set through a model, as a person sees it: what commands that embed share. */
#ifndef CTR_TOOLS_EMBED_DATA_H
#define CTR_TOOLS_EMBED_DATA_H

#include "clcontrast/model.h"

/* ctr_model_embed with a line of progress, rate and what is left; ends early, with CTR_E_FAIL, once a
 * signal was caught (interrupt.h). */
int embed_data(struct ctr_embedding *out, ctr_model *model, struct ctr_data *data, int unit);
/* Lists the first files that were skipped, and counts all. 0, or CTR_E_PARTIAL recorded. */
int embed_skipped(struct ctr_data *data);

#endif
