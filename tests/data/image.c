/* Decoders against Pillow's reading of the same bytes, both the libraries and stb_image; limits,
 * truncation and mutation of every fixture; resizing against Pillow. */
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
#ifdef CTR_HAVE_JPEG
#include <jpeglib.h>
#endif

#include "fixtures.h"

static const struct ctr_pixel rgb8 = {.channels = 3, .bytes = 1};
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Exactly as long as the data, so that a sanitizer sees each byte read beyond it. */
static unsigned char *unhex(size_t *n, const char *hex)
{
    *n = strlen(hex) / 2;
    unsigned char *bytes = malloc(*n);
    for (size_t i = 0; i < *n; i++) {
        unsigned v;
        sscanf(hex + 2 * i, "%2x", &v);
        bytes[i] = (unsigned char)v;
    }
    return bytes;
}

static int largest_difference(const unsigned char *a, const unsigned char *b, size_t n)
{
    int largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = abs(a[i] - b[i]) > largest ? abs(a[i] - b[i]) : largest;
    return largest;
}

static int is(const struct fixture *f, const char *kind)
{
    return strncmp(f->name, kind, strlen(kind)) == 0;
}

static void check(const struct fixture *f, struct ctr_image *image, int tolerance)
{
    size_t n;
    unsigned char *rgb = unhex(&n, f->rgb);
    assert_int_equal(ctr_image_convert(image, 3, 1), 0);
    if (image->width != f->width || image->height != f->height)
        fail_msg("%s: %u x %u", f->name, image->width, image->height);
    int difference = largest_difference(image->pixels, rgb, n);
    if (difference > tolerance)
        fail_msg("%s: differs by %d", f->name, difference);
    free(rgb);
}

/* Without libjpeg its fixtures go through stb, which upsamples colours differently. */
static void like_pillow(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(fixtures); i++) {
        const struct fixture *f = &fixtures[i];
        struct ctr_image image = {0};
        size_t n;
        struct ctr_image header = {0};
        unsigned char *bytes = unhex(&n, f->bytes);
        assert_int_equal(ctr_image_header(&header, bytes, n), 0);
        assert_true(header.width == f->width && header.height == f->height);
        if (ctr_image_decode(&image, bytes, n, 0) != 0)
            fail_msg("%s: %s", f->name, ctr_error_text());
#ifdef CTR_HAVE_JPEG
        check(f, &image, is(f, "png") || is(f, "jpeg_cmyk") ? 1 : 0);
#else
        check(f, &image, is(f, "jpeg_420") ? 40 : is(f, "jpeg") ? 4 : 1);
#endif
        ctr_image_free(&image);
        free(bytes);
    }
}

static void stb_agrees(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(fixtures); i++) {
        const struct fixture *f = &fixtures[i];
        struct ctr_image image = {0};
        size_t n;
        unsigned char *bytes = unhex(&n, f->bytes);
        if (is(f, "jpeg") || is(f, "png")) {
            if (ctr_image_decode_stb(&image, bytes, n) != 0)
                fail_msg("%s: %s", f->name, ctr_error_text());
            check(f, &image, is(f, "jpeg_420") ? 40 : is(f, "jpeg") ? 4 : 1);
        } else {
            assert_int_equal(ctr_image_decode_stb(&image, bytes, n), CTR_E_DATA);
        }
        ctr_image_free(&image);
        free(bytes);
    }
}

static int decode_any(struct ctr_image *image, const unsigned char *bytes, size_t n, int stb)
{
    *image = (struct ctr_image){0};
    return stb ? ctr_image_decode_stb(image, bytes, n) : ctr_image_decode(image, bytes, n, 0);
}

/* A file cut short by more than its end marker never decodes, and nothing is read beyond it. */
static void truncated_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(fixtures); i++)
        for (int stb = 0; stb < 2; stb++) {
            const struct fixture *f = &fixtures[i];
            size_t n;
            unsigned char *bytes = unhex(&n, f->bytes);
            for (size_t k = 0; k < n; k++) {
                struct ctr_image image;
                unsigned char *cut = malloc(k ? k : 1);
                memcpy(cut, bytes, k);
                int rc = decode_any(&image, cut, k, stb);
                assert_true(rc == 0 || rc == CTR_E_DATA);
                size_t tail = is(f, "png") ? 24 : is(f, "jpeg") ? 2 : 0;
                if (rc == 0 && k + tail < n)
                    fail_msg("%s: %zu of %zu bytes decoded", f->name, k, n);
                ctr_image_free(&image);
                free(cut);
            }
            free(bytes);
        }
}

