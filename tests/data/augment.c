/* Augmentation on a device: torchvision's results with the draws fixed, the double reference on
 * many sizes, both layouts of the kernel. */
#include "augment_rig.h"

#include "augment_fixture.h"
#include "base/rng.h"

/* The two layouts; the second is the only one on GPUs. */
static const char *const layouts[] = {"augment=single", "augment=group"};
static const char *const plain_layouts[] = {"augment_plain=single", "augment_plain=group"};

/* ---- torchvision ---- */

static unsigned hex(const char *text, int digits)
{
    char part[5] = {0};
    memcpy(part, text, (size_t)digits);
    return (unsigned)strtoul(part, NULL, 16);
}

/* Fixtures are good to 7.6e-6 and arithmetic in fp32 adds a few 1e-7 a step; hue divides by the
 * chroma, which magnifies what was rounded before it. */
static double fixture_tolerance(const float *draws)
{
    return draws[CTR_DRAW_HUE] != 0 ? 2e-5 : 1e-5;
}

/* All cases of one filter as one batch. */
static void compare_fixtures(int cubic, size_t layout)
{
    enum {
        MOST = sizeof fixture / sizeof *fixture,
        COUNT = FIXTURE_OUT * FIXTURE_OUT * 3,
        BYTES = FIXTURE_H * FIXTURE_W * 3
    };
    unsigned char image[BYTES];
    static float draws[MOST][CTR_DRAWS], got[MOST][COUNT];
    const uint32_t index[MOST] = {0};
    size_t at[MOST], n = 0;
    struct ctr_augment_params params = ctr_augment_large();
    params.cubic = cubic;
    for (int i = 0; i < BYTES; i++)
        image[i] = (unsigned char)hex(fixture_image + 2 * i, 2);
    for (size_t i = 0; i < MOST; i++)
        if (fixture[i].cubic == cubic) {
            memcpy(draws[n], fixture[i].draws, sizeof fixture[i].draws);
            at[n++] = i;
        }
    assert_true(n > 0);

    struct rig r;
    rig_open(&r, 1, n, FIXTURE_H, FIXTURE_W, 0);
    r.draws = ctr_graph_input(r.g, "draws", CTR_F32, 2, (size_t[]){n, CTR_DRAWS});
    r.out = ctr_augment_apply(r.g, r.draws, r.source, FIXTURE_OUT, FIXTURE_OUT, &params);
    rig_build(&r, layouts[layout]);
    put(r.source.images, image);
    put(r.source.index, index);
    put(r.draws, draws);
    rig_run(&r, got);
    for (size_t k = 0; k < n; k++)
        for (int i = 0; i < COUNT; i++) {
            double want = hex(fixture[at[k]].pixels + 4 * i, 4) / 65535.0;
            if (!(fabs(got[k][i] - want) <= fixture_tolerance(draws[k])))
                fail_msg("%s, layout %zu: value %d is %.7g, not %.7g", fixture[at[k]].name, layout,
                         i, got[k][i], want);
        }
    rig_close(&r);
}

static void equals_torchvision(void **state)
{
    (void)state;
    for (int cubic = 0; cubic < 2; cubic++)
        for (size_t layout = 0; layout < 2; layout++)
            compare_fixtures(cubic, layout);
}

/* ---- the reference ---- */

static unsigned char *pictures(size_t n, size_t SH, size_t SW, uint64_t seed)
{
    unsigned char *p = room(n * SH * SW * 3, 1);
    struct ctr_rng rng;
    ctr_rng_init(&rng, seed, CTR_RNG_TEST, 0, 0);
    for (size_t i = 0; i < n * SH * SW * 3; i++)
        p[i] = (unsigned char)(ctr_rng_u32(&rng) >> 24);
    return p;
}

