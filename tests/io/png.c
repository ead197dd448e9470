/* Pixels come back from an independent decoder (libpng); impossible sizes are refused. */
#include "io/png.h"
#include "base/os.h"
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "../tempdir.h"
#if defined(CTR_HAVE_PNG)
#include <png.h>
#endif

static void fill(uint8_t *p, size_t n)
{
    uint32_t x = 12345;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525 + 1013904223;
        p[i] = (uint8_t)(i % 7 ? x >> 24 : i);
    }
}

/* Signature, IHDR with the size and depth, IEND at the end. */
static void check_frame(const uint8_t *data, size_t n, unsigned w, unsigned h, unsigned type)
{
    static const uint8_t end[] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
    assert_true(n > 57);
    assert_memory_equal(data, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
    assert_int_equal(data[18] << 8 | data[19], w);
    assert_int_equal(data[22] << 8 | data[23], h);
    assert_int_equal(data[24], 8);
    assert_int_equal(data[25], type);
    assert_memory_equal(data + n - 12, end, 12);
}

static void round_trip(void **state)
{
    (void)state;
    static const unsigned sizes[][3] = {{1, 1, 3}, {1, 1, 1}, {7, 5, 3}, {33, 2, 1}, {200, 97, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned w = sizes[i][0], h = sizes[i][1], c = sizes[i][2];
        size_t stride = (size_t)w * c + i; /* with and without gaps */
        uint8_t *pixels = malloc(stride * h), *back = malloc((size_t)w * h * c);
        void *data = NULL;
        size_t n = 0;
        fill(pixels, stride * h);
        assert_int_equal(ctr_png_encode(&data, &n, pixels, w, h, c, i ? stride : 0), 0);
        check_frame(data, n, w, h, c == 3 ? 2 : 0);
#if defined(CTR_HAVE_PNG)
        png_image image = {.version = PNG_IMAGE_VERSION};
        assert_true(png_image_begin_read_from_memory(&image, data, n));
        assert_int_equal(image.width, w);
        image.format = c == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
        assert_true(png_image_finish_read(&image, NULL, back, 0, NULL));
        for (unsigned y = 0; y < h; y++)
            assert_memory_equal(back + (size_t)y * w * c, pixels + y * stride, (size_t)w * c);
#endif
        free(data);
        free(back);
        free(pixels);
    }
}

/* Memory that is not to be had ends the encoding, at whatever point; and what was had is given back. */
static void no_memory(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* its own memory counts, too */
#endif
    enum { SIDE = 1000 };
    void *data = NULL;
    size_t n = 0, failed = 0;
    uint8_t *pixels = malloc(3 * SIDE * SIDE);
    struct rlimit was, less;
    unsigned long pages = 0;
    fill(pixels, 3 * SIDE * SIDE);
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
    less = was;
    for (rlim_t more = 0; more < 20; more += 2) { /* MiB */
        less.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (more << 20);
        assert_int_equal(setrlimit(RLIMIT_AS, &less), 0);
        int rc = ctr_png_encode(&data, &n, pixels, SIDE, SIDE, 3, 0);
        assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
        if (rc == 0)
            break;
        failed++;
        assert_int_equal(rc, CTR_E_FAIL);
        assert_non_null(strstr(ctr_error_text(), "out of host memory"));
        assert_null(data);
    }
    assert_in_range(failed, 3, 9);
    check_frame(data, n, SIDE, SIDE, 2);
    free(data);
    free(pixels);
}

static void refused(void **state)
{
    (void)state;
    void *data = NULL;
    size_t n = 0;
    const uint8_t p[16] = {0};
    assert_int_equal(ctr_png_encode(&data, &n, p, 0, 2, 3, 0), CTR_E_USAGE);
    assert_int_equal(ctr_png_encode(&data, &n, p, 2, 0, 3, 0), CTR_E_USAGE);
    assert_int_equal(ctr_png_encode(&data, &n, p, 1, 1, 2, 0), CTR_E_USAGE);
    assert_int_equal(ctr_png_encode(&data, &n, p, 2, 2, 3, 5), CTR_E_USAGE); /* stride < row */
    assert_int_equal(ctr_png_encode(&data, &n, p, 60000, 60000, 3, 0), CTR_E_USAGE);
    assert_int_equal(ctr_png_encode(&data, &n, p, UINT32_MAX, UINT32_MAX, 3, 0), CTR_E_USAGE);
    assert_null(data);
}

static void file(void **state)
{
    (void)state;
    struct tempdir t;
    const uint8_t p[12] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9};
    size_t n, m;
    void *data = NULL;
    tempdir_make(&t);
    const char *path = tempdir_path(&t, "x.png");
    assert_int_equal(ctr_png_write(path, p, 2, 2, 3, 0), 0);
    assert_int_equal(ctr_png_encode(&data, &m, p, 2, 2, 3, 0), 0);
    char *got = tempdir_get(path, &n);
    assert_int_equal(n, m);
    assert_memory_equal(got, data, n);
    assert_int_equal(ctr_png_write("/proc/nowhere/x.png", p, 2, 2, 3, 0), CTR_E_IO);
    free(got);
    free(data);
    tempdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(no_memory),
        cmocka_unit_test(refused),
        cmocka_unit_test(file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
