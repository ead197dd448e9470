/* Matrix units as the kernels see them (cl/lib/mma.clh), emulated: which products they take, and
 * that they round as they should. Layouts of fragments are proven by opcheck, whose numbers need no
 * rounding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "op/op.h"
#include "storage.h"

enum { N = 37, I = 76, O = 44 }; /* several tiles and pieces, none full */

static float x[N * I], w[O * I], y[N * O];
static double exact[N * O], rounded[N * O];

static void ok(int rc)
{
    if (rc != 0)
        fail_msg("%s", ctr_error_text());
}

static ctr_dev *open_with(const char *quirks, int tf32)
{
    ctr_dev *dev = NULL;
    ok(ctr_dev_open(&dev, getenv("CTR_TEST_DEVICE"),
                    &(struct ctr_dev_params){.quirks = quirks, .tf32 = tf32}));
    return dev;
}

/* 11 bits, to nearest, ties away from zero: cvt.rna.tf32.f32. */
static double tf32(double v)
{
    int e;
    double m = frexp(v, &e);
    return ldexp(round(ldexp(m, 11)), e - 11);
}

static void draw(float *v, size_t n, uint32_t stream)
{
    struct ctr_rng rng;
    ctr_rng_init(&rng, 1, CTR_RNG_TEST, stream, 0);
    for (size_t i = 0; i < n; i++)
        v[i] = ctr_rng_uniform(&rng) * 2.0f - 1.0f;
    for (size_t i = 0; i < n; i += 5) { /* ties: half of the last place kept, both signs */
        uint32_t u;
        memcpy(&u, &v[i], 4);
        u = (u & 0xffffe000u) | 0x1000u;
        memcpy(&v[i], &u, 4);
    }
}

static void reference(void)
{
    for (size_t n = 0; n < N; n++)
        for (size_t o = 0; o < O; o++) {
            double *e = &exact[n * O + o], *r = &rounded[n * O + o];
            *e = *r = 0;
            for (size_t i = 0; i < I; i++) {
                *e += (double)x[n * I + i] * (double)w[o * I + i];
                *r += tf32(x[n * I + i]) * tf32(w[o * I + i]);
            }
        }
}

/* y = x w^T; the variant that computed it. */
static const char *product(ctr_dev *dev)
{
    ctr_graph *g = NULL;
    ok(ctr_graph_create(&g, dev, NULL));
    ctr_tensor *tx = ctr_graph_input(g, "x", CTR_F32, 2, (size_t[]){N, I});
    ctr_tensor *tw = ctr_graph_input(g, "w", CTR_F32, 2, (size_t[]){O, I});
    ctr_tensor *ty = ctr_dense(g, tx, tw, NULL, 0);
    ctr_graph_keep(ty);
    ok(ctr_graph_plan(g, NULL));
    ok(ctr_graph_lower(g));
    ok(ctr_dev_build(dev, 0, NULL, NULL));
    ok(ctr_tensor_write(tx, x, sizeof x));
    ok(ctr_tensor_write(tw, w, sizeof w));
    ok(ctr_graph_replay(g));
    ok(ctr_tensor_read(y, ty, sizeof y));
    const char *variant = ctr_graph_node(g, 0)->variant->name;
    ctr_graph_destroy(&g);
    return variant;
}

static double error(const double *want)
{
    double diff = 0, norm = 0;
    for (size_t i = 0; i < N * O; i++) {
        diff += ((double)y[i] - want[i]) * ((double)y[i] - want[i]);
        norm += want[i] * want[i];
    }
    return sqrt(diff / norm);
}

static void test_permission(void **state)
{
    ctr_dev *dev = open_with("+family_gpu,+mma_emulated", 0);
    draw(x, N * I, 0);
    draw(w, O * I, 1);
    reference();
    assert_int_equal(ctr_dev_caps(dev)->mma, CTR_MMA_F16 | CTR_MMA_BF16);
    assert_string_equal(product(dev), "gpu");
    assert_true(error(exact) < 1e-6);
    ctr_dev_destroy(&dev);
    dev = open_with("+family_gpu", 1); /* no units: it builds nowhere but with NVIDIA's compiler */
    if (!ctr_dev_caps(dev)->mma)
        assert_string_equal(product(dev), "gpu");
    ctr_dev_destroy(&dev);
    dev = open_with("+family_cpu,+mma_emulated", 1);
    assert_int_equal(ctr_dev_caps(dev)->mma, 0);
    ctr_dev_destroy(&dev);
}

static void test_rounding(void **state)
{
    ctr_dev *dev = open_with("+family_gpu,+mma_emulated", 1);
    assert_int_equal(ctr_dev_caps(dev)->mma, CTR_MMA_TF32 | CTR_MMA_F16 | CTR_MMA_BF16);
    draw(x, N * I, 0);
    draw(w, O * I, 1);
    reference();
    assert_string_equal(product(dev), "mma");
    assert_true(error(rounded) < 1e-6);
    assert_true(error(exact) > 1e-5); /* it is tf32 */
    assert_true(error(exact) < 0x1p-10);
    ctr_dev_destroy(&dev);
}

/* What is not finite stays so, and nothing else is touched by it. */
static void test_nonfinite(void **state)
{
    ctr_dev *dev = open_with("+family_gpu,+mma_emulated", 1);
    const uint32_t thin_nan = 0x7f800001u; /* its payload lies in the bits that units ignore */
    draw(x, N * I, 0);
    draw(w, O * I, 1);
    memcpy(&x[3 * I + 7], &thin_nan, 4);
    x[20 * I + 70] = INFINITY;
    product(dev);
    for (size_t o = 0; o < O; o++) {
        assert_true(isnan(y[3 * O + o]));
        assert_true(isinf(y[20 * O + o]));
    }
    for (size_t i = 0; i < N * O; i++)
        if (i / O != 3 && i / O != 20)
            assert_true(isfinite(y[i]));
    ctr_dev_destroy(&dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_permission),
                                       cmocka_unit_test(test_rounding),
                                       cmocka_unit_test(test_nonfinite)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
