/* ablate_table.h -- the results of an ablation, kept in a text file: comments with the options that shape
 * them, a line of column names, then a line for each run, parted by tabs:
 *
 *     # epochs = 10
 *     name<TAB>transformed view<TAB>loss<TAB>knn10<TAB>linear
 *     crop+color<TAB>crop(...) jitter(...)<TAB>3.941222<TAB>0.464700<TAB>0.471200
 *
 * Shares of the test images; `-` is no number. A run is told by the line of what is done to the view. */
#ifndef CTR_TOOLS_ABLATE_TABLE_H
#define CTR_TOOLS_ABLATE_TABLE_H

#include "base/mem.h"
#include "data/pipeline.h"
#include "opt.h"

struct ablate_row {
    const char *name, *line;
    const struct ctr_pipeline *pipeline; /* what the line says; NULL: nothing is trained */
    int done;
    double loss, knn, probe; /* NaN: none */
};

/* Zero-initialise; `path` is borrowed. */
struct ablate_table {
    const char *path;
    struct ablate_row *row;
    size_t n, cap;
    struct ctr_str head;
    struct ctr_arena mem; /* texts of rows may live here */
};

/* The row of `line` to *at, or 0: there is none. */
int ablate_table_find(size_t *at, const struct ablate_table *table, const char *line);
int ablate_table_add(struct ablate_table *table, struct ablate_row row);
/* Takes the options that shape results out of the set, once it is parsed. */
int ablate_table_options(struct ablate_table *table, const struct opt_set *set);
/* Results of earlier calls into the rows, and behind them what belongs to none; no file: none.
 * CTR_E_USAGE when it was made with other options, or holds what is no row. */
int ablate_table_read(struct ablate_table *table);
/* Every row that is done, atomically. */
int ablate_table_write(const struct ablate_table *table);
void ablate_table_finish(struct ablate_table *table);

#endif