/* A table whose rows between them have everything on and off, at full strength. */
static void random_draws(float *draws, size_t rows, size_t SH, size_t SW, int blur)
{
    struct ctr_rng rng;
    ctr_rng_init(&rng, 5, CTR_RNG_TEST, 1, 0);
    for (size_t i = 0; i < rows; i++, draws += CTR_DRAWS) {
        float u[12];
        for (int k = 0; k < 12; k++)
            u[k] = ctr_rng_uniform(&rng);
        float h = 1 + floorf(u[0] * (float)SH), w = 1 + floorf(u[1] * (float)SW);
        draws[CTR_DRAW_HEIGHT] = h;
        draws[CTR_DRAW_WIDTH] = w;
        draws[CTR_DRAW_TOP] = floorf(u[2] * ((float)SH - h + 1));
        draws[CTR_DRAW_LEFT] = floorf(u[3] * ((float)SW - w + 1));
        draws[CTR_DRAW_FLIP] = u[4] < 0.5f;
        draws[CTR_DRAW_JITTER] = u[5] < 0.8f;
        draws[CTR_DRAW_ORDER] = (float)(i % 24);
        for (int k = 0; k < 3; k++)
            draws[CTR_DRAW_BRIGHTNESS + k] = 0.2f + 1.6f * u[6 + k];
        draws[CTR_DRAW_HUE] = u[9] - 0.5f;
        draws[CTR_DRAW_GRAY] = u[10] < 0.3f;
        draws[CTR_DRAW_SIGMA] = blur && u[11] < 0.7f ? 0.1f + 2.5f * u[11] : 0;
    }
}

/* Noise has hues of chroma 1/255, where an error of one rounding in a channel turns the hue by
 * 1e-5; bounded by the chroma itself it comes back as at most a few roundings, times the factors of
 * the later steps (up to 1.8 each). */
#define REFERENCE_TOLERANCE 2e-5

struct shape {
    size_t N, V, SH, SW, H, W;
};

static void compare_reference(struct shape s, int blur, int cubic, int stream, size_t layout)
{
    const size_t rows = s.N * s.V, count = s.H * s.W * 3;
    struct ctr_augment_params params = ctr_augment_large();
    params.cubic = cubic;
    params.blur_p = blur ? 0.5f : 0;
    unsigned char *images = pictures(s.N, s.SH, s.SW, 3);
    float *draws = room(rows, CTR_DRAWS * sizeof *draws), *got = room(rows * count, sizeof *got);
    float *again = room(rows * count, sizeof *again);
    double *want = room(count, sizeof *want);
    uint32_t *index = room(s.N, sizeof *index);
    for (size_t i = 0; i < s.N; i++)
        index[i] = stream ? 7777 : (uint32_t)(s.N - 1 - i);
    random_draws(draws, rows, s.SH, s.SW, blur);

    struct rig r;
    rig_open(&r, s.N, s.N, s.SH, s.SW, stream);
    r.draws = ctr_graph_input(r.g, "draws", CTR_F32, 2, (size_t[]){rows, CTR_DRAWS});
    r.out = ctr_augment_apply(r.g, r.draws, r.source, s.H, s.W, &params);
    rig_build(&r, layouts[layout]);
    put(r.source.images, images);
    put(r.source.index, index);
    put(r.draws, draws);
    rig_run(&r, got);
    rig_run(&r, again);
    assert_memory_equal(got, again, rows * count * sizeof *got);
    int radius = blur ? (int)(s.H / 20 ? s.H / 20 : 1) : 0;
    for (size_t v = 0; v < rows; v++) {
        size_t image = stream ? v % s.N : s.N - 1 - v % s.N;
        assert_int_equal(ref_augment_apply(want, draws + v * CTR_DRAWS,
                                           images + image * s.SH * s.SW * 3, s.SH, s.SW, s.H, s.W,
                                           radius, cubic),
                         0);
        for (size_t i = 0; i < count; i++)
            if (!(fabs(got[v * count + i] - want[i]) < REFERENCE_TOLERANCE))
                fail_msg("%zux%zu from %zux%zu, blur %d, cubic %d, layout %zu: view %zu, value %zu "
                         "is %.9g, not %.9g",
                         s.H, s.W, s.SH, s.SW, blur, cubic, layout, v, i, got[v * count + i],
                         want[i]);
    }
    rig_close(&r);
    free(index);
    free(want);
    free(again);
    free(got);
    free(draws);
    free(images);
}

static void equals_reference(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {24, 2, 32, 32, 32, 32}, {3, 1, 1, 1, 2, 3},     {5, 2, 7, 5, 17, 31},
        {4, 3, 31, 33, 33, 15},  {4, 2, 65, 63, 16, 16}, {3, 2, 12, 90, 63, 65},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int blur = 0; blur < 2; blur++)
            for (size_t layout = 0; layout < 2 && !(tiny() && shapes[i].H * shapes[i].W > 600);
                 layout++)
                compare_reference(shapes[i], blur, blur ^ (int)(i & 1), (int)(i / 2 & 1), layout);
}

