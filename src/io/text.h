/* text.h -- letters in pictures: a fixed font of 5x7 pixels, printable ASCII without a difference
 * between small and capital letters; what it lacks is drawn as a box. */
#ifndef CTR_IO_TEXT_H
#define CTR_IO_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define CTR_TEXT_WIDTH  6 /* pixels from one letter to the next */
#define CTR_TEXT_HEIGHT 7

/* An RGB picture in memory, rows top to bottom. */
struct ctr_canvas {
    uint8_t *pixels; /* [height][width][3] */
    unsigned width, height;
};
/* What lies outside is cut off. */
void ctr_canvas_fill(struct ctr_canvas *c, long x, long y, long width, long height,
                     const uint8_t rgb[3]);
/* Its upper left corner at (x, y); `upright` goes from there upwards, turned by a quarter. */
void ctr_canvas_text(struct ctr_canvas *c, long x, long y, const char *text, int upright,
                     const uint8_t rgb[3]);

#endif
