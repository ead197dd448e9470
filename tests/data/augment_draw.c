/* The draws of augmentation: equal to the host's, distributed as they claim, and a function of
 * (seed, epoch, sample, view) alone. */
#include "augment_rig.h"

struct drawing {
    size_t N, V, SH, SW, H, W;
    uint64_t seed;
    uint32_t epoch, first;
    int backwards; /* sample numbers fall instead of rise */
    struct ctr_augment_params params;
};

static uint32_t sample_of(const struct drawing *d, size_t i)
{
    return d->first + (uint32_t)(d->backwards ? d->N - 1 - i : i);
}

static size_t width(const struct drawing *d)
{
    return ctr_augment_row(&d->params);
}

static float *drawn(const struct drawing *d)
{
    float *draws = room(d->N * d->V, width(d) * sizeof *draws);
    uint32_t *index = room(d->N, sizeof *index);
    for (size_t i = 0; i < d->N; i++)
        index[i] = sample_of(d, i);
    struct rig r;
    rig_open(&r, 1, d->N, d->SH, d->SW, 0);
    r.step = ctr_graph_input(r.g, "step", CTR_U32, 1, (size_t[]){CTR_STEP_WORDS});
    r.out = ctr_augment_draw(r.g, r.source, r.step, d->V, d->H, d->W, &d->params);
    rig_build(&r, NULL);
    put(r.source.index, index);
    put(r.step, (uint32_t[CTR_STEP_WORDS]){(uint32_t)d->seed, (uint32_t)(d->seed >> 32), d->epoch});
    rig_run(&r, draws);
    rig_close(&r);
    free(index);
    return draws;
}

static struct drawing drawing(const char *line)
{
    return (struct drawing){.N = 4096,
                            .V = 2,
                            .SH = 32,
                            .SW = 32,
                            .H = 32,
                            .W = 32,
                            .seed = 0x123456789abcull,
                            .epoch = 3,
                            .first = 100,
                            .params = parsed(line)};
}

/* The first operation of that code in a row, or NULL. */
static const float *find(const float *row, enum ctr_do code)
{
    for (int k = 0; k < (int)row[CTR_DRAW_COUNT]; k++)
        if (row[CTR_DRAW_FIRST + k * CTR_DO_FLOATS] == code)
            return row + CTR_DRAW_FIRST + k * CTR_DO_FLOATS;
    return NULL;
}

/* ---- equal to the host's ---- */

/* What is rounded to pixels comes from numbers that differ in the last bits, so a few rows in 8192
 * may have another rectangle; all else agrees to a rounding. */
static int whole_number(const float *row, size_t k)
{
    size_t op = CTR_DRAW_FIRST + (k - CTR_DRAW_FIRST) / CTR_DO_FLOATS * CTR_DO_FLOATS;
    if (k < CTR_DRAW_FIRST)
        return 1;
    return row[op] == CTR_DO_RECT || row[op] == CTR_DO_WARP;
}

static void draws_equal_host(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "large",
        "small | none",
        "patch(3,0.4;0.9) crop(0.3,1,1,2;0.7) vflip rotate90 flip jitter blur(;1) rotate90 vflip",
        "crop crop(0.5) rotate(90) translate(0.2,0.3;.7) affine(20,.2,.1,.5,2,30) gray "
        "solarize(.3)",
        "posterize(3) autocontrast equalize noise(.2;.5) sobel cutout(.3,.1;.8) "
        "erase(.1,.6,.2,5,.3;.9)",
        "jitter(.2,0,.3) jitter gray gray blur blur noise noise cutout cutout erase erase rotate "
        "rotate",
    };
    for (size_t l = 0; l < sizeof lines / sizeof *lines; l++) {
        struct drawing d = drawing(lines[l]);
        d.params.first_view = l == 2 ? 5 : 0;
        d.SW = l == 3 ? 47 : 32;
        float *got = drawn(&d);
        unsigned others = 0;
        for (size_t i = 0; i < d.N * d.V; i++) {
            double want[REF_AUGMENT_ROW];
            const float *row = got + i * width(&d);
            ref_augment_draw(want, &d.params, d.seed, d.epoch, sample_of(&d, i % d.N),
                             (uint32_t)(i / d.N), d.SH, d.SW, d.H, d.W);
            int other = 0;
            for (size_t k = 0; k < width(&d); k++) {
                int differs = !(fabs(row[k] - want[k]) < 2e-6 * (1 + fabs(want[k])));
                other |= differs && whole_number(row, k);
                if (differs && !whole_number(row, k))
                    fail_msg("line %zu, row %zu, draw %zu: %.9g, not %.9g", l, i, k, row[k],
                             want[k]);
            }
            others += (unsigned)other;
        }
        if (others > 6)
            fail_msg("line %zu: %u rows differ", l, others);
        free(got);
    }
}

