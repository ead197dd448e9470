/* image.h -- one encoded image in memory to RGB bytes, and to the wanted square.
 * The content decides the type, never a name. Untrusted input: limits are checked from the header
 * before anything is allocated for pixels. */
#ifndef CTR_DATA_IMAGE_H
#define CTR_DATA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#define CTR_IMAGE_MAX_SIDE   16384u
#define CTR_IMAGE_MAX_PIXELS (64u << 20)
#define CTR_IMAGE_MAX_FILE   ((size_t)256 << 20)

struct ctr_image {
    uint8_t *rgb; /* [height][width][3] */
    unsigned width, height;
};

/* JPEG (also CMYK), PNG, BMP of 24 or 32 bits, binary PPM and PGM. `want`: the shorter side needed,
 * 0 for the full size; a JPEG much larger than that is decoded at 1/2, 1/4 or 1/8.
 * CTR_E_DATA with the reason, CTR_E_FAIL when memory runs out. */
int ctr_image_decode(struct ctr_image *out, const void *bytes, size_t n, unsigned want);
/* Width and height from the header alone. */
int ctr_image_size(unsigned *width, unsigned *height, const void *bytes, size_t n);
void ctr_image_free(struct ctr_image *image);

/* Shorter side to `size` (PIL's antialiased bilinear filter; torchvision's rounding of the longer
 * side), then the centre size x size into dst[size][size][3]. Exact copy where no scaling is due.
 */
int ctr_image_fit(uint8_t *dst, const struct ctr_image *image, unsigned size);

/* ---- for the decoders and their tests ---- */

/* Records CTR_E_DATA for a size over the limits or empty. */
int ctr_image_check_size(unsigned long long width, unsigned long long height);
/* Fills width, height and allocates rgb. */
int ctr_image_alloc(struct ctr_image *image, unsigned width, unsigned height);
int ctr_image_decode_jpeg(struct ctr_image *out, const void *bytes, size_t n, unsigned want);
int ctr_image_decode_png(struct ctr_image *out, const void *bytes, size_t n);
/* JPEG and PNG by stb_image: the fallback where libjpeg or libpng was not there at build time. */
int ctr_image_decode_stb(struct ctr_image *out, const void *bytes, size_t n);
int ctr_image_size_stb(unsigned *width, unsigned *height, const void *bytes, size_t n);

#endif
