/* The picture of a table: its colours say what the numbers say, and sizes up to large ones work. */
#include "io/heatmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "base/os.h"
#include "base/status.h"
#include "data/image.h"
#include "../tempdir.h"

static const uint8_t blue[3] = {25, 75, 165}, red[3] = {180, 60, 25}, grey[3] = {224, 224, 224},
                     middle_red[3] = {218, 158, 140};

static struct ctr_image picture(const struct ctr_heatmap *map)
{
    struct tempdir folder;
    struct ctr_image image;
    size_t n;
    tempdir_make(&folder);
    const char *path = tempdir_path(&folder, "map.png");
    if (ctr_heatmap_png(path, map) != 0)
        fail_msg("%s", ctr_error_text());
    char *bytes = tempdir_get(path, &n);
    assert_int_equal(ctr_image_decode(&image, bytes, n, 0), 0);
    free(bytes);
    tempdir_remove(&folder);
    return image;
}

/* Of one colour, give or take its rounding. */
static size_t count(const struct ctr_image *image, const uint8_t rgb[3])
{
    size_t n = 0;
    for (size_t i = 0; i < (size_t)image->width * image->height; i++) {
        const uint8_t *p = image->pixels + 3 * i;
        n += abs(p[0] - rgb[0]) <= 1 && abs(p[1] - rgb[1]) <= 1 && abs(p[2] - rgb[2]) <= 1;
    }
    return n;
}

static void colours(void **state)
{
    static const char *const names[] = {"one", "a name longer than its place", NULL};
    const double value[6] = {10, 20, 40, 0, NAN, 20};
    struct ctr_heatmap map = {.value = value,
                              .rows = 2,
                              .columns = 3,
                              .row_name = names,
                              .column_name = names,
                              .low = 0,
                              .middle = 20,
                              .high = 40,
                              .title = "",
                              .caption = ""};
    struct ctr_image image = picture(&map);
    const size_t cell = 92 * 92, letters = cell / 8, scale = 20 * 92 * 2 / 8;
    size_t n = count(&image, blue); /* each of one cell, less its number, and a bit of the scale */
    assert_in_range(n, cell - letters, cell + scale);
    n = count(&image, red);
    assert_in_range(n, cell - letters, cell + scale);
    n = count(&image, middle_red);
    assert_in_range(n, cell - letters, cell + scale);
    assert_int_equal(count(&image, grey), cell); /* no value, no number */
    ctr_image_free(&image);

    map.middle = 0; /* from white on, to one side */
    image = picture(&map);
    assert_int_equal(count(&image, red), 0);
    ctr_image_free(&image);
    map.apart = 2; /* a gap of 6 pixels of the font */
    struct ctr_image wider = picture(&map);
    map.apart = 0;
    image = picture(&map);
    assert_int_equal(wider.width, image.width + 12);
    ctr_image_free(&wider);
    ctr_image_free(&image);
}

static void equal_values(void **state)
{
    static const char *const names[] = {"x"};
    const double value = 3, none = NAN;
    struct ctr_heatmap map = {.value = &value,
                              .rows = 1,
                              .columns = 1,
                              .row_name = names,
                              .column_name = names,
                              .low = 3,
                              .middle = 3,
                              .high = 3,
                              .title = "",
                              .caption = ""};
    struct ctr_image image = picture(&map);
    assert_int_equal(count(&image, grey), 0);
    ctr_image_free(&image);
    map.value = &none;
    map.low = map.middle = map.high = NAN; /* nothing there yet */
    image = picture(&map);
    assert_int_equal(count(&image, grey), 92 * 92);
    ctr_image_free(&image);
}

static void sizes(void **state)
{
    static const char *const name = "name";
    for (size_t n = 12; n <= 1500; n *= 5) { /* 12, 60, 300, 1500 */
        double *value = calloc(n * n, sizeof *value);
        const char **names = calloc(n, sizeof *names);
        assert_non_null(value);
        assert_non_null(names);
        for (size_t i = 0; i < n; i++)
            names[i] = name, value[i * n + i] = 1;
        struct ctr_image image = picture(&(struct ctr_heatmap){.value = value,
                                                               .rows = n,
                                                               .columns = n,
                                                               .row_name = names,
                                                               .column_name = names,
                                                               .high = 1,
                                                               .title = "title",
                                                               .caption = "caption"});
        assert_true(image.width > n && image.height > n);
        assert_true(count(&image, blue) >= n);
        ctr_image_free(&image);
        free(names);
        free(value);
    }
}

static void not_written(void **state)
{
    static const char *const names[] = {"x"};
    const double value = 0;
    const struct ctr_heatmap map = {.value = &value,
                                    .rows = 1,
                                    .columns = 1,
                                    .row_name = names,
                                    .column_name = names,
                                    .title = "",
                                    .caption = ""};
    assert_int_equal(ctr_heatmap_png("/nowhere/x.png", &map), CTR_E_IO);
    assert_non_null(strstr(ctr_error_text(), "/nowhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colours),
        cmocka_unit_test(equal_values),
        cmocka_unit_test(sizes),
        cmocka_unit_test(not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
