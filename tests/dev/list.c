/* The list of devices against drivers that are absent, work, abort, exit, hang; and selection over
 * made-up lists. Each case of a bad driver is a tiny OpenCL library built by the test set-up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "clcontrast/device.h"
#include "dev/impl.h"

#include "rig.h"

static void test_no_platform(void **state)
{
    struct ctr_device_list *list = NULL;
    char *was = getenv("OCL_ICD_VENDORS") ? strdup(getenv("OCL_ICD_VENDORS")) : NULL;
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    assert_ok(ctr_devices_list(&list, 1));
    assert_int_equal(list->n_platforms, 0);
    assert_int_equal(list->n_devices, 0);
    ctr_devices_free(&list);
    assert_null(list);
    ctr_devices_free(&list);
    if (was)
        setenv("OCL_ICD_VENDORS", was, 1);
    else
        unsetenv("OCL_ICD_VENDORS");
    free(was);
}

static void test_real(void **state)
{
    struct ctr_device_list *list = NULL;
    unsigned in_platforms = 0;
    assert_ok(ctr_devices_list(&list, 1));
    const char *must = getenv("CTR_REQUIRE_DEVICE");
    if (list->n_devices == 0 && !(must && strcmp(must, "1") == 0)) {
        ctr_devices_free(&list);
        skip();
    }
    assert_true(list->n_devices > 0);
    for (unsigned i = 0; i < list->n_platforms; i++) {
        in_platforms += list->platforms[i].n_devices;
        assert_true(list->platforms[i].name[0] != '\0');
        assert_true((list->platforms[i].n_devices == 0) == (list->platforms[i].hint[0] != '\0'));
    }
    assert_int_equal(in_platforms, list->n_devices);
    unsigned ok = 0;
    for (unsigned i = 0; i < list->n_devices; i++) {
        const struct ctr_device_info *d = &list->devices[i];
        assert_int_equal(d->index, i);
        assert_true(d->platform < list->n_platforms);
        assert_true(d->name[0] && d->driver[0] && d->global_bytes && d->max_alloc_bytes);
        assert_true(strcmp(d->family, "cpu") == 0 || strcmp(d->family, "gpu") == 0);
        assert_true(d->probe[0] != '\0');
        assert_true(d->alias_of < (int)i);
        ok += (unsigned)d->ok;
        if (d->ok)
            assert_string_equal(d->probe, "ok");
    }
    assert_true(ok > 0);
    ctr_devices_free(&list);
}

/* A driver library that misbehaves in a chosen way; see bad_driver.c. */
static void with_bad_driver(const char *how, const char *says, int listed)
{
    struct ctr_device_list *list = NULL;
    const char *vendors = getenv("CTR_BAD_DRIVER");
    if (!vendors)
        skip();
    char *was = getenv("OCL_ICD_VENDORS") ? strdup(getenv("OCL_ICD_VENDORS")) : NULL;
    setenv("OCL_ICD_VENDORS", vendors, 1);
    setenv("BAD_DRIVER", how, 1);
    int rc = ctr_devices_list(&list, 1);
    if (was)
        setenv("OCL_ICD_VENDORS", was, 1);
    else
        unsetenv("OCL_ICD_VENDORS");
    free(was);
    if (!listed) {
        assert_int_equal(rc, CTR_E_FAIL);
        if (!strstr(ctr_error_text(), says))
            fail_msg("'%s' does not say '%s'", ctr_error_text(), says);
        assert_null(list);
        return;
    }
    assert_ok(rc);
    assert_int_equal(list->n_devices, 1);
    assert_string_equal(list->devices[0].name, "bad device");
    assert_int_equal(list->devices[0].ok, 0);
    if (!strstr(list->devices[0].probe, says))
        fail_msg("'%s' does not say '%s'", list->devices[0].probe, says);
    ctr_devices_free(&list);
}

static void test_aborts_when_found(void **state)
{
    with_bad_driver("abort-discover", "signal 6", 0);
}

static void test_exits_when_found(void **state)
{
    with_bad_driver("exit-discover", "status 3", 0);
}

static void test_aborts_when_used(void **state)
{
    with_bad_driver("abort-context", "driver aborted (signal 6): the linker is missing", 1);
}

