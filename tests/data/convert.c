/* Channels and bits: decoders keep what files have, conversions are those that are clear, each channel is
 * resized as if it were alone. */
#include "data/image.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#ifdef CTR_HAVE_PNG
#include <png.h>
#endif

#define COUNT(a) (sizeof(a) / sizeof *(a))

#ifdef CTR_HAVE_PNG
struct memory {
    uint8_t bytes[4096];
    size_t n;
};

static void append(png_structp png, png_bytep data, size_t n)
{
    struct memory *m = png_get_io_ptr(png);
    assert_true(m->n + n <= sizeof m->bytes);
    memcpy(m->bytes + m->n, data, n);
    m->n += n;
}

/* 5 x 4 pixels whose bytes count up. */
static void write_png(struct memory *m, int colour, int depth, unsigned pixel_bytes)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t row[64];
    m->n = 0;
    png_set_write_fn(png, m, append, NULL);
    png_set_IHDR(png, info, 5, 4, depth, colour, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (unsigned y = 0; y < 4; y++) {
        for (unsigned i = 0; i < 5 * pixel_bytes; i++)
            row[i] = (uint8_t)(y * 5 * pixel_bytes + i);
        png_write_row(png, row);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
}

static void png_keeps_what_it_has(void **state)
{
    (void)state;
    static const struct {
        int colour, depth;
        unsigned channels;
    } kinds[] = {{PNG_COLOR_TYPE_GRAY, 16, 1},      {PNG_COLOR_TYPE_GRAY_ALPHA, 16, 2},
                 {PNG_COLOR_TYPE_RGB, 16, 3},       {PNG_COLOR_TYPE_RGB_ALPHA, 16, 4},
                 {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 2}, {PNG_COLOR_TYPE_RGB_ALPHA, 8, 4}};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct memory m;
        struct ctr_image image, header;
        unsigned bytes = (unsigned)kinds[i].depth / 8, n = 20 * kinds[i].channels;
        write_png(&m, kinds[i].colour, kinds[i].depth, kinds[i].channels * bytes);
        assert_int_equal(ctr_image_header(&header, m.bytes, m.n), 0);
        assert_int_equal(ctr_image_decode(&image, m.bytes, m.n, 0), 0);
        assert_true(image.width == 5 && image.height == 4 && image.pixel.channels == kinds[i].channels);
        assert_true(image.pixel.bytes == bytes);
        assert_int_equal(image.pixel.alpha != 0, kinds[i].channels % 2 == 0);
        assert_int_equal(header.pixel.channels, image.pixel.channels);
        assert_int_equal(header.pixel.bytes, bytes);
        assert_int_equal(header.pixel.alpha != 0, image.pixel.alpha != 0);
        for (unsigned k = 0; k < n; k++)
            assert_int_equal(bytes == 1 ? image.pixels[k] : ((uint16_t *)image.pixels)[k],
                             bytes == 1 ? k : (2 * k << 8 & 0xff00) | ((2 * k + 1) & 0xff));
        ctr_image_free(&image);
    }
}
#endif

static void pnm_keeps_16_bits(void **state)
{
    (void)state;
    struct ctr_image image;
    assert_int_equal(ctr_image_decode(&image, "P5 2 1 65535 \x12\x34\xff\xfe", 17, 0), 0);
    assert_true(image.pixel.channels == 1 && image.pixel.bytes == 2);
    assert_int_equal(((uint16_t *)image.pixels)[0], 0x1234);
    assert_int_equal(((uint16_t *)image.pixels)[1], 0xfffe);
    ctr_image_free(&image);
    assert_int_equal(ctr_image_decode(&image, "P5 1 1 1000 \x01\xf4", 14, 0), 0);
    assert_int_equal(((uint16_t *)image.pixels)[0], 32768); /* half */
    ctr_image_free(&image);
}

