/* TIFF: what libtiff writes comes back, in strips and tiles, planes and compressions; hostile files end
 * in a message. */
#include "data/image.h"
#include "base/rng.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef CTR_HAVE_TIFF
#include <tiffio.h>

/* A file in memory. */
struct memory {
    uint8_t *bytes;
    size_t n, at, room;
};

static tmsize_t on_read(thandle_t user, void *dst, tmsize_t n)
{
    struct memory *m = user;
    size_t left = m->at < m->n ? m->n - m->at : 0, take = (size_t)n < left ? (size_t)n : left;
    memcpy(dst, m->bytes + m->at, take);
    m->at += take;
    return (tmsize_t)take;
}

static tmsize_t on_write(thandle_t user, void *src, tmsize_t n)
{
    struct memory *m = user;
    if (m->at + (size_t)n > m->room) {
        m->room = 2 * (m->at + (size_t)n);
        m->bytes = realloc(m->bytes, m->room);
    }
    if (m->at > m->n)
        memset(m->bytes + m->n, 0, m->at - m->n);
    memcpy(m->bytes + m->at, src, (size_t)n);
    m->at += (size_t)n;
    m->n = m->at > m->n ? m->at : m->n;
    return n;
}

static toff_t on_seek(thandle_t user, toff_t to, int whence)
{
    struct memory *m = user;
    m->at = (size_t)(whence == SEEK_SET ? to : whence == SEEK_CUR ? m->at + to : m->n + to);
    return m->at;
}

static int on_close(thandle_t user)
{
    (void)user;
    return 0;
}

static toff_t on_size(thandle_t user)
{
    return ((struct memory *)user)->n;
}

struct kind {
    const char *mode; /* wl, wb: byte order; 8: BigTIFF */
    unsigned width, height, channels, bits, colours, planes, compression, tile, rows, extra;
};

/* Value c of the pixel at y, x: different everywhere it could be mixed up. */
static unsigned value(const struct kind *k, unsigned y, unsigned x, unsigned c)
{
    unsigned v = (y * 2654435761u + x * 40503u + c * 7919u) >> 3;
    return v & (k->bits == 16 ? 0xffff : 0xff);
}

static void fill(uint8_t *block, const struct kind *k, unsigned y0, unsigned x0, unsigned rows,
                 unsigned columns, unsigned plane)
{
    unsigned n = k->planes == PLANARCONFIG_SEPARATE ? 1 : k->channels;
    for (unsigned y = 0; y < rows; y++)
        for (unsigned x = 0; x < columns; x++)
            for (unsigned c = 0; c < n; c++) {
                unsigned v = value(k, y0 + y, x0 + x, plane + c);
                size_t i = ((size_t)y * columns + x) * n + c;
                if (k->bits == 16)
                    ((uint16_t *)block)[i] = (uint16_t)v;
                else
                    block[i] = (uint8_t)v;
            }
}

static struct memory write_tiff(const struct kind *k)
{
    struct memory m = {0};
    TIFF *t = TIFFClientOpen("test", k->mode, &m, on_read, on_write, on_seek, on_close, on_size, NULL, NULL);
    assert_non_null(t);
    uint16_t extra[16] = {0};
    unsigned colour = k->colours == PHOTOMETRIC_RGB ? 3 : 1, extras = k->channels - colour;
    extra[extras ? extras - 1 : 0] = (uint16_t)k->extra;
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, k->width);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, k->height);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, k->channels);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, k->bits);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, k->colours);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, k->planes);
    TIFFSetField(t, TIFFTAG_COMPRESSION, k->compression);
    if (extras)
        TIFFSetField(t, TIFFTAG_EXTRASAMPLES, extras, extra);
    unsigned high = k->tile ? k->tile : k->rows, wide = k->tile ? k->tile : k->width;
    if (k->tile) {
        TIFFSetField(t, TIFFTAG_TILEWIDTH, k->tile);
        TIFFSetField(t, TIFFTAG_TILELENGTH, k->tile);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, k->rows);
    }
    unsigned planes = k->planes == PLANARCONFIG_SEPARATE ? k->channels : 1;
    uint8_t *block = calloc((size_t)high * wide * k->channels, 2);
    for (unsigned p = 0; p < planes; p++)
        for (unsigned y = 0; y < k->height; y += high)
            for (unsigned x = 0; x < k->width; x += wide) {
                unsigned rows = k->tile || k->height - y > high ? high : k->height - y;
                fill(block, k, y, x, rows, wide, p);
                tmsize_t bytes = (tmsize_t)((size_t)rows * wide * (planes == 1 ? k->channels : 1) * k->bits / 8);
                if (k->tile)
                    assert_true(TIFFWriteEncodedTile(t, TIFFComputeTile(t, x, y, 0, (uint16_t)p), block, bytes) >= 0);
                else
                    assert_true(TIFFWriteEncodedStrip(t, TIFFComputeStrip(t, y, (uint16_t)p), block, bytes) >= 0);
            }
    free(block);
    TIFFClose(t);
    return m;
}

