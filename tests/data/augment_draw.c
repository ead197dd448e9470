/* The draws of augmentation: equal to the host's, distributed as they claim, and a function of
 * (seed, epoch, sample, view) alone. */
#include "augment_rig.h"

struct drawing {
    size_t N, V, SH, SW;
    uint64_t seed;
    uint32_t epoch, first;
    int backwards; /* sample numbers fall instead of rise */
    struct ctr_augment_params params;
};

static uint32_t sample_of(const struct drawing *d, size_t i)
{
    return d->first + (uint32_t)(d->backwards ? d->N - 1 - i : i);
}

static float *drawn(const struct drawing *d)
{
    float *draws = room(d->N * d->V, CTR_DRAWS * sizeof *draws);
    uint32_t *index = room(d->N, sizeof *index);
    for (size_t i = 0; i < d->N; i++)
        index[i] = sample_of(d, i);
    struct rig r;
    rig_open(&r, 1, d->N, d->SH, d->SW, 0);
    r.step = ctr_graph_input(r.g, "step", CTR_U32, 1, (size_t[]){CTR_STEP_WORDS});
    r.out = ctr_augment_draw(r.g, r.source, r.step, d->V, 32, 32, &d->params);
    rig_build(&r, NULL);
    put(r.source.index, index);
    put(r.step, (uint32_t[CTR_STEP_WORDS]){(uint32_t)d->seed, (uint32_t)(d->seed >> 32), d->epoch});
    rig_run(&r, draws);
    rig_close(&r);
    free(index);
    return draws;
}

static struct drawing usual(void)
{
    return (struct drawing){.N = 4096,
                            .V = 2,
                            .SH = 32,
                            .SW = 32,
                            .seed = 0x123456789abcull,
                            .epoch = 3,
                            .first = 100,
                            .params = ctr_augment_large()};
}

/* The crop's sides are rounded from numbers that differ in the last bits, so a few rows in 8192 may
 * have another crop; all else agrees to a rounding. */
static void draws_equal_host(void **state)
{
    (void)state;
    struct drawing d = usual();
    float *got = drawn(&d);
    unsigned other_crop = 0;
    for (size_t i = 0; i < d.N * d.V; i++) {
        double want[CTR_DRAWS];
        const float *row = got + i * CTR_DRAWS;
        ref_augment_draw(want, &d.params, d.seed, d.epoch, sample_of(&d, i % d.N),
                         (uint32_t)(i / d.N), d.SH, d.SW);
        int differs = 0;
        for (int k = 0; k < CTR_DRAWS; k++) {
            int crop = k <= CTR_DRAW_WIDTH || k == CTR_DRAW_ATTEMPTS;
            differs |= crop && row[k] != (float)want[k];
            if (!crop && !(fabs(row[k] - want[k]) < 1e-6))
                fail_msg("row %zu, draw %d: %.9g, not %.9g", i, k, row[k], want[k]);
        }
        other_crop += (unsigned)differs;
    }
    assert_true(other_crop <= 4);
    free(got);
}

struct moments {
    double mean, deviation;
};

static struct moments moments(const float *draws, size_t rows, int column)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < rows; i++) {
        double x = draws[i * CTR_DRAWS + (size_t)column];
        sum += x;
        square += x * x;
    }
    sum /= (double)rows;
    return (struct moments){sum, sqrt(square / (double)rows - sum * sum)};
}

/* Within five standard errors: a right generator fails once in a million runs, and this one draws
 * the same numbers each time. */
static void assert_moments(const float *draws, size_t rows, int column, double mean,
                           double deviation)
{
    struct moments m = moments(draws, rows, column);
    double error = deviation / sqrt((double)rows);
    if (fabs(m.mean - mean) > 5 * error || fabs(m.deviation - deviation) > 5 * error)
        fail_msg("column %d: mean %.4f, deviation %.4f; not %.4f, %.4f", column, m.mean,
                 m.deviation, mean, deviation);
}

static void draws_have_their_distributions(void **state)
{
    (void)state;
    struct drawing d = usual();
    d.SH = d.SW = 512; /* so that rounding to pixels does not show */
    size_t rows = d.N * d.V;
    float *draws = drawn(&d);
    const double third = 1 / sqrt(3);
    assert_moments(draws, rows, CTR_DRAW_FLIP, 0.5, 0.5);
    assert_moments(draws, rows, CTR_DRAW_JITTER, 0.8, 0.4);
    assert_moments(draws, rows, CTR_DRAW_GRAY, 0.2, 0.4);
    assert_moments(draws, rows, CTR_DRAW_ORDER, 11.5, sqrt((24 * 24 - 1) / 12.0));
    for (int k = 0; k < 3; k++)
        assert_moments(draws, rows, CTR_DRAW_BRIGHTNESS + k, 1, 0.8 * third);
    assert_moments(draws, rows, CTR_DRAW_HUE, 0, 0.2 * third);
    size_t blurred = 0, fallback = 0;
    double sigma = 0;
    for (size_t i = 0; i < rows; i++) {
        const float *row = draws + i * CTR_DRAWS;
        double area = row[CTR_DRAW_HEIGHT] * row[CTR_DRAW_WIDTH] / (512.0 * 512.0);
        double aspect = row[CTR_DRAW_WIDTH] / row[CTR_DRAW_HEIGHT];
        assert_true(area > 0.079 && area <= 1 && aspect > 0.744 && aspect < 1.345);
        assert_true(row[CTR_DRAW_TOP] + row[CTR_DRAW_HEIGHT] <= 512 && row[CTR_DRAW_TOP] >= 0);
        assert_true(row[CTR_DRAW_LEFT] + row[CTR_DRAW_WIDTH] <= 512 && row[CTR_DRAW_LEFT] >= 0);
        blurred += row[CTR_DRAW_SIGMA] > 0;
        sigma += row[CTR_DRAW_SIGMA];
        fallback += row[CTR_DRAW_ATTEMPTS] == 0;
    }
    double n = (double)rows;
    assert_true(fabs((double)blurred / n - 0.5) < 5 * 0.5 / sqrt(n));
    assert_true(fabs(sigma / (double)blurred - 1.05) < 5 * 1.9 / sqrt(12) / sqrt(n / 2));
    assert_true(fallback <= 1);
    free(draws);
}

