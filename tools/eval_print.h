/* eval_print.h -- what `clcontrast eval` prints of one run or of several. */
#ifndef CTR_TOOLS_EVAL_PRINT_H
#define CTR_TOOLS_EVAL_PRINT_H

#include "train/evaluate.h"

/* What was evaluated, and a row for each protocol. */
void eval_print_table(const struct ctr_evaluation *e, const struct ctr_evaluate_params *params);
/* The same rows, of n runs: means and deviations. */
void eval_print_mean(const struct ctr_evaluation *e, const struct ctr_score_params *p, size_t n);
/* The protocols, a sentence each. of_runs: what was chosen is told for the first of several runs. */
void eval_print_words(const struct ctr_evaluation *e, const struct ctr_score_params *p, int of_runs);
/* One object. Of one run: its values. Of several: {"runs":[those objects],"mean":{scores with deviations}}. */
int eval_print_json(const struct ctr_evaluation *e, const char *const *runs,
                    const struct ctr_score_params *p, size_t n);

#endif
