/* image.h -- one encoded image in memory to pixels, to the wanted channels and the wanted square.
 * The content decides the type, never a name. Untrusted input: limits are checked from the header
 * before anything is allocated for pixels. */
#ifndef CTR_DATA_IMAGE_H
#define CTR_DATA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#define CTR_CHANNELS_MAX     16u
#define CTR_IMAGE_MAX_SIDE   16384u
#define CTR_IMAGE_MAX_PIXELS (64u << 20)
#define CTR_IMAGE_MAX_FILE   ((size_t)256 << 20)
#define CTR_IMAGE_MAX_BYTES  ((size_t)512 << 20) /* of pixels */

/* What the values of a pixel are. One channel is grey, three are RGB. */
struct ctr_pixel {
    unsigned channels, bytes; /* at most CTR_CHANNELS_MAX; 1 or 2 of each value: full scale is 255 or
                                 65535, in the host's order */
    int alpha;                /* the last channel is opacity */
};
struct ctr_image {
    uint8_t *pixels; /* [height][width][channels] */
    unsigned width, height;
    struct ctr_pixel pixel;
};

/* JPEG (also CMYK), PNG, TIFF (image_tiff.c), BMP of 24 or 32 bits, binary PPM and PGM, with the channels that the file
 * has (palettes and CMYK become RGB); of TIFF the first page. `want`: the size that ctr_image_fit will make of it, 0 for
 * all that there is. With one a JPEG much larger is decoded at 1/2, 1/4 or 1/8, and columns that ctr_image_fit does not
 * look at may be left zero.
 * CTR_E_DATA with the reason, CTR_E_FAIL when memory runs out. */
int ctr_image_decode(struct ctr_image *out, const void *bytes, size_t n, unsigned want);
/* Size and pixels' kind from the header alone; `pixels` is NULL. */
int ctr_image_header(struct ctr_image *out, const void *bytes, size_t n);
void ctr_image_free(struct ctr_image *image);

/* The channels of a data set of such images: RGB for grey and coloured ones, with opacity or not;
 * their own for others. */
unsigned ctr_pixel_usual(struct ctr_pixel pixel);
/* Whether it is clear what an image of these pixels is with so many channels: the same, opacity
 * dropped, grey as RGB, or RGB as grey. */
int ctr_pixel_converts(struct ctr_pixel from, unsigned channels);
/* Makes it so, with values of so many bytes. CTR_E_DATA where it is not clear. */
int ctr_image_convert(struct ctr_image *image, unsigned channels, unsigned bytes);

/* A file as one image of a data set: decoded, fitted to `size` and converted. CTR_E_IO, CTR_E_DATA name
 * the file. */
int ctr_image_read(struct ctr_image *out, const char *path, unsigned size, unsigned channels,
                   unsigned bytes);

/* Shorter side to `size` (PIL's antialiased bilinear filter; torchvision's rounding of the longer
 * side), then the centre size x size. Pixels stay exactly where no scaling is due. */
int ctr_image_fit(struct ctr_image *image, unsigned size);
/* The columns that it looks at: [*first, *end). */
void ctr_image_fit_columns(unsigned *first, unsigned *end, unsigned width, unsigned height,
                           unsigned size);

/* ---- for the decoders and their tests ---- */

/* Records CTR_E_DATA for a size over the limits or empty. */
int ctr_image_check_size(unsigned long long width, unsigned long long height);
/* Fills all members and allocates pixels. CTR_E_DATA for more than CTR_IMAGE_MAX_BYTES. */
int ctr_image_alloc(struct ctr_image *image, unsigned width, unsigned height, struct ctr_pixel pixel);
static inline size_t ctr_image_bytes(const struct ctr_image *image)
{
    return (size_t)image->width * image->height * image->pixel.channels * image->pixel.bytes;
}
int ctr_image_decode_jpeg(struct ctr_image *out, const void *bytes, size_t n, unsigned want);
int ctr_image_decode_png(struct ctr_image *out, const void *bytes, size_t n);
int ctr_image_decode_tiff(struct ctr_image *out, const void *bytes, size_t n);
int ctr_image_header_tiff(struct ctr_image *out, const void *bytes, size_t n);
/* JPEG and PNG by stb_image: the fallback where libjpeg or libpng was not there at build time. */
int ctr_image_decode_stb(struct ctr_image *out, const void *bytes, size_t n);

#endif