/* Random bytes changed: anything may come out, but only by the front door. */
static void mutated(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COUNT(fixtures); i++) {
        size_t n;
        unsigned char *bytes = unhex(&n, fixtures[i].bytes), *copy = malloc(n);
        struct ctr_rng rng;
        ctr_rng_init(&rng, 1, CTR_RNG_TEST, i, 0);
        for (int round = 0; round < 300; round++) {
            struct ctr_image header;
            memcpy(copy, bytes, n);
            for (uint32_t k = ctr_rng_below(&rng, 4) + 1; k > 0; k--)
                copy[ctr_rng_below(&rng, (uint32_t)n)] = (unsigned char)ctr_rng_u32(&rng);
            if (ctr_image_header(&header, copy, n) != 0 || header.width * header.height > 1u << 20)
                continue;
            for (int stb = 0; stb < 2; stb++) {
                struct ctr_image image;
                int rc = decode_any(&image, copy, n, stb);
                assert_true(rc == 0 || rc == CTR_E_DATA);
                ctr_image_free(&image);
            }
        }
        free(copy);
        free(bytes);
    }
}

static void expect_bad(const void *bytes, size_t n, const char *reason)
{
    struct ctr_image image = {0}, header = {.width = 77};
    assert_int_equal(ctr_image_decode(&image, bytes, n, 0), CTR_E_DATA);
    if (!strstr(ctr_error_text(), reason))
        fail_msg("'%s' lacks '%s'", ctr_error_text(), reason);
    assert_int_equal(ctr_image_header(&header, bytes, n), CTR_E_DATA);
    assert_int_equal(header.width, 77);
    assert_null(image.pixels);
}

static void refused_by_content(void **state)
{
    (void)state;
    expect_bad("", 0, "empty file");
    expect_bad("<html><body>", 12, "not an image");
    expect_bad("GIF89a\1\0\1\0", 10, "GIF");
    expect_bad("8BPS\0\1\0\0\0\0\0\0", 12, "not an image");
    expect_bad("#?RADIANCE\n\n-Y 1 +X 1\n", 23, "not an image");
    expect_bad("\x1f\x8b\x08\0\0\0", 6, "gzip");
    expect_bad("RIFF\0\0\0\0WEBPVP8 ", 16, "WebP");
    expect_bad("II*\0\0\0\0\0", 8, "TIFF"); /* more of it in tests/data/tiff.c */
    expect_bad("P3\n1 1 255\n1 2 3", 16, "text");
    expect_bad("P6 0 4 255\n", 11, "empty image");
    expect_bad("P6 4 99999999999 255\n", 21, "malformed");
    expect_bad("P6 4 4", 6, "malformed");
    expect_bad("BM", 2, "malformed BMP");
    expect_bad("\xff\xd8\xff\xe0", 4, "malformed JPEG");
}

/* Limits come from the header, before memory: 60000 x 60000, and a bomb within the side limit. */
static void too_large(void **state)
{
    (void)state;
    unsigned char head[33] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\2";
    expect_bad(head, 33, "too large (60000 x 60000");
    memcpy(head + 16, "\0\0\x40\0\0\0\x40\0", 8);
    expect_bad(head, 33, "too large (16384 x 16384");
    memcpy(head + 16, "\x80\0\0\1\0\0\0\1", 8);
    expect_bad(head, 33, "too large");
    memcpy(head + 16, "\0\0\0\0\0\0\0\1", 8);
    expect_bad(head, 33, "empty image");
    expect_bad("P5 65535 65535 255\n", 19, "too large");
    expect_bad("\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\3", 12, "too large (65535 x 65535");
    struct ctr_image image = {0};
    memcpy(head + 16, "\0\0\x40\0\0\0\x40\0", 8);
    assert_int_equal(ctr_image_decode_stb(&image, head, 33), CTR_E_DATA);
}

static void png_checksum_counts(void **state)
{
    (void)state;
#ifdef CTR_HAVE_PNG
    for (size_t i = 0; i < COUNT(fixtures); i++) {
        if (strcmp(fixtures[i].name, "png_rgb") != 0)
            continue;
        size_t n;
        struct ctr_image image = {0};
        unsigned char *bytes = unhex(&n, fixtures[i].bytes);
        bytes[n - 13] ^= 1; /* last byte of the pixels' checksum */
        assert_int_equal(ctr_image_decode(&image, bytes, n, 0), CTR_E_DATA);
        assert_non_null(strstr(ctr_error_text(), "CRC"));
        free(bytes);
    }
#endif
}

#ifdef CTR_HAVE_JPEG
/* A picture as JPEG of the given space, each row `pitch` bytes behind the one before; libjpeg
 * converts CMYK to YCCK itself. `across`, `down`: the first channel's samples for one of the
 * others. */
