/* png.h -- pictures out: 8-bit grey or RGB, rows top to bottom, interleaved. */
#ifndef CTR_IO_PNG_H
#define CTR_IO_PNG_H

#include <stddef.h>
#include <stdint.h>

/* A whole PNG file into a new buffer, freed with free(). `channels` is 1 (grey) or 3 (RGB);
 * `stride_bytes` is from row to row, 0 for rows without gaps. CTR_E_USAGE for sizes out of range.
 */
int ctr_png_encode(void **out, size_t *bytes, const uint8_t *pixels, unsigned width,
                   unsigned height, unsigned channels, size_t stride_bytes);
/* The same into a file, atomically. */
int ctr_png_write(const char *path, const uint8_t *pixels, unsigned width, unsigned height,
                  unsigned channels, size_t stride_bytes);

#endif
