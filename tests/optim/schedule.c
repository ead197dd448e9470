/* Learning rates: ends, corners and shape of each schedule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "optim/optim.h"

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-12 * (1 + fabs(want))))
        fail_msg("%.17g, not %.17g", got, want);
}

static void warms_up_linearly(void **state)
{
    for (enum ctr_schedule_kind kind = CTR_SCHEDULE_COSINE; kind <= CTR_SCHEDULE_STEP; kind++) {
        struct ctr_schedule s = {.kind = kind, .base = 0.5, .warmup = 10, .total = 100};
        near(ctr_schedule_rate(&s, 0), 0.05);
        near(ctr_schedule_rate(&s, 4), 0.25);
        near(ctr_schedule_rate(&s, 9), 0.5);
        near(ctr_schedule_rate(&s, 10), 0.5);
    }
}

static void cosine(void **state)
{
    struct ctr_schedule s = {CTR_SCHEDULE_COSINE, 2, 0.1, 20, 120};
    near(ctr_schedule_rate(&s, 20), 2);
    near(ctr_schedule_rate(&s, 45), 2 * (0.1 + 0.9 * 0.5 * (1 + sqrt(0.5))));
    near(ctr_schedule_rate(&s, 70), 2 * 0.55);
    near(ctr_schedule_rate(&s, 120), 0.2);
    near(ctr_schedule_rate(&s, 1000), 0.2); /* beyond the end it stays */
    for (uint64_t i = 20; i < 120; i++)
        assert_true(ctr_schedule_rate(&s, i + 1) < ctr_schedule_rate(&s, i));
}

static void constant_and_steps(void **state)
{
    struct ctr_schedule s = {.kind = CTR_SCHEDULE_CONSTANT, .base = 3, .total = 10};
    near(ctr_schedule_rate(&s, 0), 3);
    near(ctr_schedule_rate(&s, 99), 3);
    s.kind = CTR_SCHEDULE_STEP;
    const double want[] = {3, 3, 3, 3, 3, 3, 0.3, 0.3, 0.03, 0.03, 0.03};
    for (uint64_t i = 0; i < 11; i++)
        near(ctr_schedule_rate(&s, i), want[i]);
}

/* Runs shorter than their warm-up, and of no steps at all. */
static void degenerate(void **state)
{
    struct ctr_schedule s = {CTR_SCHEDULE_COSINE, 1, 0.5, 10, 5};
    near(ctr_schedule_rate(&s, 4), 0.5);
    near(ctr_schedule_rate(&s, 9), 1);
    near(ctr_schedule_rate(&s, 10), 0.5);
    s = (struct ctr_schedule){CTR_SCHEDULE_COSINE, 1, 0.5, 0, 0};
    near(ctr_schedule_rate(&s, 0), 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warms_up_linearly),
        cmocka_unit_test(cosine),
        cmocka_unit_test(constant_and_steps),
        cmocka_unit_test(degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
