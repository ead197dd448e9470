/* image_tiff.c -- TIFF by libtiff (4.5, for limits and messages of its own for each file).
 * In: bytes. Out: the first page's channels of 8 or 16 bits, unsigned; strips or tiles, channels
 * together or in planes, any compression that libtiff was built with.
 * Invariants: libtiff never prints and never asks for more memory at once than an image may have;
 * sizes are checked before pixels are allocated; a block that is missing or short is an error. */
#include "data/image.h"
#include "base/mem.h"
#include "base/status.h"

#ifndef CTR_HAVE_TIFF

static int without(void)
{
    return ctr_fail(CTR_E_DATA, "TIFF image; this program was built without libtiff 4.5 or later");
}

int ctr_image_header_tiff(struct ctr_image *out, const void *bytes, size_t n)
{
    return without();
}

int ctr_image_decode_tiff(struct ctr_image *out, const void *bytes, size_t n)
{
    return without();
}

#else

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tiffio.h>

#define MAX_TILE ((size_t)16 << 20) /* bytes, or those of the image if they are more */

struct tiff {
    TIFF *d;
    const uint8_t *bytes;
    size_t n, at;
    struct ctr_image image;
    int inverted; /* 0 is white */
    int planes;   /* 1: a block holds all channels */
    size_t block_width, block_height, block_bytes;
    char text[256]; /* the first failure */
};

/* ---- what libtiff calls ---- */

static int on_error(TIFF *d, void *user, const char *module, const char *fmt, va_list ap)
{
    struct tiff *t = user;
    (void)d;
    (void)module;
    if (!t->text[0])
        vsnprintf(t->text, sizeof t->text, fmt, ap);
    return 1;
}

static int on_warning(TIFF *d, void *user, const char *module, const char *fmt, va_list ap)
{
    (void)d;
    (void)user;
    (void)module;
    (void)fmt;
    (void)ap;
    return 1;
}

static tmsize_t on_read(thandle_t user, void *dst, tmsize_t n)
{
    struct tiff *t = user;
    size_t left = t->at < t->n ? t->n - t->at : 0, take = (size_t)n < left ? (size_t)n : left;
    memcpy(dst, t->bytes + t->n - left, take);
    t->at += take;
    return (tmsize_t)take;
}

static tmsize_t on_write(thandle_t user, void *src, tmsize_t n)
{
    (void)user;
    (void)src;
    (void)n;
    return 0;
}

static toff_t on_seek(thandle_t user, toff_t to, int whence)
{
    struct tiff *t = user;
    t->at = (size_t)(whence == SEEK_SET ? to : whence == SEEK_CUR ? t->at + to : t->n + to);
    return t->at;
}

static int on_close(thandle_t user)
{
    (void)user;
    return 0;
}

static toff_t on_size(thandle_t user)
{
    return ((struct tiff *)user)->n;
}

/* ---- header ---- */

/* The failure that libtiff told of, or this one. */
static int bad(const struct tiff *t, const char *text)
{
    return ctr_fail(CTR_E_DATA, "TIFF: %s", t->text[0] ? t->text : text);
}

static int open_file(struct tiff *t, const void *bytes, size_t n)
{
    *t = (struct tiff){.bytes = bytes, .n = n};
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options)
        return ctr_fail(CTR_E_FAIL, "out of host memory");
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, (tmsize_t)CTR_IMAGE_MAX_BYTES);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, t);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, t);
    t->d = TIFFClientOpenExt("image", "rm", t, on_read, on_write, on_seek, on_close, on_size, NULL,
                             NULL, options);
    TIFFOpenOptionsFree(options);
    return t->d ? 0 : bad(t, "cannot read the header");
}