static const struct kind kinds[] = {
    {"wl", 7, 5, 1, 8, PHOTOMETRIC_MINISBLACK, PLANARCONFIG_CONTIG, COMPRESSION_NONE, 0, 5, 0},
    {"wb", 9, 6, 3, 16, PHOTOMETRIC_RGB, PLANARCONFIG_CONTIG, COMPRESSION_LZW, 0, 4, 0},
    {"wl", 33, 20, 4, 16, PHOTOMETRIC_RGB, PLANARCONFIG_CONTIG, COMPRESSION_ADOBE_DEFLATE, 16, 0, 0},
    {"wb8", 20, 33, 5, 16, PHOTOMETRIC_MINISBLACK, PLANARCONFIG_SEPARATE, COMPRESSION_NONE, 16, 0, 0},
    {"wl8", 11, 13, 16, 8, PHOTOMETRIC_MINISBLACK, PLANARCONFIG_SEPARATE, COMPRESSION_PACKBITS, 0, 3, 0},
    {"wl", 6, 4, 4, 8, PHOTOMETRIC_RGB, PLANARCONFIG_CONTIG, COMPRESSION_NONE, 0, 1, EXTRASAMPLE_UNASSALPHA},
    {"wl", 6, 4, 1, 16, PHOTOMETRIC_MINISWHITE, PLANARCONFIG_CONTIG, COMPRESSION_NONE, 0, 4, 0},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        const struct kind *k = &kinds[i];
        struct memory m = write_tiff(k);
        struct ctr_image image = {0}, header = {0};
        if (ctr_image_decode(&image, m.bytes, m.n, 0) != 0)
            fail_msg("kind %zu: %s", i, ctr_error_text());
        assert_int_equal(ctr_image_header(&header, m.bytes, m.n), 0);
        assert_true(image.width == k->width && image.height == k->height);
        assert_true(header.width == k->width && header.height == k->height);
        assert_memory_equal(&image.pixel, &header.pixel, sizeof image.pixel);
        assert_true(image.pixel.channels == k->channels && image.pixel.bytes == k->bits / 8);
        assert_int_equal(image.pixel.alpha, k->extra != 0);
        for (unsigned y = 0; y < k->height; y++)
            for (unsigned x = 0; x < k->width; x++)
                for (unsigned c = 0; c < k->channels; c++) {
                    size_t at = ((size_t)y * k->width + x) * k->channels + c;
                    unsigned got = k->bits == 16 ? ((uint16_t *)image.pixels)[at] : image.pixels[at];
                    unsigned full = (1u << k->bits) - 1, want = value(k, y, x, c);
                    if (got != (k->colours == PHOTOMETRIC_MINISWHITE ? full - want : want))
                        fail_msg("kind %zu: %u at %u, %u, %u, not %u", i, got, y, x, c, want);
                }
        ctr_image_free(&image);
        free(m.bytes);
    }
}

/* Cut short: libtiff writes the directory last, and cannot do without. */
static void truncated_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        struct memory m = write_tiff(&kinds[i]);
        for (size_t n = 0; n < m.n; n += 1 + m.n / 200) {
            struct ctr_image image = {0};
            uint8_t *cut = malloc(n ? n : 1);
            memcpy(cut, m.bytes, n);
            int rc = ctr_image_decode(&image, cut, n, 0);
            assert_true(rc == 0 || rc == CTR_E_DATA);
            if (rc == 0 && n + 8 < m.n) /* where the next directory is may be missing */
                fail_msg("kind %zu: %zu of %zu bytes decoded", i, n, m.n);
            ctr_image_free(&image);
            free(cut);
        }
        free(m.bytes);
    }
}

static void mutated(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < KINDS; i++) {
        struct memory m = write_tiff(&kinds[i]);
        uint8_t *copy = malloc(m.n);
        struct ctr_rng rng;
        ctr_rng_init(&rng, 2, CTR_RNG_TEST, i, 0);
        for (int round = 0; round < 300; round++) {
            struct ctr_image image = {0};
            memcpy(copy, m.bytes, m.n);
            /* most of the time in the directory, which is at the end */
            for (uint32_t k = ctr_rng_below(&rng, 4) + 1; k > 0; k--) {
                size_t tail = m.n < 250 ? m.n : 250;
                size_t at = round % 3 ? m.n - 1 - ctr_rng_below(&rng, (uint32_t)tail)
                                      : ctr_rng_below(&rng, (uint32_t)m.n);
                copy[at] = (uint8_t)ctr_rng_u32(&rng);
            }
            int rc = ctr_image_decode(&image, copy, m.n, 0);
            assert_true(rc == 0 || rc == CTR_E_DATA);
            ctr_image_free(&image);
        }
        free(copy);
        free(m.bytes);
    }
}

