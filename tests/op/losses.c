/* What opcheck's cases cannot show of the losses: sizes beyond a dense reference, memory, hostile
 * values, refused arguments. CTR_TEST_SLOW=1 adds 32,768 pairs (half a minute on two cores). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "op/op.h"

static ctr_dev *dev;

struct rig {
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *z, *label, *loss, *top1;
};

static void rig_open(struct rig *r, size_t N, size_t D)
{
    *r = (struct rig){.top1 = NULL};
    assert_int_equal(ctr_store_create(&r->store, dev), 0);
    assert_int_equal(ctr_graph_create(&r->g, dev, r->store), 0);
    r->z = ctr_graph_input(r->g, "z", CTR_F32, 2, (size_t[]){N, D});
    r->label = ctr_graph_input(r->g, "label", CTR_I32, 1, &N);
    ctr_graph_want_grad(r->z);
}

/* NT-Xent of rows z, with its figure of neighbours. */
static void rig_ntxent(struct rig *r, ctr_tensor *z, float temperature)
{
    size_t N = z ? z->dim[0] / 2 : 0;
    ctr_tensor *top = NULL, *positive = ctr_row_dot(r->g, z, z, 1 / temperature, N);
    ctr_tensor *negatives = ctr_lse(r->g, z, z, 1 / temperature, N, &top);
    struct ctr_contrast p = {.kind = CTR_CONTRAST_NTXENT, .scale = 1 / temperature};
    r->loss = ctr_contrast(r->g, positive, negatives, top, &p);
    r->top1 = ctr_contrast_nearest(r->loss);
}

static void rig_build(struct rig *r)
{
    ctr_graph_keep(r->loss);
    ctr_graph_keep(r->top1);
    if (ctr_graph_backward(r->g, r->loss, NULL) || ctr_graph_plan(r->g, NULL) ||
        ctr_graph_lower(r->g) || ctr_dev_build(dev, 0, NULL, NULL))
        fail_msg("%s", ctr_error_text());
}

static void rig_close(struct rig *r)
{
    ctr_graph_destroy(&r->g);
    ctr_store_destroy(&r->store);
}

/* Runs with these values; dz may be NULL. */
static float rig_run(struct rig *r, const float *z, float *dz)
{
    float loss = 0;
    assert_int_equal(ctr_tensor_write(r->z, z, r->z->bytes), 0);
    assert_int_equal(ctr_graph_replay(r->g), 0);
    assert_int_equal(ctr_tensor_read(&loss, r->loss, sizeof loss), 0);
    if (dz)
        assert_int_equal(ctr_tensor_read(dz, r->z->grad, r->z->bytes), 0);
    return loss;
}

static void random_rows(float *z, size_t n, size_t D, uint32_t stream)
{
    struct ctr_rng rng;
    ctr_rng_init(&rng, 7, CTR_RNG_TEST, stream, 0);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t d = 0; d < D; d++) {
            z[i * D + d] = ctr_rng_normal(&rng);
            sum += (double)z[i * D + d] * (double)z[i * D + d];
        }
        for (size_t d = 0; d < D; d++)
            z[i * D + d] = (float)(z[i * D + d] / sqrt(sum));
    }
}

/* ---- a large batch of few different pairs, so that a reference by multiplicity is cheap ---- */

enum { PAIRS = 64, KINDS = 2 * PAIRS };

static double product(const float *a, const float *b, size_t D)
{
    double sum = 0;
    for (size_t d = 0; d < D; d++)
        sum += (double)a[d] * (double)b[d];
    return sum;
}

/* Loss, and gradient of any copy of each kind: w[KINDS][D], each `copies` times in the batch; the
 * kinds a and (a + PAIRS) % KINDS are views of one image. */
