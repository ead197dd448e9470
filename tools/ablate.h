/* ablate.h -- an ablation: operations, a run for each and for each pair of them (cmd_ablate.c), and
 * how their results are shown (ablate_show.c). */
#ifndef CTR_TOOLS_ABLATE_H
#define CTR_TOOLS_ABLATE_H

#include "ablate_table.h"
#include "base/outfile.h"
#include "opt_train.h"

#define ABLATE_OPS 16

struct ablate_op {
    const char *name;
    struct ctr_pipeline pipeline;
};

struct ablation {
    struct train_command *c;
    struct ctr_train_params params;
    struct ablate_op op[ABLATE_OPS];
    size_t n_ops;
    /* The untrained encoder, then cells; those with the same line have one row. */
    struct ablate_table table;
    struct ctr_outfile lock;           /* one process at a time goes on with the table */
    size_t at[ABLATE_OPS][ABLATE_OPS]; /* the row of each cell: first and second operation */
    size_t total, done, n_skipped;
    /* this call */
    size_t fresh;
    double started, spent_s, loss; /* of the row under way; of all fresh ones; the last seen */
    const struct ablate_row *now;
};

/* The picture into the file that --out names. */
int ablate_draw(const struct ablation *a);
/* The same to standard output, in letters or as a JSON object. */
void ablate_print(const struct ablation *a);
int ablate_print_json(const struct ablation *a);

#endif
