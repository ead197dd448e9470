/* search.h -- exact nearest neighbours among vectors: see clcontrast/search.h. */
#ifndef CTR_EVAL_SEARCH_H
#define CTR_EVAL_SEARCH_H

#include "clcontrast/search.h"

extern const char *const ctr_metric_names[CTR_METRICS]; /* "cosine", ... */

#endif
