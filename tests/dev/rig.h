/* rig.h -- for the tests of the device layer: opening devices, kernels written by the test. Include
 * cmocka.h before. */
#ifndef TESTS_DEV_RIG_H
#define TESTS_DEV_RIG_H

#include "base/os.h"
#include "dev/dev.h"

#include <string.h>

#include "../tempdir.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        if (rc_)                                                                                   \
            print_error("%s: %s\n", #call, ctr_error_text());                                      \
        assert_int_equal(rc_, 0);                                                                  \
    } while (0)

/* The device that CTR_TEST_DEVICE names, else the default one; skips the test when there is none,
 * unless CTR_REQUIRE_DEVICE=1 makes that a failure. */
static inline ctr_dev *rig_open(const struct ctr_dev_params *params)
{
    ctr_dev *dev = NULL;
    int rc = ctr_dev_open(&dev, getenv("CTR_TEST_DEVICE"), params);
    const char *must = getenv("CTR_REQUIRE_DEVICE");
    if (rc == CTR_E_NODEVICE && !(must && strcmp(must, "1") == 0)) {
        print_message("no device: %s\n", ctr_error_text());
        skip();
    }
    assert_ok(rc);
    return dev;
}

static inline void open_null(ctr_dev **dev)
{
    assert_ok(ctr_dev_open(dev, "null", NULL));
    assert_string_equal(ctr_dev_caps(*dev)->name, "null");
}

/* Kernel files of this test's own: cl/NAME holds `text` until rig_kernels_end. */
static inline void rig_kernels(struct tempdir *t, const char *name, const char *text)
{
    tempdir_make(t);
    tempdir_put(tempdir_path(t, name), text, strlen(text));
    setenv("CTR_KERNEL_DIR", t->dir, 1);
}

static inline void rig_kernels_end(struct tempdir *t)
{
    unsetenv("CTR_KERNEL_DIR");
    tempdir_remove(t);
}

#endif