struct encoding {
    J_COLOR_SPACE in, file;
    int across, down, progressive;
};

static unsigned char *encode(unsigned long *n, const unsigned char *pixels, size_t pitch,
                             unsigned channels, unsigned width, unsigned height, struct encoding as)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr error;
    unsigned char *out = NULL;
    c.err = jpeg_std_error(&error);
    jpeg_create_compress(&c);
    *n = 0;
    jpeg_mem_dest(&c, &out, n);
    c.image_width = width;
    c.image_height = height;
    c.input_components = (int)channels;
    c.in_color_space = as.in;
    jpeg_set_defaults(&c);
    jpeg_set_colorspace(&c, as.file);
    jpeg_set_quality(&c, 98, TRUE);
    if (as.across) {
        c.comp_info[0].h_samp_factor = as.across;
        c.comp_info[0].v_samp_factor = as.down;
    }
    if (as.progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < height) {
        JSAMPROW row = (JSAMPROW)pixels + c.next_scanline * pitch;
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    return out;
}

/* All of it as libjpeg decodes it, at 1 / denominator. */
static void decode_whole(struct ctr_image *out, const unsigned char *bytes, unsigned long n,
                         unsigned denominator)
{
    struct jpeg_decompress_struct d;
    struct jpeg_error_mgr error;
    d.err = jpeg_std_error(&error);
    jpeg_create_decompress(&d);
    jpeg_mem_src(&d, bytes, n);
    jpeg_read_header(&d, TRUE);
    d.out_color_space = JCS_RGB;
    d.scale_denom = denominator;
    jpeg_start_decompress(&d);
    assert_int_equal(ctr_image_alloc(out, d.output_width, d.output_height, rgb8), 0);
    while (d.output_scanline < d.output_height) {
        JSAMPROW row = out->pixels + (size_t)d.output_scanline * d.output_width * 3;
        assert_int_equal(jpeg_read_scanlines(&d, &row, 1), 1);
    }
    jpeg_finish_decompress(&d);
    jpeg_destroy_decompress(&d);
}

/* Decoded for one size, and fitted to it, an image is what the whole of it becomes; 1 where columns
 * were left out. */
static int same_as_whole(const unsigned char *bytes, unsigned long n, unsigned want)
{
    struct ctr_image part, whole, full;
    decode_whole(&full, bytes, n, 1);
    assert_int_equal(ctr_image_decode(&part, bytes, n, want), 0);
    decode_whole(&whole, bytes, n, (full.height + part.height - 1) / part.height);
    assert_int_equal(part.width, whole.width);
    assert_int_equal(part.height, whole.height);
    int left_out = memcmp(part.pixels, whole.pixels, ctr_image_bytes(&whole)) != 0;
    assert_int_equal(ctr_image_fit(&part, want), 0);
    assert_int_equal(ctr_image_fit(&whole, want), 0);
    assert_memory_equal(part.pixels, whole.pixels, ctr_image_bytes(&whole));
    ctr_image_free(&part);
    ctr_image_free(&whole);
    ctr_image_free(&full);
    return left_out;
}
#endif

static void jpeg_without_columns(void **state)
{
    (void)state;
#ifdef CTR_HAVE_JPEG
    static const int samples[][2] = {{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}};
    static const unsigned sizes[][2] = {{61, 37}, {37, 61}, {300, 20}, {640, 130}, {20, 20}},
                          wants[] = {3, 7, 16, 20, 37, 64};
    int left_out = 0;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        const unsigned width = sizes[i][0], height = sizes[i][1];
        unsigned char *pixels = malloc((size_t)width * height * 3);
        uint32_t noise = 1;
        for (size_t k = 0; k < (size_t)width * height * 3; k++) {
            noise = noise * 1664525 + 1013904223;
            pixels[k] = (unsigned char)(noise >> 24);
        }
        for (size_t s = 0; s < 2 * COUNT(samples); s++) {
            const int *each = samples[s / 2];
            unsigned long n;
            unsigned char *bytes =
                encode(&n, pixels, (size_t)width * 3, 3, width, height,
                       (struct encoding){JCS_RGB, JCS_YCbCr, each[0], each[1], s % 2});
            for (size_t k = 0; k < COUNT(wants); k++)
                left_out += same_as_whole(bytes, n, wants[k]);
            free(bytes);
        }
        free(pixels);
    }
#ifdef LIBJPEG_TURBO_VERSION_NUMBER
    assert_true(left_out >= 100);
#endif
#endif
}