static void all_orders_come(void **state)
{
    (void)state;
    struct drawing d = usual();
    unsigned seen[24] = {0};
    float *draws = drawn(&d);
    for (size_t i = 0; i < d.N * d.V; i++)
        seen[(int)draws[i * CTR_DRAWS + CTR_DRAW_ORDER]]++;
    /* 341 expected, deviation 18. */
    for (int k = 0; k < 24; k++)
        assert_in_range(seen[k], 341 - 91, 341 + 91);
    free(draws);
}

static size_t equal_rows(const float *a, const float *b, size_t rows)
{
    size_t n = 0;
    for (size_t i = 0; i < rows; i++)
        n += memcmp(a + i * CTR_DRAWS, b + i * CTR_DRAWS, CTR_DRAWS * sizeof *a) == 0;
    return n;
}

static void draws_follow_the_sample_alone(void **state)
{
    (void)state;
    struct drawing d = usual(), other;
    d.N = 64;
    const size_t rows = d.N * d.V;
    float *a = drawn(&d), *b;

    other = d;
    other.backwards = 1;
    b = drawn(&other);
    for (size_t v = 0; v < d.V; v++)
        for (size_t i = 0; i < d.N; i++)
            assert_memory_equal(a + (v * d.N + i) * CTR_DRAWS,
                                b + (v * d.N + d.N - 1 - i) * CTR_DRAWS, CTR_DRAWS * sizeof *a);
    free(b);
    assert_int_equal(equal_rows(a, a + d.N * CTR_DRAWS, d.N), 0); /* views differ */

    for (int k = 0; k < 4; k++) {
        other = d;
        other.seed += k == 0 ? 1 : k == 1 ? 1ull << 32 : 0;
        other.epoch += k == 2;
        other.first += k == 3 ? 64 : 0;
        b = drawn(&other);
        assert_int_equal(equal_rows(a, b, rows), 0);
        free(b);
    }
    free(a);
}

static void options_do_not_move_other_draws(void **state)
{
    (void)state;
    struct drawing d = usual(), other = d;
    d.N = other.N = 64;
    other.params.flip_p = other.params.jitter_p = other.params.gray_p = other.params.blur_p = 0;
    other.params.brightness = 0;
    float *a = drawn(&d), *b = drawn(&other);
    for (size_t i = 0; i < d.N * d.V; i++) {
        const float *p = a + i * CTR_DRAWS, *q = b + i * CTR_DRAWS;
        assert_memory_equal(p, q, 4 * sizeof *p);
        assert_true(p[CTR_DRAW_HUE] == q[CTR_DRAW_HUE] && p[CTR_DRAW_ORDER] == q[CTR_DRAW_ORDER]);
        assert_true(q[CTR_DRAW_FLIP] == 0 && q[CTR_DRAW_JITTER] == 0 && q[CTR_DRAW_GRAY] == 0 &&
                    q[CTR_DRAW_SIGMA] == 0 && q[CTR_DRAW_BRIGHTNESS] == 1);
    }
    free(a);
    free(b);
}

static void hopeless_crops_fall_back_to_the_centre(void **state)
{
    (void)state;
    struct drawing d = usual();
    d.N = 16;
    d.params.area_min = 0.9f;
    for (int tall = 0; tall < 2; tall++) {
        d.SH = tall ? 64 : 8;
        d.SW = tall ? 8 : 64;
        float *draws = drawn(&d);
        for (size_t i = 0; i < d.N * d.V; i++) {
            const float *row = draws + i * CTR_DRAWS;
            assert_true(row[CTR_DRAW_ATTEMPTS] == 0);
            assert_true(row[tall ? CTR_DRAW_HEIGHT : CTR_DRAW_WIDTH] == 11);
            assert_true(row[tall ? CTR_DRAW_WIDTH : CTR_DRAW_HEIGHT] == 8);
            assert_true(row[tall ? CTR_DRAW_TOP : CTR_DRAW_LEFT] == 26);
            assert_true(row[tall ? CTR_DRAW_LEFT : CTR_DRAW_TOP] == 0);
        }
        free(draws);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_follow_the_sample_alone),
        cmocka_unit_test(options_do_not_move_other_draws),
        cmocka_unit_test(hopeless_crops_fall_back_to_the_centre),
    };
    const struct CMUnitTest many[] = {
        cmocka_unit_test(draws_equal_host),
        cmocka_unit_test(draws_have_their_distributions),
        cmocka_unit_test(all_orders_come),
    };
    need_device();
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rc += tiny() ? 0 : cmocka_run_group_tests(many, NULL, NULL);
    ctr_dev_destroy(&dev);
    return rc;
}