static double by_multiplicity(double *dw, const float *w, double T, size_t copies, size_t D)
{
    static double s[KINDS][KINDS], lse[KINDS];
    double R = (double)copies, M = KINDS * R, loss = 0;
    for (size_t a = 0; a < KINDS; a++) {
        size_t p = (a + PAIRS) % KINDS;
        double sum = 0;
        for (size_t b = 0; b < KINDS; b++)
            s[a][b] = product(w + a * D, w + b * D, D) / T;
        for (size_t b = 0; b < KINDS; b++)
            sum += (b == a ? R - 1 : R) * exp(s[a][b] - s[a][a]);
        lse[a] = s[a][a] + log(sum);
        loss += (lse[a] - s[a][p]) / KINDS;
    }
    for (size_t a = 0; a < KINDS; a++)
        for (size_t b = 0; b < KINDS; b++) {
            double P = exp(s[a][b] - lse[a]) + exp(s[a][b] - lse[b]);
            double weight = (b == a ? R - 1 : R) * P - (b == (a + PAIRS) % KINDS ? 2 : 0);
            for (size_t d = 0; d < D; d++)
                dw[a * D + d] += weight / (M * T) * (double)w[b * D + d];
        }
    return loss;
}

static void large(size_t N, double T)
{
    size_t D = 128, M = 2 * N;
    struct rig r;
    float *w = ctr_alloc(KINDS * D, 4), *z = ctr_alloc(M * D, 4), *dz = ctr_alloc(M * D, 4);
    double *dw = ctr_alloc(KINDS * D, 8), diff = 0, norm = 0;
    random_rows(w, KINDS, D, 1);
    for (size_t i = 0; i < M; i++) /* row i of view v: kind i % PAIRS of that view */
        memcpy(z + i * D, w + (i / N * PAIRS + i % N % PAIRS) * D, D * 4);
    rig_open(&r, M, D);
    rig_ntxent(&r, r.z, (float)T);
    rig_build(&r);
    double extra = (double)(ctr_graph_report(r.g).arena_bytes - r.z->bytes) / (1 << 20);
    if (N <= 4096)
        rig_run(&r, z, dz); /* compiles */
    double start = ctr_now(), loss = rig_run(&r, z, dz), time = ctr_now() - start;
    double want = by_multiplicity(dw, w, (float)T, N / PAIRS, D);
    for (size_t i = 0; i < M; i++)
        for (size_t d = 0; d < D; d++) {
            double g = dw[(i / N * PAIRS + i % N % PAIRS) * D + d];
            diff += (dz[i * D + d] - g) * (dz[i * D + d] - g);
            norm += g * g;
        }
    print_message("%zu pairs: %.3f s, %.1f MiB beside z and dz, errors: loss %.1e, gradient %.1e\n",
                  N, time, extra, fabs(loss - want) / want, sqrt(diff / norm));
    assert_true(fabs(loss - want) <= 1e-5 * want);
    assert_true(sqrt(diff / norm) <= 1e-5);
    assert_true(extra < 64);
    rig_close(&r);
    free(w);
    free(z);
    free(dz);
    free(dw);
}

static void large_batches(void **state)
{
    const char *slow = getenv("CTR_TEST_SLOW");
    large(4096, 0.5);
    large(4096, 0.05);
    if (slow && *slow == '1')
        large(32768, 0.5);
}

/* ---- hostile values ---- */

/* All rows equal: log(2N - 1), no gradient, and nothing counts as nearest. */
static void collapsed(void **state)
{
    enum { M = 66, D = 20 };
    static float z[M * D], dz[M * D];
    struct rig r;
    float top1 = -1;
    for (size_t i = 0; i < M * D; i++)
        z[i] = i % D == 3 ? 1 : 0;
    rig_open(&r, M, D);
    rig_ntxent(&r, r.z, 0.01f);
    rig_build(&r);
    float loss = rig_run(&r, z, dz);
    assert_int_equal(ctr_tensor_read(&top1, r.top1, 4), 0);
    assert_true(fabs(loss - log(M - 1)) < 1e-5);
    assert_true(top1 == 0);
    for (size_t i = 0; i < M * D; i++)
        assert_true(fabsf(dz[i]) < 1e-5f);
    rig_close(&r);
}

/* One NaN among many rows reaches the loss, wherever it stands. */
static void nan_is_seen(void **state)
{
    enum { M = 90, D = 17 };
    static float z[M * D];
    struct rig r;
    rig_open(&r, M, D);
    rig_ntxent(&r, r.z, 0.1f);
    rig_build(&r);
    for (size_t at = 0; at < M * D; at += 101) {
        random_rows(z, M, D, 2);
        assert_true(isfinite(rig_run(&r, z, NULL)));
        z[at] = NAN;
        assert_true(isnan(rig_run(&r, z, NULL)));
    }
    rig_close(&r);
}

