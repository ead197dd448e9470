/* Buffers on the null device and on a real one: what goes in comes out, views, bounds, messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rig.h"

/* Write, read, fill, views of views: the same on any device. */
static void memory_on(ctr_dev *dev)
{
    enum { N = 1024 };
    size_t align = ctr_dev_caps(dev)->align_bytes, bytes = 4 * align;
    ctr_buf *buf, *view, *inner;
    float in[N], out[N];
    for (int i = 0; i < N; i++)
        in[i] = (float)i;
    assert_true(align >= 256 && (align & (align - 1)) == 0);
    if (bytes < sizeof in)
        bytes = sizeof in;
    assert_ok(ctr_buf_create(&buf, dev, bytes, "root"));
    assert_int_equal(ctr_buf_bytes(buf), bytes);
    assert_ok(ctr_buf_write(buf, 0, in, sizeof in));
    memset(out, 0, sizeof out);
    assert_ok(ctr_buf_read(out, buf, 0, sizeof out));
    assert_memory_equal(in, out, sizeof in);
    assert_ok(ctr_buf_view(&view, buf, align, 2 * align));
    assert_ok(ctr_buf_view(&inner, view, align, align));
    assert_ok(ctr_buf_fill(inner, 4, align - 8, 0x3f800000u)); /* 1.0f */
    assert_ok(ctr_buf_read(out, buf, 0, sizeof out));
    for (size_t i = 0; i < N; i++) {
        int inside = i >= (2 * align + 4) / 4 && i < (3 * align - 4) / 4;
        assert_true(out[i] == (inside ? 1.0f : (float)i));
    }
    struct ctr_dev_stats stats = ctr_dev_stats(dev);
    assert_int_equal(stats.allocations, 1);
    assert_int_equal(stats.live_bytes, bytes);
    /* The memory outlives its root as long as a view is there. */
    ctr_buf_destroy(&buf);
    assert_null(buf);
    assert_ok(ctr_buf_read(out, inner, 0, 4));
    assert_true(out[0] == (float)(2 * align / 4));
    ctr_buf_destroy(&view);
    assert_int_equal(ctr_dev_stats(dev).live_bytes, bytes);
    ctr_buf_destroy(&inner);
    ctr_buf_destroy(&inner);
    assert_int_equal(ctr_dev_stats(dev).live_bytes, 0);
    assert_int_equal(ctr_dev_stats(dev).peak_bytes, bytes);
}

static void bad_memory_on(ctr_dev *dev)
{
    ctr_buf *buf, *view = NULL;
    char byte[8] = {0};
    const struct ctr_caps *caps = ctr_dev_caps(dev);
    assert_int_equal(ctr_buf_create(&buf, dev, 0, "empty"), CTR_E_USAGE);
    if (caps->max_alloc_bytes < SIZE_MAX) {
        assert_int_equal(ctr_buf_create(&buf, dev, caps->max_alloc_bytes + 1, "huge one"),
                         CTR_E_DEVMEM);
        assert_non_null(strstr(ctr_error_text(), "huge one"));
        assert_non_null(strstr(ctr_error_text(), caps->name));
    }
    assert_ok(ctr_buf_create(&buf, dev, 2 * caps->align_bytes, "b"));
    assert_int_equal(ctr_buf_view(&view, buf, 4, 4), CTR_E_USAGE);
    assert_int_equal(ctr_buf_view(&view, buf, caps->align_bytes, caps->align_bytes + 1),
                     CTR_E_USAGE);
    assert_int_equal(ctr_buf_write(buf, 2 * caps->align_bytes - 1, byte, 2), CTR_E_USAGE);
    assert_int_equal(ctr_buf_read(byte, buf, SIZE_MAX, 2), CTR_E_USAGE);
    assert_int_equal(ctr_buf_fill(buf, 2, 4, 0), CTR_E_USAGE);
    assert_null(view);
    ctr_buf_destroy(&buf);
}

static void test_null_memory(void **state)
{
    ctr_dev *dev;
    open_null(&dev);
    memory_on(dev);
    bad_memory_on(dev);
    ctr_dev_destroy(&dev);
    assert_null(dev);
    ctr_dev_destroy(&dev);
}

static void test_memory(void **state)
{
    ctr_dev *dev = rig_open(NULL);
    memory_on(dev);
    bad_memory_on(dev);
    ctr_dev_destroy(&dev);
}

/* More writes than the staging block holds, each still right. */
static void test_writes(void **state)
{
    ctr_dev *dev = rig_open(NULL);
    enum { N = 700000 };
    ctr_buf *buf[6];
    float *data = malloc(N * sizeof *data);
    for (int k = 0; k < 6; k++) {
        assert_ok(ctr_buf_create(&buf[k], dev, N * sizeof *data, "batch"));
        for (int i = 0; i < N; i++)
            data[i] = (float)(i + k);
        assert_ok(ctr_buf_write(buf[k], 0, data, N * sizeof *data));
    }
    for (int k = 0; k < 6; k++) {
        assert_ok(ctr_buf_read(data, buf[k], 0, N * sizeof *data));
        for (int i = 0; i < N; i++)
            assert_true(data[i] == (float)(i + k));
    }
    free(data);
    ctr_dev_destroy(&dev); /* buffers die with it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_memory),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