/* ---- distributions ---- */

struct moments {
    double n, mean, deviation;
};

static void note(struct moments *m, double x) /* as sums */
{
    m->n++;
    m->mean += x;
    m->deviation += x * x;
}

/* Within five standard errors: a right generator fails once in a million runs, and this one draws
 * the same numbers each time. */
static void assert_moments(const char *name, struct moments sums, double mean, double deviation)
{
    double m = sums.mean / sums.n, s = sqrt(fmax(0, sums.deviation / sums.n - m * m));
    double error = deviation / sqrt(sums.n);
    if (fabs(m - mean) > 5 * error || fabs(s - deviation) > 5 * error)
        fail_msg("%s: mean %.4f, deviation %.4f; not %.4f, %.4f", name, m, s, mean, deviation);
}

/* Every transformation at p = 0.3 is there in 30 % of the views. */
static void probabilities_hold(void **state)
{
    (void)state;
    for (int kind = CTR_T_JITTER; kind < CTR_TRANSFORMS + 3; kind++) {
        char line[64];
        int warp = CTR_TRANSFORMS - 1 - kind + CTR_T_ROTATE; /* past the end: the three warps */
        int k = kind < CTR_TRANSFORMS ? kind : warp + 3;
        const struct ctr_transform *t = &ctr_transforms[k];
        snprintf(line, sizeof line, "%s(%s0.3)", t->name, t->value[0].name ? ";" : "");
        struct drawing d = drawing(line);
        struct moments there = {0};
        float *draws = drawn(&d);
        for (size_t i = 0; i < d.N * d.V; i++)
            note(&there, draws[i * width(&d) + CTR_DRAW_COUNT] > 0);
        assert_moments(line, there, 0.3, sqrt(0.3 * 0.7));
        free(draws);
    }
}

/* Flips and turns go into the crop; each symmetry as often as it should. */
static void symmetries_come(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        double part[8];
    } cases[] = {
        {"flip(0.3)", {0.7, 0.3}},
        {"vflip(0.3)", {0.7, 0, 0.3}},
        {"crop flip(0.5) vflip(0.5)", {0.25, 0.25, 0.25, 0.25}},
        {"rotate90", {0.25, 0, 0, 0.25, 0, 0.25, 0.25, 0}},
        {"rotate90 flip", {0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125, 0.125}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int later = 0; later < 2; later++) {
            char line[64];
            snprintf(line, sizeof line, "%s%s", later ? "sobel(1) " : "",
                     cases[c].line + (later && c == 2 ? 5 : 0));
            struct drawing d = drawing(line);
            double n = (double)(d.N * d.V), seen[8] = {0};
            float *draws = drawn(&d);
            for (size_t i = 0; i < d.N * d.V; i++) {
                const float *row = draws + i * width(&d), *op = find(row, CTR_DO_MOVE);
                seen[later ? op ? (int)op[1] : 0 : (int)row[CTR_DRAW_MOVE]]++;
            }
            for (int k = 0; k < 8; k++) {
                double p = cases[c].part[k];
                if (fabs(seen[k] / n - p) > 5 * sqrt(p * (1 - p) / n))
                    fail_msg("%s: %g of symmetry %d, not %g", line, seen[k] / n, k, p);
            }
            free(draws);
        }
}

static void crops_have_their_distribution(void **state)
{
    (void)state;
    struct drawing d = drawing("large");
    d.SH = d.SW = 512; /* so that rounding to pixels does not show */
    size_t rows = d.N * d.V, fallback = 0;
    float *draws = drawn(&d);
    for (size_t i = 0; i < rows; i++) {
        const float *row = draws + i * width(&d);
        double area = row[CTR_DRAW_HEIGHT] * row[CTR_DRAW_WIDTH] / (512.0 * 512.0);
        double aspect = row[CTR_DRAW_WIDTH] / row[CTR_DRAW_HEIGHT];
        assert_true(area > 0.079 && area <= 1 && aspect > 0.744 && aspect < 1.345);
        assert_true(row[CTR_DRAW_TOP] + row[CTR_DRAW_HEIGHT] <= 512 && row[CTR_DRAW_TOP] >= 0);
        assert_true(row[CTR_DRAW_LEFT] + row[CTR_DRAW_WIDTH] <= 512 && row[CTR_DRAW_LEFT] >= 0);
        fallback += row[CTR_DRAW_ATTEMPTS] == 0;
    }
    assert_true(fallback <= 1);
    free(draws);
}

