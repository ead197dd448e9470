/* heatmap.h -- a table of numbers as a picture: coloured cells with names, numbers where they fit, a
 * title above, a caption below and the scale of colours at the right. */
#ifndef CTR_IO_HEATMAP_H
#define CTR_IO_HEATMAP_H

#include <stddef.h>

#include "io/text.h"

struct ctr_heatmap {
    const double *value; /* [rows][columns]; not finite: no value, grey */
    size_t rows, columns;
    /* Cut to 16 letters, and shown up to 100 rows or columns. NULL: "". */
    const char *const *row_name, *const *column_name;
    size_t apart;        /* a gap before this column; 0: none */
    /* White is `middle`, blue above it, red below, as dark as it is far from it; the scale goes from
     * `low` to `high`. */
    double low, middle, high;
    int digits; /* of the numbers in cells, behind the point */
    const char *title, *caption;
};
/* Its pixels are freed with free(). */
int ctr_heatmap_draw(struct ctr_canvas *out, const struct ctr_heatmap *map);
/* The same as PNG, written atomically. */
int ctr_heatmap_png(const char *path, const struct ctr_heatmap *map);

#endif
