/* Resident and streamed images reach the graph as they were decoded; the batch node hands out an
 * epoch's plan step by step. */
#include "base/mem.h"
#include "data/batch.h"
#include "data/images.h"
#include "../device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { N = 16, LIMIT = 100, PIXELS = 32 * 32 * 3 };

static void reach_the_graph(void **state)
{
    for (int streamed = 0; streamed < 2; streamed++) {
        struct ctr_data *data = NULL;
        struct ctr_images images;
        ctr_graph *g = NULL;
        uint32_t index[N];
        uint8_t bytes[N * PIXELS];
        static float got[N * PIXELS];
        (void)state;
        assert_int_equal(ctr_data_open(&data, &(struct ctr_data_params){.limit = LIMIT}), 0);
        assert_int_equal(ctr_images_open(&images, dev, data, streamed, NULL, NULL), 0);
        assert_int_equal(images.buf == NULL, streamed);
        assert_int_equal(ctr_graph_create(&g, dev, NULL), 0);
        struct ctr_augment_source source = ctr_images_source(&images, g, N, NULL);
        ctr_tensor *x = ctr_augment_plain(g, source, 32, 32, 0);
        ctr_graph_keep(x);
        assert_int_equal(ctr_graph_plan(g, NULL), 0);
        assert_int_equal(ctr_graph_lower(g), 0);
        assert_int_equal(ctr_dev_build(dev, 1, NULL, NULL), 0);
        for (uint32_t i = 0; i < N; i++)
            index[i] = (i * 37 + 5) % LIMIT;
        assert_int_equal(ctr_data_read(data, bytes, NULL, index, N), 0);
        if (streamed)
            assert_int_equal(ctr_tensor_write(source.images, bytes, sizeof bytes), 0);
        assert_int_equal(ctr_tensor_write(source.index, index, sizeof index), 0);
        assert_int_equal(ctr_graph_replay(g), 0);
        assert_int_equal(ctr_tensor_read(got, x, sizeof got), 0);
        for (size_t i = 0; i < N * PIXELS; i++)
            assert_float_equal(got[i], bytes[i] / 255.0, 1e-6);
        ctr_graph_destroy(&g);
        ctr_images_close(&images);
        ctr_data_close(&data);
    }
}

static void plan_step_by_step(void **state)
{
    enum { STEPS = 3, ROWS = 5 };
    struct ctr_batch b;
    ctr_graph *g = NULL;
    uint32_t order[STEPS * ROWS], index[ROWS], step[4];
    const float rates[STEPS] = {0.5f, 0.25f, 0.125f};
    float scalars[2];
    (void)state;
    for (uint32_t i = 0; i < STEPS * ROWS; i++)
        order[i] = 1000 - i;
    assert_int_equal(ctr_graph_create(&g, dev, NULL), 0);
    assert_int_equal(ctr_batch_record(&b, g, STEPS, ROWS, 0x123456789abcdef0u, 0), 0);
    ctr_graph_keep(b.index);
    ctr_graph_keep(b.step);
    ctr_graph_keep(b.scalars);
    assert_int_equal(ctr_graph_plan(g, NULL), 0);
    assert_int_equal(ctr_graph_lower(g), 0);
    assert_int_equal(ctr_dev_build(dev, 1, NULL, NULL), 0);
    assert_int_equal(ctr_batch_begin(&b, 7, 1, 22, order, rates), 0);
    for (uint32_t i = 1; i < STEPS; i++) {
        assert_int_equal(ctr_graph_replay(g), 0);
        assert_int_equal(ctr_tensor_read(index, b.index, sizeof index), 0);
        assert_memory_equal(index, order + i * ROWS, sizeof index);
        assert_int_equal(ctr_tensor_read(step, b.step, sizeof step), 0);
        assert_int_equal(step[0], 0x9abcdef0u);
        assert_int_equal(step[1], 0x12345678u);
        assert_int_equal(step[2], 7);
        assert_int_equal(step[3], 22 + i);
        assert_int_equal(ctr_tensor_read(scalars, b.scalars, sizeof scalars), 0);
        assert_true(scalars[0] == rates[i] && scalars[1] == (float)(22 + i));
    }
    ctr_graph_destroy(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reach_the_graph),
        cmocka_unit_test(plan_step_by_step),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
