/* plot.h -- the metrics of runs as a chart. */
#ifndef CTR_TOOLS_PLOT_H
#define CTR_TOOLS_PLOT_H

#include "opt.h"

struct plot_wish {
    const char *const *key; /* [n] of metrics.jsonl, a panel each */
    size_t n;
    int all; /* one that no run has is a failure; else it is left out */
};
/* Appends an SVG of the directories runs[n]. CTR_E_MODEL, CTR_E_DATA where one has no metrics. */
int plot_svg(struct ctr_str *out, const char *const *runs, size_t n, const struct plot_wish *wish);

#endif
