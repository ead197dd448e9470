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

/* Of all operations, as many as a fixture has. */
#define EVERYTHING                                                                                 \
    "crop vflip jitter(;1) gray solarize posterize blur sobel autocontrast equalize noise cutout " \
    "rotate flip affine erase"

/* Of those that any number of channels has. */
#define ANY_CHANNELS                                                                               \
    "crop vflip jitter(0.4,0.4,0,0;1) solarize posterize blur autocontrast equalize noise cutout "  \
    "rotate flip affine erase"

/* Fixtures are good to 7.6e-6 and arithmetic in fp32 adds a few 1e-7 an operation; some magnify:
 * hue divides by the chroma, a warp's places are rounded. */
static double fixture_tolerance(const float *draws)
{
    return draws[CTR_DRAW_COUNT] < 5 ? 2e-5 : 4e-5;
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
    static float got[MOST][COUNT];
    const uint32_t index[MOST] = {0};
    size_t at[MOST], n = 0;
    struct ctr_augment_params params = parsed(EVERYTHING);
    const size_t row = ctr_augment_row(&params);
    float *draws = room(MOST * row, sizeof *draws);
    params.cubic = cubic;
    assert_true(row * sizeof *draws >= sizeof fixture[0].draws);
    for (int i = 0; i < BYTES; i++)
        image[i] = (unsigned char)hex(fixture_image + 2 * i, 2);
    for (size_t i = 0; i < MOST; i++)
        if (fixture[i].cubic == cubic) {
            memcpy(draws + n * row, fixture[i].draws, sizeof fixture[i].draws);
            at[n++] = i;
        }
    assert_true(n > 0);

    struct rig r;
    rig_open(&r, 1, n, FIXTURE_H, FIXTURE_W, 0);
    r.draws = ctr_graph_input(r.g, "draws", CTR_F32, 2, (size_t[]){n, row});
    r.out = ctr_augment_apply(r.g, r.draws, r.source, FIXTURE_OUT, FIXTURE_OUT, &params);
    rig_build(&r, layouts[layout]);
    put(r.source.images, image);
    put(r.source.index, index);
    put(r.draws, draws);
    rig_run(&r, got);
    for (size_t k = 0; k < n; k++)
        for (int i = 0; i < COUNT; i++) {
            double want = hex(fixture[at[k]].pixels + 4 * i, 4) / 65535.0;
            if (!(fabs(got[k][i] - want) <= fixture_tolerance(fixture[at[k]].draws)))
                fail_msg("%s, layout %zu: value %d is %.7g, not %.7g", fixture[at[k]].name, layout,
                         i, got[k][i], want);
        }
    rig_close(&r);
    free(draws);
}

static void equals_torchvision(void **state)
{
    (void)state;
    for (int cubic = 0; cubic < 2; cubic++)
        for (size_t layout = 0; layout < 2; layout++)
            compare_fixtures(cubic, layout);
}

/* ---- the reference ---- */

/* Appends an operation to a row of draws. */
static float *add(float *row, enum ctr_do code, float a, float b, float c)
{
    float *op = row + CTR_DRAW_FIRST + (int)row[CTR_DRAW_COUNT]++ * CTR_DO_FLOATS;
    op[0] = (float)code;
    op[1] = a;
    op[2] = b;
    op[3] = c;
    return op;
}

static void random_crop(float *row, struct ctr_rng *rng, size_t SH, size_t SW)
{
    float u[5];
    for (int k = 0; k < 5; k++)
        u[k] = ctr_rng_uniform(rng);
    float h = 1 + floorf(u[0] * (float)SH), w = 1 + floorf(u[1] * (float)SW);
    row[CTR_DRAW_HEIGHT] = h;
    row[CTR_DRAW_WIDTH] = w;
    row[CTR_DRAW_TOP] = floorf(u[2] * ((float)SH - h + 1));
    row[CTR_DRAW_LEFT] = floorf(u[3] * ((float)SW - w + 1));
    row[CTR_DRAW_MOVE] = floorf(4 * u[4]);
}

/* What `small` and `large` can do, at full strength; the i-th order of the jitter. */
static void usual_row(float *row, struct ctr_rng *rng, size_t i, int blur)
{
    int left[4] = {0, 1, 2, 3}, jitter = ctr_rng_uniform(rng) < 0.8f;
    for (size_t n = 4, k = 6, order = i % 24; jitter && n > 0; n--) {
        size_t at = order / k;
        int op = left[at];
        float u = ctr_rng_uniform(rng);
        memmove(left + at, left + at + 1, (n - at - 1) * sizeof *left);
        add(row, (enum ctr_do)op, op == CTR_DO_HUE ? u - 0.5f : 0.2f + 1.6f * u, 0, 0);
        order %= k;
        k = n > 1 ? k / (n - 1) : 1;
    }
    if (ctr_rng_uniform(rng) < 0.3f)
        add(row, CTR_DO_GRAY, 0, 0, 0);
    float u = ctr_rng_uniform(rng);
    if (blur && u < 0.7f)
        add(row, CTR_DO_BLUR, 0.1f + 2.5f * u, 0, 0);
}

