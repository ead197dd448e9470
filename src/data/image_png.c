/* image_png.c -- PNG by libpng (usage after libpng-manual.txt, "low level read").
 * In: bytes. Out: the file's channels of 8 or 16 bits; palettes and fewer bits expanded, no gamma.
 * Invariants: libpng never aborts or prints; a wrong checksum in the pixels is an error. */
#include "data/image.h"
#include "base/status.h"

#ifdef CTR_HAVE_PNG

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#define MAX_CHUNK_BYTES (8u << 20)
#define MAX_CHUNKS      128

struct png {
    png_structp d;
    png_infop info;
    jmp_buf back;
    const uint8_t *bytes;
    size_t n, at;
    struct ctr_image image;
    png_bytep *rows;
    int rc;
};

static void on_error(png_structp d, png_const_charp text)
{
    struct png *p = png_get_error_ptr(d);
    /* also for lack of memory: libpng says so when a file asks for more than the limits */
    p->rc = ctr_fail(CTR_E_DATA, "PNG: %s", text);
    longjmp(p->back, 1);
}

static void on_warning(png_structp d, png_const_charp text)
{
    (void)d;
    (void)text;
}

static void on_read(png_structp d, png_bytep dst, size_t n)
{
    struct png *p = png_get_io_ptr(d);
    if (n > p->n - p->at)
        png_error(d, "truncated");
    memcpy(dst, p->bytes + p->at, n);
    p->at += n;
}

static void expand(struct png *p)
{
    png_set_expand(p->d);
    if (png_get_bit_depth(p->d, p->info) == 16 && *(const uint8_t *)&(const uint16_t){1})
        png_set_swap(p->d);
    (void)png_set_interlace_handling(p->d);
    png_read_update_info(p->d, p->info);
}

static struct ctr_pixel pixel(const struct png *p)
{
    return (struct ctr_pixel){.channels = png_get_channels(p->d, p->info),
                              .bytes = png_get_bit_depth(p->d, p->info) / 8u,
                              .alpha = png_get_color_type(p->d, p->info) & PNG_COLOR_MASK_ALPHA};
}

static void decode(struct png *p)
{
    p->d = png_create_read_struct(PNG_LIBPNG_VER_STRING, p, on_error, on_warning);
    p->info = p->d ? png_create_info_struct(p->d) : NULL;
    if (!p->info) {
        p->rc = ctr_fail(CTR_E_FAIL, "out of host memory");
        return;
    }
    png_set_read_fn(p->d, p, on_read);
    png_set_user_limits(p->d, CTR_IMAGE_MAX_SIDE, CTR_IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(p->d, MAX_CHUNK_BYTES);
    png_set_chunk_cache_max(p->d, MAX_CHUNKS);
    png_read_info(p->d, p->info);
    unsigned width = png_get_image_width(p->d, p->info);
    unsigned height = png_get_image_height(p->d, p->info);
    p->rc = ctr_image_check_size(width, height);
    if (p->rc != 0)
        return;
    expand(p);
    p->rc = ctr_image_alloc(&p->image, width, height, pixel(p));
    if (p->rc == 0 && !(p->rows = malloc(height * sizeof *p->rows)))
        p->rc = ctr_fail(CTR_E_FAIL, "out of host memory");
    if (p->rc != 0)
        return;
    for (size_t y = 0; y < height; y++)
        p->rows[y] = p->image.pixels + y * png_get_rowbytes(p->d, p->info);
    png_read_image(p->d, p->rows);
}

int ctr_image_decode_png(struct ctr_image *out, const void *bytes, size_t n)
{
    struct png *p = calloc(1, sizeof *p); /* on the heap: its fields must survive longjmp */
    if (!p)
        return ctr_fail(CTR_E_FAIL, "out of host memory");
    p->bytes = bytes;
    p->n = n;
    if (setjmp(p->back) == 0)
        decode(p);
    png_destroy_read_struct(&p->d, &p->info, NULL);
    free(p->rows);
    int rc = p->rc;
    if (rc == 0)
        *out = p->image;
    else
        ctr_image_free(&p->image);
    free(p);
    return rc;
}

#endif
