/* Figures of made-up projections whose values are known, and every verdict. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/health.h"

static void near(double a, double b)
{
    assert_true(fabs(a - b) < 1e-6 * (1 + fabs(b)));
}

/* n images along n axes, both views the same. */
static void test_axes(void **state)
{
    enum { N = 8, D = 16 };
    static float z[2 * N * D];
    struct ctr_health h;
    for (size_t i = 0; i < 2 * N; i++)
        z[i * D + i % N] = (float)(1 + i); /* lengths do not count */
    assert_int_equal(ctr_health_measure(&h, z, 2 * N, N, D), 0);
    near(h.alignment, 0);
    near(h.uniformity, -4);
    near(h.rank, N);
    near(h.rank_max, 16);
    /* half the columns are 1 in an eighth of the rows */
    near(h.std, 0.5 * sqrt(1 / 8.0 - 1 / 64.0) * sqrt(D));
    assert_int_equal(ctr_health_measure(&h, z, N, N, D), 0);
    assert_true(isnan(h.alignment));
}

static void test_collapsed(void **state)
{
    enum { N = 9, D = 5 };
    float z[2 * N * D];
    struct ctr_health h;
    for (size_t i = 0; i < 2 * N * D; i++)
        z[i] = (float)(i % D) - 1.5f;
    assert_int_equal(ctr_health_measure(&h, z, 2 * N, N, D), 0);
    assert_true(fabs(h.alignment) < 1e-12 && fabs(h.uniformity) < 1e-12 && h.std < 1e-12);
    near(h.rank, 1);
    memset(z, 0, sizeof z); /* rows without a direction */
    assert_int_equal(ctr_health_measure(&h, z, 2 * N, N, D), 0);
    assert_true(isfinite(h.alignment) && isfinite(h.rank) && h.std == 0);
}

/* Columns of zeros change nothing; the Gram matrix is then that of the rows. And the eigenvalues of
 * a matrix that is known in closed form: a plane and its square root weights. */
static void test_rank(void **state)
{
    enum { ROWS = 20, D = 10, WIDE = 50 };
    static float z[ROWS * D], wide[ROWS * WIDE];
    struct ctr_health a, b;
    struct ctr_rng rng;
    ctr_rng_init(&rng, 1, CTR_RNG_TEST, 0, 0);
    for (size_t i = 0; i < ROWS * D; i++)
        wide[i / D * WIDE + i % D] = z[i] = ctr_rng_normal(&rng);
    assert_int_equal(ctr_health_measure(&a, z, ROWS, ROWS / 2, D), 0);
    assert_int_equal(ctr_health_measure(&b, wide, ROWS, ROWS / 2, WIDE), 0);
    near(a.rank, b.rank);
    near(a.uniformity, b.uniformity);
    assert_true(a.rank > 9 && a.rank < 10); /* random rows use nearly all ten */
    const float plane[] = {1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0.5f, 1, 0, 1, 0};
    assert_int_equal(ctr_health_measure(&a, plane, 10, 5, 2), 0); /* squares: 6 and 4 rows */
    double s = sqrt(6) / (sqrt(6) + sqrt(4)), t = 1 - s;
    near(a.rank, exp(-s * log(s) - t * log(t)));
}

static enum ctr_verdict judge(struct ctr_health_watch *w, double std, double rank, double loss,
                              double top1)
{
    const struct ctr_health h = {.std = std, .rank = rank, .rank_max = 128};
    return ctr_health_judge(w, &h, loss, 5.0, top1);
}

static void test_verdicts(void **state)
{
    struct ctr_health_watch w = {0};
    assert_int_equal(judge(&w, 0.8, 40, 5.0, 0.02), CTR_VERDICT_EARLY);
    assert_int_equal(judge(&w, 0.8, 40, 4.99, 0.02), CTR_VERDICT_STUCK);
    assert_int_equal(judge(&w, 0.8, 40, 4.99, NAN), CTR_VERDICT_STUCK);
    assert_int_equal(judge(&w, 0.8, 40, 4.99, 0.4), CTR_VERDICT_LEARNS); /* a high temperature */
    assert_int_equal(judge(&w, 0.8, 40, 3, 0.4), CTR_VERDICT_LEARNS);
    assert_int_equal(judge(&w, 0.8, 2.5, 3, 0.4), CTR_VERDICT_NARROW);
    assert_int_equal(judge(&w, 0.05, 1.1, 3, 0.4), CTR_VERDICT_COLLAPSE);
    assert_int_equal(judge(&w, 0.8, 40, 3.5, 0.4), CTR_VERDICT_LEARNS);
    assert_int_equal(judge(&w, 0.8, 40, 3.5, 0.4), CTR_VERDICT_LEARNS);
    assert_int_equal(judge(&w, 0.8, 40, 3.5, 0.4), CTR_VERDICT_WORSE);
    assert_int_equal(judge(&w, 0.8, 40, 2.9, 0.4), CTR_VERDICT_LEARNS);
    const struct ctr_health none = {NAN, NAN, NAN, NAN, NAN}; /* guessing among ten */
    assert_int_equal(ctr_health_judge(&w, &none, 2.3, log(10), 0.25), CTR_VERDICT_STUCK);
    assert_int_equal(ctr_health_judge(&w, &none, 2.3, log(10), 0.35), CTR_VERDICT_LEARNS);
    assert_null(ctr_verdict_text(CTR_VERDICT_LEARNS));
    for (int v = CTR_VERDICT_STUCK; v <= CTR_VERDICT_WORSE; v++)
        assert_non_null(ctr_verdict_text((enum ctr_verdict)v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_collapsed),
        cmocka_unit_test(test_rank),
        cmocka_unit_test(test_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
