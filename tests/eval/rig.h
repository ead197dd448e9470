/* rig.h -- made-up features with classes, and a device, for the tests of src/eval. */
#ifndef CTR_TESTS_EVAL_RIG_H
#define CTR_TESTS_EVAL_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/eval.h"

enum { K = 7 };
static ctr_dev *dev;

/* Clouds around K centres, `apart` deviations of noise away from the origin; feature 3 is constant and
 * each has a scale and an offset of its own. */
static inline struct ctr_features clouds(size_t n, size_t D, float apart, uint32_t stream)
{
    struct ctr_features f = {ctr_alloc(n * D, sizeof(float)), ctr_alloc(n, sizeof(int32_t)), n, D};
    struct ctr_rng centre, noise;
    float *centres = ctr_alloc(K * D, sizeof *centres);
    assert_true(f.x && f.label && centres);
    ctr_rng_init(&centre, 1, CTR_RNG_TEST, 0, 0);
    ctr_rng_init(&noise, 1, CTR_RNG_TEST, stream, 1);
    for (size_t i = 0; i < K * D; i++)
        centres[i] = apart * ctr_rng_normal(&centre);
    for (size_t i = 0; i < n; i++) {
        f.label[i] = (int32_t)ctr_rng_below(&noise, K);
        for (size_t d = 0; d < D; d++) {
            float x = centres[(size_t)f.label[i] * D + d] + ctr_rng_normal(&noise);
            f.x[i * D + d] = d == 3 ? 0.5f : x * (float)(1 + d % 5) + (float)(d % 3);
        }
    }
    free(centres);
    return f;
}

static inline void check(int rc)
{
    if (rc != 0)
        fail_msg("%s", ctr_error_text());
}

/* A test program's main. */
static inline int run_on_device(int (*tests)(void))
{
    const char *must = getenv("CTR_REQUIRE_DEVICE");
    if (ctr_dev_open(&dev, getenv("CTR_TEST_DEVICE"), NULL) != 0)
        return must && *must == '1' ? 1 : 77;
    int rc = tests();
    ctr_dev_destroy(&dev);
    return rc;
}

#endif
