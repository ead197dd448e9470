/* The shapes and the streaming loader: same bytes whatever the threads, clean stops, late errors.
 */
#include "data/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "tmp.h"

enum { SIZE = 16, BYTES = SIZE * SIZE * 3 };

static struct ctr_data *open_shapes(unsigned threads, uint64_t seed, const char *split)
{
    struct ctr_data *data = NULL;
    struct ctr_data_params params = {
        .image_size = SIZE, .threads = threads, .seed = seed, .split = split};
    assert_int_equal(ctr_data_open(&data, &params), 0);
    return data;
}

static void shapes_are_balanced_and_fixed(void **state)
{
    (void)state;
    struct ctr_data *a = open_shapes(1, 3, "train"), *b = open_shapes(4, 3, "all"),
                    *c = open_shapes(2, 4, "train"), *t = open_shapes(2, 3, "test");
    size_t n = ctr_data_info(a)->n, count[16] = {0}, same = 0;
    assert_true(n == 5000 && ctr_data_info(t)->n == 1000 && ctr_data_info(b)->n == 6000);
    uint8_t *images[4];
    struct ctr_data *sets[4] = {a, b, c, t};
    for (int i = 0; i < 4; i++) {
        images[i] = malloc(ctr_data_bytes(sets[i]));
        assert_int_equal(ctr_data_read_all(sets[i], images[i], NULL, NULL), 0);
    }
    for (size_t i = 0; i < n; i++)
        count[ctr_data_info(a)->labels[i]]++;
    for (unsigned k = 0; k < ctr_data_info(a)->n_classes; k++)
        assert_int_equal(count[k], n / ctr_data_info(a)->n_classes);
    assert_memory_equal(images[0], images[1], n * BYTES);
    assert_memory_equal(images[3], images[1] + n * BYTES, 1000 * BYTES);
    for (size_t i = 0; i < 1000; i++)
        same += memcmp(images[0] + i * BYTES, images[2] + i * BYTES, BYTES) == 0 ||
                memcmp(images[0] + i * BYTES, images[3] + i * BYTES, BYTES) == 0;
    assert_int_equal(same, 0);
    assert_true(ctr_data_info(a)->hash != ctr_data_info(c)->hash);
    for (int i = 0; i < 4; i++) {
        free(images[i]);
        ctr_data_close(&sets[i]);
    }
}

/* Two epochs, the second added while the first runs; short last batches. */
static void loader_keeps_the_order(void **state)
{
    (void)state;
    enum { N = 203, BATCH = 16 };
    struct ctr_data *data = open_shapes(3, 1, NULL), *plain = open_shapes(1, 1, NULL);
    struct ctr_loader *loader = NULL;
    struct ctr_rng rng;
    uint32_t order[2][5000];
    uint8_t want[BATCH * BYTES];
    for (uint32_t e = 0; e < 2; e++) {
        ctr_rng_init(&rng, 5, CTR_RNG_TEST, e, 0);
        ctr_rng_permutation(&rng, order[e], 5000);
    }
    assert_int_equal(ctr_loader_open(&loader, data, order[0], N, BATCH, 2), 0);
    const uint8_t *images;
    const uint32_t *index;
    size_t n;
    for (size_t e = 0; e < 2; e++)
        for (size_t at = 0; at < N; at += n) {
            assert_int_equal(ctr_loader_next(loader, &images, &index, &n), 0);
            assert_int_equal(n, N - at < BATCH ? N - at : BATCH);
            assert_memory_equal(index, order[e] + at, n * sizeof *index);
            assert_int_equal(ctr_data_read(plain, want, NULL, index, n), 0);
            assert_memory_equal(images, want, n * BYTES);
            if (e == 0 && at == 0)
                assert_int_equal(ctr_loader_add(loader, order[1], N), 0);
        }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ctr_loader_next(loader, &images, &index, &n), 0);
        assert_int_equal(n, 0);
    }
    assert_int_equal(ctr_loader_add(loader, order[1], 1), 0);
    assert_int_equal(ctr_loader_next(loader, &images, &index, &n), 0);
    assert_int_equal(n, 1);
    ctr_loader_close(&loader);
    ctr_data_close(&data);
    ctr_data_close(&plain);
}

static void loader_stops_anywhere(void **state)
{
    (void)state;
    struct ctr_data *data = open_shapes(2, 1, NULL);
    uint32_t order[512];
    for (uint32_t i = 0; i < 512; i++)
        order[i] = i * 7;
    for (unsigned round = 0; round < 60; round++) {
        struct ctr_loader *loader = NULL;
        assert_int_equal(ctr_loader_open(&loader, data, order, 512, 1 + round % 64, 1 + round % 4),
                         0);
        for (unsigned i = 0; i < round % 9; i++) {
            const uint8_t *images;
            const uint32_t *index;
            size_t n;
            assert_int_equal(ctr_loader_next(loader, &images, &index, &n), 0);
            assert_int_equal(index[0], order[i * (1 + round % 64)]);
        }
        if (round % 3 == 0)
            usleep(500 * (round % 5));
        ctr_loader_close(&loader);
        assert_null(loader);
    }
    struct ctr_loader *none = NULL;
    const uint32_t outside = 5000;
    assert_int_equal(ctr_loader_open(&none, data, &outside, 1, 1, 0), CTR_E_USAGE);
    assert_int_equal(ctr_loader_open(&none, data, order, 1, 0, 0), CTR_E_USAGE);
    assert_null(none);
    ctr_data_close(&data);
}

/* Files vanish while batches are made: replaced while few, then the error, again and again. */
static void loader_reports_late(void **state)
{
    (void)state;
    struct tempdir tmp;
    char name[32];
    uint32_t order[100];
    tempdir_make(&tmp);
    for (uint32_t i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%02u.ppm", i);
        tmp_ppm(&tmp, name, (unsigned char)i);
        order[i] = i;
    }
    struct ctr_data *data = NULL;
    struct ctr_loader *loader = NULL;
    struct ctr_data_params params = {.path = tmp.dir, .image_size = 2, .max_bad = 0.1};
    assert_int_equal(ctr_data_open(&data, &params), 0);
    unlink(tmp_path(&tmp, "03.ppm"));
    for (unsigned i = 50; i < 61; i++) {
        snprintf(name, sizeof name, "%02u.ppm", i);
        unlink(tmp_path(&tmp, name));
    }
    assert_int_equal(ctr_loader_open(&loader, data, order, 100, 10, 3), 0);
    const uint8_t *images = NULL;
    const uint32_t *index = NULL;
    size_t n = 0;
    for (unsigned b = 0; b < 5; b++) {
        assert_int_equal(ctr_loader_next(loader, &images, &index, &n), 0);
        for (unsigned i = 0; i < 10; i++) {
            assert_int_equal(index[i], b == 0 && i == 3 ? 4 : b * 10 + i);
            assert_int_equal(images[i * 12], index[i]);
        }
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ctr_loader_next(loader, &images, &index, &n), CTR_E_DATA);
        assert_non_null(strstr(ctr_error_text(), "too many bad images"));
        assert_non_null(strstr(ctr_error_hint(), "cannot open"));
    }
    ctr_loader_close(&loader);
    ctr_data_close(&data);
    tempdir_remove(&tmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_balanced_and_fixed),
        cmocka_unit_test(loader_keeps_the_order),
        cmocka_unit_test(loader_stops_anywhere),
        cmocka_unit_test(loader_reports_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