static void expect_bad(const void *bytes, size_t n, const char *reason)
{
    struct ctr_image image = {0};
    assert_int_equal(ctr_image_decode(&image, bytes, n, 0), CTR_E_DATA);
    if (!strstr(ctr_error_text(), reason))
        fail_msg("'%s' lacks '%s'", ctr_error_text(), reason);
    assert_null(image.pixels);
}

struct field {
    uint16_t tag, type;
    uint32_t value;
};

/* A little-endian TIFF of these fields alone, of one value each. */
static void expect_bad_fields(const struct field *fields, uint16_t n, const char *reason)
{
    uint8_t file[512] = "II*\0\10\0\0\0";
    size_t at = 10;
    memcpy(file + 8, &n, 2);
    for (uint16_t i = 0; i < n; i++, at += 12) {
        uint32_t one = 1;
        memcpy(file + at, &fields[i].tag, 2);
        memcpy(file + at + 2, &fields[i].type, 2);
        memcpy(file + at + 4, &one, 4);
        memcpy(file + at + 8, &fields[i].value, 4);
    }
    expect_bad(file, sizeof file, reason);
}

#define HEAD(w, h, bits, photo) \
    {256, 4, w}, {257, 4, h}, {258, 3, bits}, {259, 3, 1}, {262, 3, photo}, {273, 4, 200}
static void refused(void **state)
{
    (void)state;
    expect_bad("II*\0", 4, "TIFF: ");
    expect_bad("II*\0\xff\xff\xff\xff", 8, "TIFF: ");
    expect_bad("MM\0*\0\0\0\10\0\0\0\0\0\0", 14, "TIFF");
    const struct field huge[] = {HEAD(60000, 60000, 8, 1), {277, 3, 1}, {278, 4, 60000}, {279, 4, 100}};
    expect_bad_fields(huge, 9, "too large (60000 x 60000");
    const struct field wide[] = {HEAD(8000, 8000, 16, 1), {277, 3, 16}, {278, 4, 8000}, {279, 4, 100}};
    expect_bad_fields(wide, 9, "too large (2048000000 bytes of pixels");
    const struct field empty[] = {HEAD(0, 5, 8, 1), {277, 3, 1}, {278, 4, 5}, {279, 4, 100}};
    expect_bad_fields(empty, 9, "TIFF: ");
    const struct field many[] = {HEAD(2, 2, 8, 1), {277, 3, 17}, {278, 4, 2}, {279, 4, 68}};
    expect_bad_fields(many, 9, "17 channels");
    const struct field floats[] = {HEAD(2, 2, 32, 1), {277, 3, 1}, {278, 4, 2}, {279, 4, 16}, {339, 3, 3}};
    expect_bad_fields(floats, 10, "32-bit floating");
    const struct field bits[] = {HEAD(8, 2, 1, 1), {277, 3, 1}, {278, 4, 2}, {279, 4, 2}};
    expect_bad_fields(bits, 9, "1-bit unsigned");
    const struct field cmyk[] = {HEAD(2, 2, 8, 5), {277, 3, 4}, {278, 4, 2}, {279, 4, 16}};
    expect_bad_fields(cmyk, 9, "photometric interpretation 5");
    const struct field tiles[] = {{256, 4, 4}, {257, 4, 4}, {258, 3, 8}, {259, 3, 1}, {262, 3, 1},
                                  {277, 3, 1}, {322, 4, 1u << 20}, {323, 4, 1u << 20}, {324, 4, 200}, {325, 4, 16}};
    expect_bad_fields(tiles, 10, "blocks of a size that cannot be");
    const struct field gone[] = {{256, 4, 4}, {257, 4, 4}, {258, 3, 8}, {259, 3, 1}, {262, 3, 1},
                                 {273, 4, 100000}, {277, 3, 1}, {278, 4, 4}, {279, 4, 16}};
    expect_bad_fields(gone, 9, "TIFF: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(truncated_anywhere),
        cmocka_unit_test(mutated),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
/* A build without libtiff says so. */
static void told(void **state)
{
    struct ctr_image image = {0};
    (void)state;
    assert_int_equal(ctr_image_decode(&image, "II*\0\10\0\0\0", 8, 0), CTR_E_DATA);
    assert_non_null(strstr(ctr_error_text(), "built without libtiff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
