/* Augmentation on a device, what no reference is needed for: the noise is normal, patches are parts of
 * their image, and what sizes and channels rule out is refused. */
#include "augment_rig.h"

/* Without clipping: gray 0.5 and sigma 0.05 on 64 x 64 pixels of 16 views. */
static void noise_is_normal(void **state)
{
    (void)state;
    enum { N = 16, SIDE = 64, COUNT = N * SIDE * SIDE * 3 };
    const struct ctr_augment_params params = parsed("noise(0.05)");
    uint32_t index[N], step[CTR_STEP_WORDS] = {3};
    unsigned char *images = room(COUNT, 1);
    float *got = room(COUNT, sizeof *got);
    double sum = 0, square = 0, fourth = 0, neighbours = 0, channels = 0;
    memset(images, 128, COUNT);
    struct rig r;
    rig_open(&r, N, N, SIDE, SIDE, 0);
    r.step = ctr_graph_input(r.g, "step", CTR_U32, 1, (size_t[]){CTR_STEP_WORDS});
    r.out = ctr_augment(r.g, r.source, r.step, 1, SIDE, SIDE, &params);
    rig_build(&r, NULL);
    for (uint32_t i = 0; i < N; i++)
        index[i] = i;
    put(r.source.images, images);
    put(r.source.index, index);
    put(r.step, step);
    rig_run(&r, got);
    for (int i = 0; i < COUNT; i++) {
        double z = (got[i] - 128.0 / 255) / 0.05;
        sum += z;
        square += z * z;
        fourth += z * z * z * z;
        neighbours += i >= 3 ? z * (got[i - 3] - 128.0 / 255) / 0.05 : 0;
        channels += i % 3 ? z * (got[i - 1] - 128.0 / 255) / 0.05 : 0;
    }
    /* Within five standard errors. */
    const double e = 5 / sqrt(COUNT);
    assert_true(fabs(sum / COUNT) < e && fabs(square / COUNT - 1) < e * sqrt(2));
    assert_true(fabs(fourth / COUNT - 3) < e * sqrt(96));
    assert_true(fabs(neighbours / COUNT) < e && fabs(channels / COUNT) < e);
    assert_memory_not_equal(got, got + COUNT / N, COUNT / N * sizeof *got); /* samples differ */
    rig_close(&r);
    free(got);
    free(images);
}

/* Four views of 16 x 16 are the quarters of 32 x 32, pixel by pixel and each once. */
static void patches_are_parts_of_the_image(void **state)
{
    (void)state;
    enum { N = 5, SIDE = 16, COUNT = SIDE * SIDE * 3 };
    const struct ctr_augment_params params = parsed("patch(2)");
    unsigned char *images = pictures(N * 4 * COUNT, 4);
    const uint32_t index[N] = {0, 1, 2, 3, 4}, step[CTR_STEP_WORDS] = {11};
    float *got = room((size_t)4 * N * COUNT, sizeof *got);
    struct rig r;
    rig_open(&r, N, N, 2 * SIDE, 2 * SIDE, 0);
    r.step = ctr_graph_input(r.g, "step", CTR_U32, 1, (size_t[]){CTR_STEP_WORDS});
    r.out = ctr_augment(r.g, r.source, r.step, 4, SIDE, SIDE, &params);
    rig_build(&r, NULL);
    put(r.source.images, images);
    put(r.source.index, index);
    put(r.step, step);
    rig_run(&r, got);
    for (int n = 0; n < N; n++) {
        unsigned found = 0;
        for (int quarter = 0; quarter < 4; quarter++)
            for (int v = 0; v < 4; v++) {
                const float *view = got + (v * N + n) * COUNT;
                const unsigned char *part = images + n * 4 * COUNT + quarter / 2 * 2 * COUNT +
                                            quarter % 2 * SIDE * 3;
                int same = 1;
                for (int i = 0; i < COUNT && same; i++) {
                    int pixel = i / 3, y = pixel / SIDE, x = pixel % SIDE;
                    double want = part[(y * 2 * SIDE + x) * 3 + i % 3] / 255.0;
                    same = fabs((double)view[i] - want) < 1e-6;
                }
                found |= same ? 1u << quarter : 0;
            }
        assert_int_equal(found, 15);
    }
    rig_close(&r);
    free(got);
    free(images);
}

/* What sizes and channels rule out is refused when it is recorded. */
static void what_images_rule_out(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        size_t views, H, W, C;
        const char *text;
    } cases[] = {
        {"large", 2, 1, 1, 3, "too small to blur"},
        {"rotate90", 2, 8, 9, 3, "square"},
        {"flip | gray", 1, 8, 8, 3, "2 pipelines, but 1 view"},
        {"small", 2, 8, 8, 4, "jitter needs images of 3 channels"},
        {"jitter(0,0,0.1,0)", 2, 8, 8, 1, "jitter needs images of 3 channels"},
        {"flip | jitter(0.1,0.1,0,0.1)", 2, 8, 8, 2, "these have 2 channels"},
        {"flip gray(0.1)", 2, 8, 8, 16, "gray needs images of 3 channels"},
        {"sobel", 2, 8, 8, 4, "sobel needs images of 1 or 3 channels"},
        {"flip", 2, 8, 8, 17, "u16[n][H][W][1..16]"},
    };
    static const struct {
        const char *line;
        size_t C;
    } fine[] = {{"sobel", 1}, {"jitter(0.4,0.4,0,0)", 1}, {"small-any", 2}, {"large-any", 16}, {"small", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig r;
        struct ctr_augment_params params = parsed(cases[i].line);
        rig_open_kind(&r, 1, 1, 8, 8, cases[i].C, CTR_U8, 0);
        r.step = ctr_graph_input(r.g, "step", CTR_U32, 1, (size_t[]){CTR_STEP_WORDS});
        assert_null(
            ctr_augment(r.g, r.source, r.step, cases[i].views, cases[i].H, cases[i].W, &params));
        assert_int_equal(ctr_graph_status(r.g), CTR_E_USAGE);
        if (!strstr(ctr_error_text(), cases[i].text))
            fail_msg("'%s' lacks '%s'", ctr_error_text(), cases[i].text);
        rig_close(&r);
    }
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        struct rig r;
        struct ctr_augment_params params = parsed(fine[i].line);
        rig_open_kind(&r, 1, 1, 8, 8, fine[i].C, CTR_U16, 0);
        r.step = ctr_graph_input(r.g, "step", CTR_U32, 1, (size_t[]){CTR_STEP_WORDS});
        assert_non_null(ctr_augment(r.g, r.source, r.step, 2, 32, 32, &params));
        rig_close(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(noise_is_normal),
                                       cmocka_unit_test(patches_are_parts_of_the_image),
                                       cmocka_unit_test(what_images_rule_out)};
    need_device();
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    ctr_dev_destroy(&dev);
    return rc;
}
