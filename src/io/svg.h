/* svg.h -- what drawings as SVG have in common: a self-contained file, colours, escaped text. */
#ifndef CTR_IO_SVG_H
#define CTR_IO_SVG_H

#include "base/str.h"

/* Up to a white background; `style` are further rules of CSS. Ends with "</svg>\n" by the caller.
 */
void ctr_svg_begin(struct ctr_str *out, int width, int height, const char *style);
/* Text of unknown origin: what XML gives a meaning is escaped, what it forbids is a question mark.
 */
void ctr_svg_text(struct ctr_str *out, const char *text);
/* The i-th of colours that differ, dark enough to be read on white; again from the first. */
const char *ctr_svg_colour(size_t i);

#endif