static void jpeg_ycck_and_scaling(void **state)
{
    (void)state;
#ifdef CTR_HAVE_JPEG
    const unsigned char ink[4] = {200, 100, 50, 128};
    unsigned long n;
    struct ctr_image image = {0};
    unsigned char row[600 * 4];
    for (unsigned i = 0; i < 20 * 4; i++)
        row[i] = ink[i % 4];
    unsigned char *bytes =
        encode(&n, row, 0, 4, 20, 10, (struct encoding){.in = JCS_CMYK, .file = JCS_YCCK});
    assert_int_equal(ctr_image_decode(&image, bytes, n, 0), 0);
    for (int c = 0; c < 3; c++)
        assert_in_range(image.pixels[c] - ink[c] * 128 / 255 + 3, 0, 6);
    ctr_image_free(&image);
    free(bytes);
    /* the shorter side stays at least twice what is wanted */
    static const unsigned wants[][2] = {{0, 400},  {300, 400}, {101, 400}, {100, 200}, {51, 200},
                                        {50, 100}, {26, 100},  {25, 50},   {1, 50}};
    memset(row, 250, sizeof row);
    bytes = encode(&n, row, 0, 3, 600, 400, (struct encoding){.in = JCS_RGB, .file = JCS_YCbCr});
    for (size_t i = 0; i < COUNT(wants); i++) {
        assert_int_equal(ctr_image_decode(&image, bytes, n, wants[i][0]), 0);
        assert_int_equal(image.height, wants[i][1]);
        assert_int_equal(image.width, wants[i][1] * 3 / 2);
        assert_in_range(image.pixels[image.width / 2 * 3], 245, 255);
        ctr_image_free(&image);
    }
    free(bytes);
#endif
}

static void fits_like_pillow(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(fit_cases); i++) {
        const struct fit_case *f = &fit_cases[i];
        struct ctr_image image;
        size_t n;
        unsigned char *want = unhex(&n, f->rgb), *to;
        assert_int_equal(ctr_image_alloc(&image, f->width, f->height, rgb8), 0);
        to = image.pixels;
        for (unsigned y = 0; y < f->height; y++)
            for (unsigned x = 0; x < f->width; x++)
                for (unsigned c = 0; c < 3; c++)
                    *to++ = (unsigned char)(x * 7 + y * 13 + c * 50 + x * y % 31 * 3);
        assert_int_equal(ctr_image_fit(&image, f->size), 0);
        int difference = largest_difference(image.pixels, want, n);
        if (difference > 1)
            fail_msg("%u x %u to %u: differs by %d", f->width, f->height, f->size, difference);
        ctr_image_free(&image);
        free(want);
    }
}

/* The shorter side matches: no filter, the centre exactly. */
static void crop_alone_is_exact(void **state)
{
    (void)state;
    struct ctr_image image;
    unsigned char before[9 * 4 * 3];
    assert_int_equal(ctr_image_alloc(&image, 9, 4, rgb8), 0);
    for (unsigned i = 0; i < sizeof before; i++)
        before[i] = image.pixels[i] = (unsigned char)(i * 37);
    assert_int_equal(ctr_image_fit(&image, 4), 0);
    for (unsigned y = 0; y < 4; y++)
        assert_memory_equal(image.pixels + y * 12, before + (y * 9 + 2) * 3, 12);
    ctr_image_free(&image);
}

static void extreme_shapes_fit(void **state)
{
    (void)state;
    static const unsigned sizes[][3] = {{1, 1, 32}, {1, 5000, 32}, {5000, 1, 224},
                                        {3, 2, 64}, {16384, 2, 1}, {2, 16384, 4096}};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct ctr_image image;
        size_t n = (size_t)sizes[i][2] * sizes[i][2] * 3;
        assert_int_equal(ctr_image_alloc(&image, sizes[i][0], sizes[i][1], rgb8), 0);
        memset(image.pixels, 201, (size_t)sizes[i][0] * sizes[i][1] * 3);
        assert_int_equal(ctr_image_fit(&image, sizes[i][2]), 0);
        for (size_t k = 0; k < n; k++)
            if (image.pixels[k] != 201)
                fail_msg("%u x %u: %u at %zu", sizes[i][0], sizes[i][1], image.pixels[k], k);
        ctr_image_free(&image);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_pillow),          cmocka_unit_test(stb_agrees),
        cmocka_unit_test(truncated_anywhere),   cmocka_unit_test(mutated),
        cmocka_unit_test(refused_by_content),   cmocka_unit_test(too_large),
        cmocka_unit_test(png_checksum_counts),  cmocka_unit_test(jpeg_ycck_and_scaling),
        cmocka_unit_test(jpeg_without_columns), cmocka_unit_test(fits_like_pillow),
        cmocka_unit_test(crop_alone_is_exact),  cmocka_unit_test(extreme_shapes_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
