/* fp16 and bf16 to the bit: every pattern widens to its value, and around every value, at the ties
 * between neighbours and at the ends of the range, fp32 rounds to nearest, ties to even. Ops that do
 * not take such tensors say so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "op/op.h"
#include "storage.h"
#include "../device.h"

enum { PATTERNS = 65536, EXTRA = 12, WIDE = 4 * PATTERNS + EXTRA + 3 }; /* no multiple of a vector */

struct rig {
    ctr_graph *g;
    ctr_tensor *x, *y;
};

static void ok(int rc)
{
    if (rc != 0)
        fail_msg("%s", ctr_error_text());
}

static void cast(struct rig *r, size_t count, enum ctr_dtype from, enum ctr_dtype to,
                 const void *x, void *y)
{
    ok(ctr_graph_create(&r->g, dev, NULL));
    r->x = ctr_graph_input(r->g, "x", from, 1, &count);
    r->y = ctr_cast(r->g, r->x, to);
    ctr_graph_keep(r->y);
    ok(ctr_graph_plan(r->g, NULL));
    ok(ctr_graph_lower(r->g));
    ok(ctr_dev_build(dev, 0, NULL, NULL));
    ok(ctr_tensor_write(r->x, x, r->x->bytes));
    ok(ctr_graph_replay(r->g));
    ok(ctr_tensor_read(y, r->y, r->y->bytes));
    ctr_graph_destroy(&r->g);
}

static void widens(enum ctr_dtype dtype)
{
    struct rig r;
    uint16_t *x = malloc(PATTERNS * sizeof *x);
    float *y = malloc(PATTERNS * sizeof *y);
    for (size_t i = 0; i < PATTERNS; i++)
        x[i] = (uint16_t)i;
    cast(&r, PATTERNS, dtype, CTR_F32, x, y);
    for (size_t i = 0; i < PATTERNS; i++) {
        double want = storage_widen(x[i], dtype);
        if (isnan(want) ? !isnan(y[i]) : (double)y[i] != want || !signbit(y[i]) != !signbit(want))
            fail_msg("%s %04x is %g, not %g", ctr_dtype_name(dtype), x[i], (double)y[i], want);
    }
    free(y);
    free(x);
}

/* Each value, the middle to the next one, and that middle's neighbours. */
static size_t around_all(float *x, enum ctr_dtype dtype)
{
    size_t n = 0;
    for (unsigned i = 0; i < PATTERNS; i++) {
        double here = storage_widen((uint16_t)i, dtype);
        double next = storage_widen((uint16_t)(i + 1), dtype);
        if (isfinite(here) && isfinite(next) && (i + 1) % 32768 != 0) {
            float middle = (float)((here + next) / 2);
            x[n++] = (float)here;
            x[n++] = middle;
            x[n++] = nextafterf(middle, -INFINITY);
            x[n++] = nextafterf(middle, INFINITY);
        }
    }
    return n;
}

static void narrows(enum ctr_dtype dtype)
{
    static const float ends[EXTRA] = {65504, 65519.996f, 65520, -65520, 1e30f,   3.3953e38f,
                                      FLT_MAX, -FLT_MAX, INFINITY, -INFINITY, 0.0f, -0.0f};
    static const uint32_t nans[3] = {0x7f800001, 0x7fffffff, 0xffffffff};
    struct rig r;
    float *x = malloc(WIDE * sizeof *x);
    uint16_t *y = malloc(WIDE * sizeof *y);
    size_t n = around_all(x, dtype);
    memcpy(x + n, ends, sizeof ends);
    memcpy(x + n + EXTRA, nans, sizeof nans);
    n += EXTRA + 3;
    cast(&r, n, CTR_F32, dtype, x, y);
    for (size_t i = 0; i < n; i++) {
        uint16_t want = storage_narrow((double)x[i], dtype);
        if (isnan(x[i]) ? !isnan(storage_widen(y[i], dtype)) : y[i] != want)
            fail_msg("%.9g as %s is %04x, not %04x", (double)x[i], ctr_dtype_name(dtype), y[i],
                     want);
    }
    free(y);
    free(x);
}

static void every_pattern_widens(void **state)
{
    widens(CTR_F16);
    widens(CTR_BF16);
}

static void rounds_to_nearest_even(void **state)
{
    narrows(CTR_F16);
    narrows(CTR_BF16);
}

static void says_what_it_does_not_take(void **state)
{
    ctr_graph *g = NULL;
    ok(ctr_graph_create(&g, dev, NULL));
    ctr_tensor *x = ctr_graph_input(g, "x", CTR_BF16, 2, (size_t[]){2, 3});
    ctr_tensor *w = ctr_graph_input(g, "w", CTR_F32, 2, (size_t[]){4, 3});
    ctr_dense(g, x, w, NULL, 0);
    assert_int_equal(ctr_graph_plan(g, NULL), CTR_E_DEVICE);
    assert_non_null(strstr(ctr_error_text(), "'dense' for bf16"));
    ctr_graph_destroy(&g);
    ok(ctr_graph_create(&g, dev, NULL));
    x = ctr_graph_input(g, "labels", CTR_I32, 1, (size_t[]){2});
    assert_null(ctr_cast(g, x, CTR_F16));
    assert_non_null(strstr(ctr_error_text(), "'labels' is int32"));
    ctr_graph_destroy(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pattern_widens),
        cmocka_unit_test(rounds_to_nearest_even),
        cmocka_unit_test(says_what_it_does_not_take),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