static void test_fails_when_used(void **state)
{
    with_bad_driver("fail-context", "clCreateContext: CL_OUT_OF_HOST_MEMORY (-6)", 1);
}

/* ---- selection ---- */

static struct ctr_device_info devices[4] = {
    {.index = 0, .platform = 0, .device = 0, .kind = CTR_DEVICE_CPU, .name = "Big Processor"},
    {.index = 1, .platform = 1, .device = 0, .kind = CTR_DEVICE_GPU, .name = "Fast Card"},
    {.index = 2, .platform = 1, .device = 1, .kind = CTR_DEVICE_GPU, .name = "Slow card"},
    {.index = 3, .platform = 2, .device = 0, .kind = CTR_DEVICE_ACCELERATOR, .name = "Box"},
};
static struct ctr_platform_info platforms[3];

static void select_as(const char *selector, unsigned n, unsigned first, unsigned last)
{
    struct ctr_device_list list = {
        .n_platforms = 3, .n_devices = 4, .platforms = platforms, .devices = devices};
    unsigned order[4], got;
    for (int i = 0; i < 4; i++)
        devices[i].available = i != 2;
    assert_ok(ctr_select(order, &got, &list, selector));
    assert_int_equal(got, n);
    assert_int_equal(order[0], first);
    assert_int_equal(order[got - 1], last);
}

static void select_fails(const char *selector, int code, const char *says)
{
    struct ctr_device_list list = {
        .n_platforms = 3, .n_devices = 4, .platforms = platforms, .devices = devices};
    unsigned order[4], got;
    for (int i = 0; i < 4; i++)
        devices[i].available = i != 2;
    assert_int_equal(ctr_select(order, &got, &list, selector), code);
    if (!strstr(ctr_error_text(), says))
        fail_msg("'%s' does not say '%s'", ctr_error_text(), says);
    assert_non_null(strstr(ctr_error_hint(), "2 'Slow card' (not available)"));
    assert_non_null(strstr(ctr_error_hint(), "'null'"));
}

static void test_select(void **state)
{
    select_as(NULL, 3, 1, 3);
    select_as("", 3, 1, 3);
    select_as("0", 1, 0, 0);
    select_as("3", 1, 3, 3);
    select_as("1:0", 1, 1, 1);
    select_as("cpu", 1, 0, 0);
    select_as("GPU", 1, 1, 1);
    select_as("fast", 1, 1, 1);
    select_as("box", 1, 3, 3);
    select_fails("4", CTR_E_USAGE, "there is no device '4'");
    select_fails("-1", CTR_E_USAGE, "'-1'");
    select_fails("99999999999999999999999", CTR_E_USAGE, "'9999");
    select_fails("1:7", CTR_E_USAGE, "'1:7'");
    select_fails("1:", CTR_E_USAGE, "'1:'");
    select_fails("2", CTR_E_NODEVICE, "not available: '2'");
    select_fails("o", CTR_E_USAGE, "more than one device is called 'o'");
    select_fails("slow", CTR_E_USAGE, "there is no device 'slow'");
}

static void test_select_nothing(void **state)
{
    struct ctr_device_list none = {0};
    struct ctr_platform_info empty[] = {{.name = "rusticl", .hint = "set RUSTICL_ENABLE"},
                                        {.name = "x"}};
    unsigned order[1], got;
    assert_int_equal(ctr_select(order, &got, &none, NULL), CTR_E_NODEVICE);
    assert_non_null(strstr(ctr_error_hint(), "pocl-opencl-icd"));
    none.n_platforms = 2;
    none.platforms = empty;
    assert_int_equal(ctr_select(order, &got, &none, "0"), CTR_E_NODEVICE);
    assert_non_null(strstr(ctr_error_hint(), "RUSTICL_ENABLE"));
}

int main(void)
{
    /* Before anything else touches OpenCL in this process: the list forks. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_platform),
        cmocka_unit_test(test_real),
        cmocka_unit_test(test_aborts_when_found),
        cmocka_unit_test(test_exits_when_found),
        cmocka_unit_test(test_aborts_when_used),
        cmocka_unit_test(test_fails_when_used),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_select_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
