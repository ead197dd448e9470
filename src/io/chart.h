/* chart.h -- line charts: panels one below the other over a common x, each with lines, grid and
 * key. */
#ifndef CTR_IO_CHART_H
#define CTR_IO_CHART_H

#include "base/str.h"

struct ctr_chart_line {
    const char *name; /* NULL: not in the key */
    const double *x, *y; /* [n], x rising; points with a NaN are left out */
    size_t n, colour;    /* see ctr_svg_colour */
    int marked;          /* each point has a dot, the line is bold; else fine */
};
struct ctr_chart_panel {
    const char *title; /* what y is, with its unit */
    const struct ctr_chart_line *line;
    size_t n;
};
struct ctr_chart {
    const char *title, *x_label;
    const struct ctr_chart_panel *panel;
    size_t n;
};

#define CTR_CHART_POINTS                                                                           \
    240 /* of a line that is not marked: more are averaged, as many at a time */

/* Appends a self-contained SVG. Panels without a point are drawn empty. */
void ctr_chart_svg(struct ctr_str *out, const struct ctr_chart *chart);

#endif