/* Large enough for scratch in slices of a buffer, with fewer slices than views. */
static void large_views_equal_reference(void **state)
{
    (void)state;
    for (size_t layout = 0; layout < 2 && !tiny(); layout++)
        compare_reference((struct shape){11, 2, 70, 81, 96, 100}, 1, 0, 0, layout);
}

static void one_pixel_is_never_blurred(void **state)
{
    (void)state;
    struct rig r;
    struct ctr_augment_params params = ctr_augment_large();
    rig_open(&r, 1, 1, 8, 8, 0);
    r.draws = ctr_graph_input(r.g, "draws", CTR_F32, 2, (size_t[]){1, CTR_DRAWS});
    assert_null(ctr_augment_apply(r.g, r.draws, r.source, 1, 1, &params));
    assert_int_equal(ctr_graph_status(r.g), CTR_E_USAGE);
    rig_close(&r);
}

/* ---- the plain way ---- */

static void compare_plain(struct shape s, size_t layout)
{
    const size_t count = s.H * s.W * 3;
    unsigned char *images = pictures(s.N, s.SH, s.SW, 9);
    float *got = room(s.N * count, sizeof *got), draws[CTR_DRAWS] = {0};
    double *want = room(count, sizeof *want);
    uint32_t index[8];
    for (size_t i = 0; i < s.N; i++)
        index[i] = (uint32_t)(s.N - 1 - i);
    size_t h = s.SW * s.H / s.W, w = s.SH * s.W / s.H;
    h = h < s.SH ? h : s.SH;
    w = w < s.SW ? w : s.SW;
    draws[CTR_DRAW_TOP] = (float)((s.SH - h) / 2);
    draws[CTR_DRAW_LEFT] = (float)((s.SW - w) / 2);
    draws[CTR_DRAW_HEIGHT] = (float)h;
    draws[CTR_DRAW_WIDTH] = (float)w;

    struct rig r;
    rig_open(&r, s.N, s.N, s.SH, s.SW, 0);
    r.out = ctr_augment_plain(r.g, r.source, s.H, s.W, 0);
    rig_build(&r, plain_layouts[layout]);
    put(r.source.images, images);
    put(r.source.index, index);
    rig_run(&r, got);
    for (size_t n = 0; n < s.N; n++) {
        const unsigned char *image = images + (s.N - 1 - n) * s.SH * s.SW * 3;
        assert_int_equal(ref_augment_apply(want, draws, image, s.SH, s.SW, s.H, s.W, 0, 0), 0);
        /* Weights and 1/255 rounded to fp32, nothing that magnifies. */
        for (size_t i = 0; i < count; i++)
            assert_true(fabs(got[n * count + i] - want[i]) < 1e-6);
    }
    rig_close(&r);
    free(want);
    free(got);
    free(images);
}

static void plain_equals_reference(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {5, 1, 32, 32, 32, 32}, {3, 1, 40, 30, 32, 32}, {2, 1, 9, 20, 33, 17}, {1, 1, 1, 1, 1, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t layout = 0; layout < 2; layout++)
            compare_plain(shapes[i], layout);
}

/* ---- parameters ---- */

static void bad_parameters_are_named(void **state)
{
    (void)state;
    const struct ctr_augment_params good = ctr_augment_small();
    struct ctr_augment_params bad[6] = {good, good, good, good, good, good};
    static const char *const names[] = {"largest area", "smallest area", "flip",
                                        "hue",          "jitter",        "aspect"};
    bad[0].area_max = 1.5f;
    bad[1].area_min = 0;
    bad[2].flip_p = -0.1f;
    bad[3].hue = 0.6f;
    bad[4].jitter_p = NAN;
    bad[5].aspect_max = 0.5f;
    assert_int_equal(ctr_augment_check(&good), 0);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(ctr_augment_check(&bad[i]), CTR_E_USAGE);
        assert_non_null(strstr(ctr_error_text(), names[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_torchvision),          cmocka_unit_test(equals_reference),
        cmocka_unit_test(large_views_equal_reference), cmocka_unit_test(one_pixel_is_never_blurred),
        cmocka_unit_test(plain_equals_reference),      cmocka_unit_test(bad_parameters_are_named),
    };
    need_device();
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    ctr_dev_destroy(&dev);
    return rc;
}