/* Rows of zeros stay finite through l2norm and the loss. */
static void zero_rows(void **state)
{
    enum { M = 34, D = 9 };
    static float z[M * D], dz[M * D];
    struct rig r;
    random_rows(z, M, D, 3);
    memset(z + 5 * D, 0, 3 * D * sizeof *z);
    rig_open(&r, M, D);
    rig_ntxent(&r, ctr_l2norm(r.g, r.z), 0.1f);
    rig_build(&r);
    assert_true(isfinite(rig_run(&r, z, dz)));
    for (size_t i = 0; i < M * D; i++)
        assert_true(isfinite(dz[i]));
    rig_close(&r);
}

/* A label that no class has is not taken for one; the others' gradients survive. */
static void wrong_labels(void **state)
{
    enum { N = 5, K = 19 };
    static float x[N * K], dx[N * K];
    struct rig r;
    random_rows(x, N, K, 4);
    rig_open(&r, N, K);
    r.loss = ctr_softmax_xent(r.g, r.z, r.label, 0);
    rig_build(&r);
    for (int wrong = 0; wrong < 3; wrong++) {
        int32_t label[N] = {0, 18, 3, 15, 16};
        label[2] = wrong == 0 ? 3 : wrong == 1 ? -1 : K;
        assert_int_equal(ctr_tensor_write(r.label, label, sizeof label), 0);
        float loss = rig_run(&r, x, dx);
        assert_true(wrong ? isnan(loss) : isfinite(loss));
        for (size_t i = 0; i < N * K; i++)
            assert_true(isfinite(dx[i]));
    }
    rig_close(&r);
}

/* ---- refused ---- */

static void refused(ctr_tensor *got, struct rig *r, const char *part)
{
    assert_null(got);
    assert_int_equal(ctr_graph_status(r->g), CTR_E_USAGE);
    assert_non_null(strstr(ctr_error_text(), part));
    rig_close(r);
}

static void refusals(void **state)
{
    struct rig r;
    const float bad[] = {NAN, INFINITY, 1e9f};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        rig_open(&r, 4, 3);
        refused(ctr_lse(r.g, r.z, r.z, bad[i], 0, NULL), &r, "scale");
    }
    rig_open(&r, 5, 3);
    ctr_tensor *wide = ctr_graph_input(r.g, "wide", CTR_F32, 2, (size_t[]){5, 4});
    refused(ctr_lse(r.g, r.z, wide, 1, 0, NULL), &r, "length");
    rig_open(&r, 5, 3);
    wide = ctr_graph_input(r.g, "wide", CTR_F32, 2, (size_t[]){5, 4});
    refused(ctr_row_dot(r.g, r.z, wide, 1, 0), &r, "length");
    rig_open(&r, 5, 3);
    refused(ctr_take_rows(r.g, r.z, 3, 3), &r, "rows 3 to 6");
    rig_open(&r, 5, 3);
    ctr_tensor *two = ctr_graph_input(r.g, "two", CTR_I32, 1, (size_t[]){2});
    refused(ctr_label_mean(r.g, r.z, two), &r, "views of 2 labels");
    rig_open(&r, 5, 3);
    refused(ctr_softmax_xent(r.g, r.z, r.z, 0), &r, "label");
    rig_open(&r, 5, 3);
    refused(ctr_softmax_xent(r.g, r.z, r.label, 1.5f), &r, "smoothing of 1.5");
    rig_open(&r, 5, 3);
    refused(ctr_similarity(r.g, r.z, r.z, NAN), &r, "scale");
    rig_open(&r, 5, 3);
    ctr_tensor *other = ctr_graph_input(r.g, "other", CTR_F32, 2, (size_t[]){5, 4});
    refused(ctr_similarity(r.g, r.z, other, 1), &r, "length");
}

int main(void)
{
    const char *must = getenv("CTR_REQUIRE_DEVICE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_batches), cmocka_unit_test(collapsed),
        cmocka_unit_test(nan_is_seen),   cmocka_unit_test(zero_rows),
        cmocka_unit_test(wrong_labels),  cmocka_unit_test(refusals),
    };
    if (ctr_dev_open(&dev, getenv("CTR_TEST_DEVICE"), NULL) != 0)
        return must && *must == '1' ? 1 : 77;
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    ctr_dev_destroy(&dev);
    return rc;
}