/* Kinds of values that are read: how many of the channels are colours does not matter. */
static int check_kind(struct tiff *t)
{
    uint16_t bits = 0, format = 0, channels = 0, colours = 0, planes = 0, compression = 0, extras = 0;
    uint16_t *extra = NULL;
    TIFFGetFieldDefaulted(t->d, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(t->d, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetFieldDefaulted(t->d, TIFFTAG_SAMPLESPERPIXEL, &channels);
    TIFFGetFieldDefaulted(t->d, TIFFTAG_PLANARCONFIG, &planes);
    TIFFGetFieldDefaulted(t->d, TIFFTAG_COMPRESSION, &compression);
    TIFFGetFieldDefaulted(t->d, TIFFTAG_EXTRASAMPLES, &extras, &extra);
    if (!TIFFGetField(t->d, TIFFTAG_PHOTOMETRIC, &colours))
        return bad(t, "it does not say what its values mean");
    if ((bits != 8 && bits != 16) || format != SAMPLEFORMAT_UINT)
        return ctr_fail(CTR_E_DATA, "TIFF of %u-bit %s values, not supported (8 or 16 bits, unsigned)",
                        bits, format == SAMPLEFORMAT_IEEEFP ? "floating" : format == SAMPLEFORMAT_INT ? "signed" : "unsigned");
    if (channels < 1 || channels > CTR_CHANNELS_MAX)
        return ctr_fail(CTR_E_DATA, "TIFF of %u channels, not supported (1 to %u)", channels,
                        CTR_CHANNELS_MAX);
    int jpeg = colours == PHOTOMETRIC_YCBCR && compression == COMPRESSION_JPEG;
    if (jpeg)
        TIFFSetField(t->d, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    if (!jpeg && colours != PHOTOMETRIC_MINISBLACK && colours != PHOTOMETRIC_MINISWHITE &&
        colours != PHOTOMETRIC_RGB)
        return ctr_fail(CTR_E_DATA, "TIFF whose values are no grey, RGB or plain channels (photometric "
                                    "interpretation %u), not supported",
                        colours);
    t->inverted = colours == PHOTOMETRIC_MINISWHITE;
    t->planes = planes == PLANARCONFIG_SEPARATE ? channels : 1;
    t->image.pixel = (struct ctr_pixel){.channels = channels, .bytes = bits / 8u};
    t->image.pixel.alpha = extras > 0 && (extra[extras - 1] == EXTRASAMPLE_ASSOCALPHA ||
                                          extra[extras - 1] == EXTRASAMPLE_UNASSALPHA);
    return 0;
}

static int check_size(struct tiff *t)
{
    uint32_t width = 0, height = 0, block_width = 0, block_height = 0;
    TIFFGetField(t->d, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(t->d, TIFFTAG_IMAGELENGTH, &height);
    int rc = ctr_image_check_size(width, height);
    if (rc != 0)
        return rc;
    t->image.width = width;
    t->image.height = height;
    if (TIFFIsTiled(t->d)) {
        TIFFGetField(t->d, TIFFTAG_TILEWIDTH, &block_width);
        TIFFGetField(t->d, TIFFTAG_TILELENGTH, &block_height);
    } else {
        block_width = width;
        TIFFGetFieldDefaulted(t->d, TIFFTAG_ROWSPERSTRIP, &block_height);
        block_height = block_height < height ? block_height : height;
    }
    size_t values = t->planes == 1 ? t->image.pixel.channels : 1, most = ctr_image_bytes(&t->image);
    most = most > MAX_TILE ? most : MAX_TILE;
    if (block_width == 0 || block_height == 0 ||
        block_width > most / block_height / values / t->image.pixel.bytes)
        return bad(t, "blocks of a size that cannot be");
    t->block_width = block_width;
    t->block_height = block_height;
    t->block_bytes = (size_t)block_width * block_height * values * t->image.pixel.bytes;
    return 0;
}

static int open_image(struct tiff *t, const void *bytes, size_t n)
{
    int rc = open_file(t, bytes, n);
    if (rc == 0)
        rc = check_kind(t);
    return rc == 0 ? check_size(t) : rc;
}

int ctr_image_header_tiff(struct ctr_image *out, const void *bytes, size_t n)
{
    struct tiff t;
    int rc = open_image(&t, bytes, n);
    if (rc == 0)
        *out = t.image;
    if (t.d)
        TIFFClose(t.d);
    return rc;
}

/* ---- pixels ---- */

/* A block of a plane, which holds `values` of each pixel, to its place. */
static void place(struct tiff *t, const uint8_t *block, size_t x0, size_t y0, size_t plane,
                  size_t columns, size_t rows)
{
    const size_t bytes = t->image.pixel.bytes, pixel = t->image.pixel.channels * bytes;
    const size_t values = t->planes == 1 ? pixel : bytes;
    for (size_t y = 0; y < rows; y++) {
        const uint8_t *from = block + y * t->block_width * values;
        uint8_t *to = t->image.pixels + ((y0 + y) * t->image.width + x0) * pixel + plane * bytes;
        for (size_t x = 0; x < columns; x++, from += values, to += pixel)
            memcpy(to, from, values);
    }
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int read_block(struct tiff *t, uint8_t *block, size_t x, size_t y, size_t plane)
{
    const size_t rows = least(t->block_height, t->image.height - y);
    const size_t row_bytes = t->block_bytes / t->block_height;
    tmsize_t got;
    if (TIFFIsTiled(t->d))
        got = TIFFReadEncodedTile(
            t->d, TIFFComputeTile(t->d, (uint32_t)x, (uint32_t)y, 0, (uint16_t)plane), block,
            (tmsize_t)t->block_bytes);
    else
        got = TIFFReadEncodedStrip(t->d, TIFFComputeStrip(t->d, (uint32_t)y, (uint16_t)plane), block,
                                   (tmsize_t)(rows * row_bytes));
    if (got < 0 || (size_t)got < rows * row_bytes)
        return bad(t, "truncated");
    place(t, block, x, y, plane, least(t->block_width, t->image.width - x), rows);
    return 0;
}

static int read_pixels(struct tiff *t)
{
    uint8_t *block = NULL;
    int rc = 0;
    CTR_TRY(ctr_image_alloc(&t->image, t->image.width, t->image.height, t->image.pixel));
    block = ctr_alloc(t->block_bytes, 1);
    if (!block)
        CTR_TRY(CTR_E_FAIL);
    for (size_t plane = 0; plane < (size_t)t->planes; plane++)
        for (size_t y = 0; y < t->image.height; y += t->block_height)
            for (size_t x = 0; x < t->image.width; x += t->block_width)
                CTR_TRY(read_block(t, block, x, y, plane));
    for (size_t i = 0; t->inverted && i < ctr_image_bytes(&t->image); i++)
        t->image.pixels[i] = (uint8_t)~t->image.pixels[i];
out:
    free(block);
    return rc;
}

int ctr_image_decode_tiff(struct ctr_image *out, const void *bytes, size_t n)
{
    struct tiff t;
    int rc = open_image(&t, bytes, n);
    if (rc == 0)
        rc = read_pixels(&t);
    if (rc == 0)
        *out = t.image;
    else
        ctr_image_free(&t.image);
    if (t.d)
        TIFFClose(t.d);
    return rc;
}

#endif
