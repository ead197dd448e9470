/* columns.h -- a file of JSON lines as columns of numbers, to be drawn or summed up. */
#ifndef CTR_IO_COLUMNS_H
#define CTR_IO_COLUMNS_H

#include <stddef.h>

struct ctr_column {
    char *key;
    double *value; /* [rows]; NaN where the line has no such number */
};
/* Zero-initialise. */
struct ctr_columns {
    size_t rows, n;
    struct ctr_column *column;
    size_t rows_cap, n_cap;
};

/* Every number of every line; null and what is no number count as absent. The last line may be
 * incomplete, as of a run under way. CTR_E_IO, CTR_E_DATA "FILE:LINE: ..." with *out empty. */
int ctr_columns_read(struct ctr_columns *out, const char *path);
/* The column of that name, or NULL. */
const double *ctr_columns_find(const struct ctr_columns *columns, const char *key);
void ctr_columns_free(struct ctr_columns *columns);

#endif