/* Operations of all kinds in any order, but at the end those that jump: there a rounding may show.
 */
static void any_row(float *row, struct ctr_rng *rng, size_t H, size_t W, size_t C)
{
    static const enum ctr_do codes[] = {
        CTR_DO_BRIGHTNESS, CTR_DO_CONTRAST, CTR_DO_SATURATION, CTR_DO_HUE,         CTR_DO_GRAY,
        CTR_DO_NOISE,      CTR_DO_RECT,     CTR_DO_MOVE,       CTR_DO_WARP,        CTR_DO_BLUR,
        CTR_DO_SOBEL,      CTR_DO_CONTRAST, CTR_DO_BLUR,       CTR_DO_AUTOCONTRAST};
    uint32_t n = 1 + ctr_rng_below(rng, 6);
    for (uint32_t k = 0; k < n; k++) {
        enum ctr_do code = codes[ctr_rng_below(rng, sizeof codes / sizeof *codes)];
        if (C != 3 && (code == CTR_DO_SATURATION || code == CTR_DO_HUE || code == CTR_DO_GRAY ||
                       (C != 1 && code == CTR_DO_SOBEL)))
            code = CTR_DO_CONTRAST;
        float u = ctr_rng_uniform(rng), v = ctr_rng_uniform(rng);
        float *op = add(row, code, code == CTR_DO_HUE ? u - 0.5f : 0.3f + 1.2f * u, 0, 0);
        if (code == CTR_DO_NOISE)
            op[1] = 0.2f * u, op[2] = floorf(u * 0x1p24f), op[3] = floorf(v * 0x1p24f);
        if (code == CTR_DO_MOVE)
            op[1] = floorf((H == W ? 8 : 4) * u);
        if (code == CTR_DO_RECT)
            op[1] = floorf(u * (float)H), op[2] = floorf(v * (float)W),
            op[3] = op[1] + floorf(v * ((float)H - op[1])), op[4] = op[2] + 1, op[5] = u;
        if (code == CTR_DO_WARP)
            op[1] = cosf(5 * u), op[2] = -1.3f * sinf(5 * u), op[3] = 9 * (v - 0.5f),
            op[4] = sinf(5 * u), op[5] = op[1], op[6] = -5 * v;
    }
    if (n % 3 == 0)
        add(row, n == 3 ? CTR_DO_SOLARIZE : CTR_DO_POSTERIZE, n == 3 ? 0.4f : 8, 0, 0);
}

/* Noise has hues of chroma 1/255, where an error of one rounding in a channel turns the hue by
 * 1e-5; bounded by the chroma itself it comes back as at most a few roundings, times the factors of
 * the later steps (up to 1.8 each). A warp's places are good to 1e-5 of a pixel, and pixels of
 * noise differ by up to 1; autocontrast divides by the range that is left. */
#define REFERENCE_TOLERANCE 2e-5
#define ANY_TOLERANCE       2e-4

struct shape {
    size_t N, V, SH, SW, H, W;
    size_t C, bytes;
};
/* What rows of draws hold. */
enum kind { USUAL, BLURRED, ANY };

/* A view against its reference. Values that jump (the last operation) may be on the other side. */
static void compare_view(const float *got, const double *want, const float *row, size_t count,
                         enum kind kind, const char *name)
{
    const float *last = row + CTR_DRAW_FIRST + ((int)row[CTR_DRAW_COUNT] - 1) * CTR_DO_FLOATS;
    int jumps =
        row[CTR_DRAW_COUNT] > 0 && (last[0] == CTR_DO_SOLARIZE || last[0] == CTR_DO_POSTERIZE);
    size_t jumped = 0;
    for (size_t i = 0; i < count; i++) {
        if (fabs(got[i] - want[i]) < (kind == ANY ? ANY_TOLERANCE : REFERENCE_TOLERANCE))
            continue;
        if (!jumps || ++jumped > 2 + count / 500)
            fail_msg("%s: value %zu is %.9g, not %.9g (%g operations)", name, i, got[i], want[i],
                     row[CTR_DRAW_COUNT]);
    }
}