/* One pixel of `from` becomes one of `to`, or (channels 0) is refused. */
static void converts(void **state)
{
    (void)state;
    static const struct {
        struct ctr_pixel from;
        unsigned values[5], channels, bytes, want[4];
    } cases[] = {
        {{1, 1, 0}, {77}, 3, 1, {77, 77, 77}},
        {{2, 1, 1}, {77, 5}, 3, 1, {77, 77, 77}},
        {{2, 1, 1}, {77, 5}, 1, 1, {77}},
        {{2, 1, 1}, {77, 5}, 2, 1, {77, 5}},
        {{4, 1, 1}, {9, 8, 7, 6}, 3, 1, {9, 8, 7}},
        {{4, 1, 1}, {9, 8, 7, 6}, 4, 2, {9 * 257, 8 * 257, 7 * 257, 6 * 257}},
        {{3, 1, 0}, {255, 0, 0}, 1, 1, {76}},
        {{4, 1, 1}, {0, 255, 0, 3}, 1, 1, {150}},
        {{3, 2, 0}, {65535, 65535, 65535}, 1, 2, {65535}},
        {{3, 2, 0}, {65535, 385, 386}, 3, 1, {255, 1, 2}}, /* 1.498, 1.502 of 257 */
        {{1, 1, 0}, {255}, 1, 2, {65535}},
        {{5, 1, 0}, {1, 2, 3, 4, 5}, 3, 1, {0}},
        {{4, 1, 0}, {1, 2, 3, 4}, 3, 1, {0}}, /* the fourth is no opacity */
        {{2, 1, 0}, {1, 2}, 1, 1, {0}},
        {{1, 1, 0}, {1}, 4, 1, {0}},
        {{3, 1, 0}, {1, 2, 3}, 4, 1, {0}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ctr_image image;
        const unsigned bad = cases[i].want[0] == 0;
        assert_int_equal(ctr_image_alloc(&image, 1, 1, cases[i].from), 0);
        for (unsigned c = 0; c < cases[i].from.channels; c++)
            if (cases[i].from.bytes == 2)
                ((uint16_t *)image.pixels)[c] = (uint16_t)cases[i].values[c];
            else
                image.pixels[c] = (uint8_t)cases[i].values[c];
        int rc = ctr_image_convert(&image, cases[i].channels, cases[i].bytes);
        assert_int_equal(rc, bad ? CTR_E_DATA : 0);
        assert_int_equal(ctr_pixel_converts(cases[i].from, cases[i].channels), !bad);
        for (unsigned c = 0; c < cases[i].channels && !bad; c++) {
            unsigned got = cases[i].bytes == 2 ? ((uint16_t *)image.pixels)[c] : image.pixels[c];
            if (got != cases[i].want[c])
                fail_msg("case %zu, channel %u: %u, not %u", i, c, got, cases[i].want[c]);
        }
        ctr_image_free(&image);
    }
}

/* Every channel is resized as if it were alone, and values of 16 bits as those of 8 they stand for. */
static void fits_each_channel_alike(void **state)
{
    (void)state;
    enum { W = 23, H = 17, C = 5, SIZE = 9 };
    struct ctr_image all, wide;
    assert_int_equal(ctr_image_alloc(&all, W, H, (struct ctr_pixel){C, 1, 0}), 0);
    assert_int_equal(ctr_image_alloc(&wide, W, H, (struct ctr_pixel){C, 2, 0}), 0);
    for (unsigned i = 0; i < W * H * C; i++) {
        all.pixels[i] = (uint8_t)(i * 2654435761u >> 24);
        ((uint16_t *)wide.pixels)[i] = (uint16_t)(all.pixels[i] * 257);
    }
    for (unsigned c = 0; c < C; c++) {
        struct ctr_image one, resized = {0};
        assert_int_equal(ctr_image_alloc(&one, W, H, (struct ctr_pixel){1, 1, 0}), 0);
        assert_int_equal(ctr_image_alloc(&resized, W, H, all.pixel), 0);
        for (unsigned i = 0; i < W * H; i++)
            one.pixels[i] = all.pixels[i * C + c];
        memcpy(resized.pixels, all.pixels, W * H * C);
        assert_int_equal(ctr_image_fit(&one, SIZE), 0);
        assert_int_equal(ctr_image_fit(&resized, SIZE), 0);
        for (unsigned i = 0; i < SIZE * SIZE; i++)
            assert_int_equal(one.pixels[i], resized.pixels[i * C + c]);
        ctr_image_free(&one);
        ctr_image_free(&resized);
    }
    assert_int_equal(ctr_image_fit(&all, SIZE), 0);
    assert_int_equal(ctr_image_fit(&wide, SIZE), 0);
    for (unsigned i = 0; i < SIZE * SIZE * C; i++)
        assert_in_range(((uint16_t *)wide.pixels)[i] + 130 - all.pixels[i] * 257, 0, 260);
    ctr_image_free(&all);
    ctr_image_free(&wide);
}

/* 16 channels of 16 bits on 64 megapixels would be 2 GiB. */
static void too_many_bytes(void **state)
{
    (void)state;
    struct ctr_image image = {0};
    assert_int_equal(ctr_image_alloc(&image, 8192, 8192, (struct ctr_pixel){16, 2, 0}), CTR_E_DATA);
    assert_non_null(strstr(ctr_error_text(), "2147483648 bytes of pixels"));
    assert_null(image.pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef CTR_HAVE_PNG
        cmocka_unit_test(png_keeps_what_it_has),
#endif
        cmocka_unit_test(pnm_keeps_16_bits),
        cmocka_unit_test(converts),
        cmocka_unit_test(fits_each_channel_alike),
        cmocka_unit_test(too_many_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
