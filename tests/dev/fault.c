/* Faults of the driver, injected by fault_layer.c: each becomes a message and a code, nothing
 * leaks, and after a fatal one the driver is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "rig.h"

static const char twice[] = "kernel void twice(global float *y) { y[get_global_id(0)] *= 2.0f; }\n";

static ctr_dev *open_with_layer(const struct ctr_dev_params *params)
{
    if (!getenv("OPENCL_LAYERS")) {
        print_message("no fault layer\n");
        skip();
    }
    unsetenv("FAULT");
    unsetenv("FAULT_CALLS");
    return rig_open(params);
}

static void close_after(ctr_dev *dev)
{
    unsetenv("FAULT");
    ctr_dev_destroy(&dev);
}

static void test_no_memory(void **state)
{
    static const int codes[] = {-4, -5, -6, -61};
    ctr_dev *dev = open_with_layer(NULL);
    for (int i = 0; i < 4; i++) {
        char fault[64];
        ctr_buf *a = NULL, *b = NULL;
        snprintf(fault, sizeof fault, "clCreateBuffer 2 %d", codes[i]);
        setenv("FAULT", fault, 1);
        assert_ok(ctr_buf_create(&a, dev, 1024, "first"));
        assert_int_equal(ctr_buf_create(&b, dev, 4096, "second"), CTR_E_DEVMEM);
        assert_null(b);
        assert_non_null(strstr(ctr_error_text(), "'second' needs 4096 bytes"));
        assert_non_null(strstr(ctr_error_text(), "clCreateBuffer"));
        assert_int_equal(ctr_dev_stats(dev).live_bytes, 1024);
        /* Not fatal: the device goes on. */
        assert_ok(ctr_buf_create(&b, dev, 4096, "second"));
        ctr_buf_destroy(&a);
        ctr_buf_destroy(&b);
    }
    close_after(dev);
}

static ctr_launch *make_launch(ctr_dev *dev, ctr_buf **y, struct tempdir *dir)
{
    ctr_launch *launch;
    rig_kernels(dir, "twice.cl", twice);
    assert_ok(ctr_buf_create(y, dev, 64, "y"));
    struct ctr_launch_spec spec = {
        .file = "twice.cl", .kernel = "twice", .global = {16}, .args = {CTR_BUF(*y)}, .n_args = 1};
    assert_ok(ctr_launch_create(&launch, dev, &spec));
    assert_ok(ctr_dev_build(dev, 1, NULL, NULL));
    rig_kernels_end(dir);
    return launch;
}

static void test_fatal_launch(void **state)
{
    static const struct {
        int code;
        const char *name;
    } faults[] = {{-5, "CL_OUT_OF_RESOURCES (-5)"},
                  {-36, "CL_INVALID_COMMAND_QUEUE (-36)"},
                  {-9999, "illegal memory access in a kernel (-9999)"}};
    for (int i = 0; i < 3; i++) {
        char fault[64];
        ctr_buf *y;
        struct tempdir dir;
        ctr_dev *dev = open_with_layer(NULL);
        ctr_launch *launch = make_launch(dev, &y, &dir);
        snprintf(fault, sizeof fault, "clEnqueueNDRangeKernel 2 %d", faults[i].code);
        setenv("FAULT", fault, 1);
        assert_ok(ctr_launch_run(launch));
        assert_int_equal(ctr_launch_run(launch), CTR_E_DEVICE);
        if (!strstr(ctr_error_text(), faults[i].name) || !strstr(ctr_error_text(), "in 'twice'"))
            fail_msg("'%s'", ctr_error_text());
        float data[16];
        assert_int_equal(ctr_launch_run(launch), CTR_E_DEVICE);
        assert_non_null(strstr(ctr_error_text(), "lost"));
        assert_non_null(strstr(ctr_error_text(), faults[i].name));
        assert_int_equal(ctr_buf_read(data, y, 0, 64), CTR_E_DEVICE);
        assert_int_equal(ctr_dev_finish(dev), CTR_E_DEVICE);
        assert_int_equal(ctr_dev_build(dev, 0, NULL, NULL), CTR_E_DEVICE);
        ctr_buf_destroy(&y);
        ctr_dev_destroy(&dev); /* with the fault still set: calls would be counted */
        assert_null(getenv("FAULT_CALLS"));
        close_after(dev);
    }
}

static void test_other_launch_fault(void **state)
{
    ctr_buf *y;
    struct tempdir dir;
    ctr_dev *dev = open_with_layer(NULL);
    ctr_launch *launch = make_launch(dev, &y, &dir);
    setenv("FAULT", "clEnqueueNDRangeKernel 1 -4", 1);
    assert_int_equal(ctr_launch_run(launch), CTR_E_DEVMEM);
    assert_ok(ctr_launch_run(launch));
    setenv("FAULT", "clFinish 1 -14", 1);
    assert_int_equal(ctr_dev_finish(dev), CTR_E_DEVICE);
    assert_non_null(strstr(ctr_error_text(), "clFinish"));
    assert_int_equal(ctr_launch_run(launch), CTR_E_DEVICE);
    close_after(dev);
}

/* With sync, a fault that the queue reports late still names its kernel. */
static void test_sync(void **state)
{
    ctr_buf *y;
    struct tempdir dir;
    ctr_dev *dev = open_with_layer(&(struct ctr_dev_params){.sync = 1});
    ctr_launch *launch = make_launch(dev, &y, &dir);
    assert_ok(ctr_launch_run(launch));
    setenv("FAULT", "clFinish 1 -14", 1);
    assert_int_equal(ctr_launch_run(launch), CTR_E_DEVICE);
    assert_non_null(strstr(ctr_error_text(), "after 'twice': clFinish"));
    close_after(dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_fatal_launch),
        cmocka_unit_test(test_other_launch_fault),
        cmocka_unit_test(test_sync),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