static void compare_reference(struct shape s, enum kind kind, int cubic, int stream, size_t layout)
{
    const size_t C = s.C, bytes = s.bytes;
    const struct ref_images ref = {s.SH, s.SW, C, bytes, cubic};
    const size_t rows = s.N * s.V, count = s.H * s.W * C, image_bytes = s.SH * s.SW * C * bytes;
    struct ctr_augment_params params = kind == USUAL     ? ctr_augment_usual(32, C)
                                       : kind == BLURRED ? ctr_augment_usual(224, C)
                                       : C == 3          ? parsed(EVERYTHING)
                                       : C == 1          ? parsed(ANY_CHANNELS " sobel")
                                                         : parsed(ANY_CHANNELS);
    params.cubic = cubic;
    const size_t width = ctr_augment_row(&params);
    unsigned char *images = pictures(s.N * image_bytes, 3);
    float *draws = room(rows, width * sizeof *draws), *got = room(rows * count, sizeof *got);
    float *again = room(rows * count, sizeof *again);
    double *want = room(count, sizeof *want);
    uint32_t *index = room(s.N, sizeof *index);
    struct ctr_rng rng;
    ctr_rng_init(&rng, 5, CTR_RNG_TEST, 1, 0);
    for (size_t i = 0; i < s.N; i++)
        index[i] = stream ? 7777 : (uint32_t)(s.N - 1 - i);
    for (size_t i = 0; i < rows; i++) {
        random_crop(draws + i * width, &rng, s.SH, s.SW);
        if (kind == ANY)
            any_row(draws + i * width, &rng, s.H, s.W, C);
        else
            usual_row(draws + i * width, &rng, i, kind == BLURRED);
    }

    struct rig r;
    rig_open_kind(&r, s.N, s.N, s.SH, s.SW, C, bytes == 1 ? CTR_U8 : CTR_U16, stream);
    r.draws = ctr_graph_input(r.g, "draws", CTR_F32, 2, (size_t[]){rows, width});
    r.out = ctr_augment_apply(r.g, r.draws, r.source, s.H, s.W, &params);
    rig_build(&r, layouts[layout]);
    put(r.source.images, images);
    put(r.source.index, index);
    put(r.draws, draws);
    rig_run(&r, got);
    rig_run(&r, again);
    assert_memory_equal(got, again, rows * count * sizeof *got);
    for (size_t v = 0; v < rows; v++) {
        size_t image = stream ? v % s.N : s.N - 1 - v % s.N;
        char name[128];
        snprintf(name, sizeof name, "%zux%zux%zu from %zux%zu, kind %d, cubic %d, layout %zu, view %zu",
                 s.H, s.W, C, s.SH, s.SW, (int)kind, cubic, layout, v);
        assert_int_equal(ref_augment_apply(want, draws + v * width, images + image * image_bytes,
                                           &ref, s.H, s.W),
                         0);
        compare_view(got + v * count, want, draws + v * width, count, kind, name);
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
        {24, 2, 32, 32, 32, 32, 3, 1}, {3, 1, 1, 1, 2, 3, 3, 1},     {5, 2, 7, 5, 17, 31, 3, 1},
        {4, 3, 31, 33, 33, 15, 3, 1},  {4, 2, 65, 63, 16, 16, 3, 1}, {3, 2, 12, 90, 63, 65, 3, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int kind = USUAL; kind <= ANY; kind++)
            for (size_t layout = 0; layout < 2 && !(tiny() && shapes[i].H * shapes[i].W > 600);
                 layout++)
                compare_reference(shapes[i], (enum kind)kind, (kind & 1) ^ (int)(i & 1),
                                  (int)(i / 2 & 1), layout);
}

/* Other channels and 16 bits. */
static void any_channels_equal_reference(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {4, 2, 21, 18, 16, 16, 1, 1}, {3, 1, 9, 9, 24, 11, 1, 2},   {3, 2, 12, 12, 20, 20, 4, 2},
        {3, 2, 7, 9, 17, 31, 4, 1},   {3, 2, 18, 21, 15, 17, 3, 2}, {3, 2, 11, 30, 14, 19, 5, 1},
        {2, 2, 15, 15, 10, 10, 16, 2}, {3, 2, 7, 9, 17, 31, 2, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        compare_reference(shapes[i], ANY, (int)(i / 2 & 1), (int)(i / 4), i % 2);
}

/* Large enough for scratch in slices of a buffer, with fewer slices than views. */
static void large_views_equal_reference(void **state)
{
    (void)state;
    for (size_t layout = 0; layout < 2 && !tiny(); layout++)
        for (int kind = BLURRED; kind <= ANY; kind++)
            compare_reference((struct shape){11, 2, 70, 81, 96, 100, 3, 1}, (enum kind)kind, 0, 0,
                              layout);
}

/* As tests/torch/augment.py has it. */
static void equalize_picture(unsigned char *image)
{
    for (int y = 0; y < EQUALIZE_H; y++)
        for (int x = 0; x < EQUALIZE_W; x++)
            for (int c = 0; c < 3; c++)
                *image++ = (unsigned char)(((7 * x * x + 5 * y * y + 3 * x * y) >> (2 * c)) %
                                               (200 - 60 * c) +
                                           20 * c);
}

/* One operation alone, on bytes as they are: nothing is rounded before. */
static void equalizing_equals_torchvision(void **state)
{
    (void)state;
    enum { H = EQUALIZE_H, W = EQUALIZE_W, COUNT = H * W * 3 };
    const struct ctr_augment_params params = parsed("equalize");
    const size_t width = ctr_augment_row(&params);
    float row[64] = {0}, got[COUNT];
    double want[COUNT];
    unsigned char image[COUNT];
    int changed = 0;
    equalize_picture(image);
    row[CTR_DRAW_HEIGHT] = H;
    row[CTR_DRAW_WIDTH] = W;
    add(row, CTR_DO_EQUALIZE, 0, 0, 0);
    assert_int_equal(
        ref_augment_apply(want, row, image, &(struct ref_images){H, W, 3, 1, 0}, H, W), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(lround(want[i] * 255), hex(fixture_equalized + 2 * i, 2));
        changed += lround(want[i] * 255) != image[i];
    }
    assert_true(changed > COUNT / 2);
    for (size_t layout = 0; layout < 2; layout++) {
        struct rig r;
        rig_open(&r, 1, 1, H, W, 0);
        r.draws = ctr_graph_input(r.g, "draws", CTR_F32, 2, (size_t[]){1, width});
        r.out = ctr_augment_apply(r.g, r.draws, r.source, H, W, &params);
        rig_build(&r, layouts[layout]);
        put(r.source.images, image);
        put(r.source.index, (uint32_t[]){0});
        put(r.draws, row);
        rig_run(&r, got);
        for (int i = 0; i < COUNT; i++)
            assert_true(fabs(got[i] - want[i]) < 1e-6);
        rig_close(&r);
    }
}

/* ---- the plain way ---- */

static void compare_plain(struct shape s, size_t layout)
{
    const size_t C = s.C, bytes = s.bytes;
    const struct ref_images ref = {s.SH, s.SW, C, bytes, 0};
    const size_t count = s.H * s.W * C, image_bytes = s.SH * s.SW * C * bytes;
    unsigned char *images = pictures(s.N * image_bytes, 9);
    float *got = room(s.N * count, sizeof *got), draws[CTR_DRAW_FIRST] = {0};
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
    rig_open_kind(&r, s.N, s.N, s.SH, s.SW, C, bytes == 1 ? CTR_U8 : CTR_U16, 0);
    r.out = ctr_augment_plain(r.g, r.source, s.H, s.W, 0);
    rig_build(&r, plain_layouts[layout]);
    put(r.source.images, images);
    put(r.source.index, index);
    rig_run(&r, got);
    for (size_t n = 0; n < s.N; n++) {
        const unsigned char *image = images + (s.N - 1 - n) * image_bytes;
        assert_int_equal(ref_augment_apply(want, draws, image, &ref, s.H, s.W), 0);
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
        {5, 1, 32, 32, 32, 32, 3, 1},       {3, 1, 40, 30, 32, 32, 3, 1},        {2, 1, 9, 20, 33, 17, 3, 1},
        {1, 1, 1, 1, 1, 1, 3, 1},           {3, 1, 20, 30, 16, 16, 1, 1},  {2, 1, 9, 20, 33, 17, 4, 2},
        {2, 1, 16, 16, 16, 16, 5, 1}, {2, 1, 40, 30, 20, 20, 16, 2},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t layout = 0; layout < 2; layout++)
            compare_plain(shapes[i], layout);
}

/* In: a pattern of names of tests, or nothing for all. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_torchvision),
        cmocka_unit_test(equalizing_equals_torchvision),
        cmocka_unit_test(equals_reference),
        cmocka_unit_test(large_views_equal_reference),
        cmocka_unit_test(any_channels_equal_reference),
        cmocka_unit_test(plain_equals_reference),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    need_device();
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    ctr_dev_destroy(&dev);
    return rc;
}
