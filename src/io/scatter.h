/* scatter.h -- points on a plane as a drawing: coloured and shaped by class, with a key. */
#ifndef CTR_IO_SCATTER_H
#define CTR_IO_SCATTER_H

#include <stdint.h>

#include "base/str.h"

struct ctr_scatter {
    const char *title, *caption; /* above, below */
    const char *x_label, *y_label; /* NULL: the axes mean nothing */
    const float *xy; /* [n][2]; finite */
    const int32_t *class; /* [n], -1: none; NULL: there are no classes */
    const char *const *class_name;
    unsigned n_classes;
    const char *const *name; /* [n], shown where a point is pointed at; or NULL */
    size_t n;
};

/* Appends a self-contained SVG. x and y have one scale; y goes up. */
void ctr_scatter_svg(struct ctr_str *out, const struct ctr_scatter *scatter);

/* Where points stand in a rectangle of width 1, from its upper left corner, with air around them; the same for all
 * drawings of the same points. */
struct ctr_scatter_frame {
    double left, top, scale, height; /* height: 0.5 to 1 */
};
struct ctr_scatter_frame ctr_scatter_fit(const float *xy, size_t n);
static inline void ctr_scatter_place(double at[2], const struct ctr_scatter_frame *f, const float xy[2])
{
    at[0] = (xy[0] - f->left) * f->scale;
    at[1] = (f->top - xy[1]) * f->scale;
}

#endif
