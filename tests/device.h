/* device.h -- the one device of a test program, that which CTR_TEST_DEVICE names, opened and closed by
 * cmocka_run_group_tests(tests, open_device, close_device). */
#ifndef TESTS_DEVICE_H
#define TESTS_DEVICE_H

#include <stdlib.h>

#include "dev/dev.h"

static ctr_dev *dev;

static inline int open_device(void **state)
{
    (void)state;
    return ctr_dev_open(&dev, getenv("CTR_TEST_DEVICE"), NULL);
}

static inline int close_device(void **state)
{
    (void)state;
    ctr_dev_destroy(&dev);
    return 0;
}

#endif