static void colours_have_their_distributions(void **state)
{
    (void)state;
    static const double strength[4] = {0.8, 0.8, 0.8, 0.2};
    struct drawing d = drawing("jitter(0.8,0.8,0.8,0.2;1) blur(;1) noise");
    struct moments value[4] = {{0}}, sigma = {0}, key = {0};
    unsigned seen[256] = {0};
    float *draws = drawn(&d);
    for (size_t i = 0; i < d.N * d.V; i++) {
        const float *row = draws + i * width(&d), *op = row + CTR_DRAW_FIRST;
        for (int k = 0; k < 4; k++)
            note(&value[(int)op[k * CTR_DO_FLOATS]], op[k * CTR_DO_FLOATS + 1]);
        seen[(int)op[0] << 6 | (int)op[CTR_DO_FLOATS] << 4 | (int)op[2 * CTR_DO_FLOATS] << 2 |
             (int)op[3 * CTR_DO_FLOATS]]++;
        note(&sigma, find(row, CTR_DO_BLUR)[1]);
        note(&key, find(row, CTR_DO_NOISE)[2] * 0x1p-24);
    }
    for (int k = 0; k < 4; k++)
        assert_moments("jitter", value[k], k < 3, strength[k] / sqrt(3));
    assert_moments("sigma", sigma, 1.05, 1.9 / sqrt(12));
    assert_moments("key", key, 0.5, 1 / sqrt(12));
    /* Orders: 341 expected of each of 24, deviation 18. */
    size_t orders = 0;
    for (int k = 0; k < 256; k++) {
        orders += seen[k] > 0;
        assert_true(seen[k] == 0 || (seen[k] > 341 - 91 && seen[k] < 341 + 91));
    }
    assert_int_equal(orders, 24);
    free(draws);
}

static void warps_and_holes_have_their_distributions(void **state)
{
    (void)state;
    struct drawing d = drawing("rotate(60) cutout(0.5)");
    struct moments angle = {0}, bottom = {0};
    float *draws = drawn(&d);
    for (size_t i = 0; i < d.N * d.V; i++) {
        const float *w = find(draws + i * width(&d), CTR_DO_WARP);
        const float *r = find(draws + i * width(&d), CTR_DO_RECT);
        note(&angle, atan2(w[2], w[1]));
        assert_true(r[3] - r[1] >= 8 && r[3] - r[1] <= 16 && r[4] <= 32 && r[2] >= 0);
        note(&bottom, r[3]);
    }
    assert_moments("angle", angle, 0, M_PI / 3 / sqrt(3));
    double mean = 0, square = 0; /* centre 0..31, bottom min(centre + 8, 32) */
    for (int c = 0; c < 32; c++) {
        double y = c + 8 < 32 ? c + 8 : 32;
        mean += y / 32;
        square += y * y / 32;
    }
    assert_moments("bottom", bottom, mean, sqrt(square - mean * mean));
    free(draws);
}

static void erased_areas_are_in_range(void **state)
{
    (void)state;
    struct drawing d = drawing("erase(0.1,0.3,0.5,2,0;1)");
    struct moments area = {0};
    d.H = d.W = 256;
    float *draws = drawn(&d);
    for (size_t i = 0; i < d.N * d.V; i++) {
        const float *r = find(draws + i * width(&d), CTR_DO_RECT);
        assert_non_null(r);
        note(&area, (r[3] - r[1]) * (r[4] - r[2]) / (256.0 * 256.0));
    }
    assert_moments("area", area, 0.2, 0.2 / sqrt(12));
    free(draws);
}

/* ---- what draws depend on ---- */

/* Nine cells: nine views of an image have one each, and each view any of them. */
static void views_get_different_patches(void **state)
{
    (void)state;
    struct drawing d = drawing("patch(3)");
    d.N = 512;
    d.V = 9;
    d.SH = d.SW = 33;
    unsigned seen[9][9] = {{0}};
    float *draws = drawn(&d);
    for (size_t i = 0; i < d.N; i++) {
        unsigned cells = 0;
        for (size_t v = 0; v < 9; v++) {
            const float *row = draws + (v * d.N + i) * width(&d);
            assert_true(row[CTR_DRAW_HEIGHT] == 11 && row[CTR_DRAW_WIDTH] == 11);
            unsigned cell =
                (unsigned)row[CTR_DRAW_TOP] / 11 * 3 + (unsigned)row[CTR_DRAW_LEFT] / 11;
            cells |= 1u << cell;
            seen[v][cell]++;
        }
        assert_int_equal(cells, 511);
    }
    for (int k = 0; k < 81; k++) /* 57 expected, deviation 7.1 */
        assert_in_range(seen[k / 9][k % 9], 57 - 36, 57 + 36);
    free(draws);
}

static size_t equal_rows(const float *a, const float *b, size_t rows, size_t row)
{
    size_t n = 0;
    for (size_t i = 0; i < rows; i++)
        n += memcmp(a + i * row, b + i * row, row * sizeof *a) == 0;
    return n;
}

static void draws_follow_the_sample_alone(void **state)
{
    (void)state;
    struct drawing d = drawing("crop flip jitter(;1) blur"), other;
    d.N = 64;
    const size_t rows = d.N * d.V, row = width(&d);
    float *a = drawn(&d), *b;

    other = d;
    other.backwards = 1;
    b = drawn(&other);
    for (size_t v = 0; v < d.V; v++)
        for (size_t i = 0; i < d.N; i++)
            assert_memory_equal(a + (v * d.N + i) * row, b + (v * d.N + d.N - 1 - i) * row,
                                row * sizeof *a);
    free(b);
    assert_int_equal(equal_rows(a, a + d.N * row, d.N, row), 0); /* views differ */

    other = d; /* a second set of views that goes on counting */
    other.params.first_view = 1;
    b = drawn(&other);
    assert_memory_equal(a + d.N * row, b, d.N * row * sizeof *a);
    free(b);

    for (int k = 0; k < 4; k++) {
        other = d;
        other.seed += k == 0 ? 1 : k == 1 ? 1ull << 32 : 0;
        other.epoch += k == 2;
        other.first += k == 3 ? 64 : 0;
        b = drawn(&other);
        assert_int_equal(equal_rows(a, b, rows, row), 0);
        free(b);
    }
    free(a);
}

/* The same blur, crop and flip whatever else is done, in whichever place. */
static void transformations_do_not_move_other_draws(void **state)
{
    (void)state;
    struct drawing d = drawing("crop flip jitter(;1) blur(;1)");
    struct drawing other =
        drawing("crop(;1) gray blur(;1) noise equalize cutout flip jitter(brightness=0;1) blur");
    d.N = other.N = 64;
    float *a = drawn(&d), *b = drawn(&other);
    for (size_t i = 0; i < d.N * d.V; i++) {
        const float *p = a + i * width(&d), *q = b + i * width(&other);
        assert_memory_equal(p, q, CTR_DRAW_MOVE * sizeof *p);
        const float *move = find(q, CTR_DO_MOVE);
        assert_true(p[CTR_DRAW_MOVE] == (move ? move[1] : 0));
        for (int code = CTR_DO_CONTRAST; code <= CTR_DO_HUE; code++)
            assert_true(find(p, (enum ctr_do)code)[1] == find(q, (enum ctr_do)code)[1]);
        assert_true(find(p, CTR_DO_BLUR)[1] == find(q, CTR_DO_BLUR)[1]);
        assert_null(find(q, CTR_DO_BRIGHTNESS)); /* a factor of 1 is left out */
    }
    free(a);
    free(b);
}

static void views_take_pipelines_in_turn(void **state)
{
    (void)state;
    struct drawing d = drawing("gray(1) | solarize(;1) sobel(1)");
    d.N = 8;
    d.V = 4;
    float *draws = drawn(&d);
    for (size_t i = 0; i < d.N * d.V; i++) {
        const float *row = draws + i * width(&d);
        int second = (int)(i / d.N % 2);
        assert_true(row[CTR_DRAW_COUNT] == 1 + second);
        assert_int_equal(find(row, CTR_DO_GRAY) == NULL, second);
        assert_int_equal(find(row, CTR_DO_SOBEL) != NULL, second);
    }
    free(draws);
}

static void hopeless_crops_fall_back_to_the_centre(void **state)
{
    (void)state;
    struct drawing d = drawing("crop(0.9)");
    d.N = 16;
    for (int tall = 0; tall < 2; tall++) {
        d.SH = tall ? 64 : 8;
        d.SW = tall ? 8 : 64;
        float *draws = drawn(&d);
        for (size_t i = 0; i < d.N * d.V; i++) {
            const float *row = draws + i * width(&d);
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
        cmocka_unit_test(transformations_do_not_move_other_draws),
        cmocka_unit_test(views_take_pipelines_in_turn),
        cmocka_unit_test(hopeless_crops_fall_back_to_the_centre),
    };
    const struct CMUnitTest many[] = {
        cmocka_unit_test(draws_equal_host),
        cmocka_unit_test(probabilities_hold),
        cmocka_unit_test(symmetries_come),
        cmocka_unit_test(crops_have_their_distribution),
        cmocka_unit_test(colours_have_their_distributions),
        cmocka_unit_test(warps_and_holes_have_their_distributions),
        cmocka_unit_test(erased_areas_are_in_range),
        cmocka_unit_test(views_get_different_patches),
    };
    need_device();
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rc += tiny() ? 0 : cmocka_run_group_tests(many, NULL, NULL);
    ctr_dev_destroy(&dev);
    return rc;
}
