/* Products against plain C: all transposes, odd sizes, padded rows, alpha and beta; on integers, so
 * that fp32 is exact and any order of summation gives the same. And what must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/rng.h"

#include "rig.h"

/* Rows beyond the matrix's own columns hold this, and must still hold it afterwards. */
#define GUARD 777.0f

struct matrix {
    float *v;
    size_t rows, cols, ld;
};

static struct matrix make(struct ctr_rng *rng, size_t rows, size_t cols, size_t pad)
{
    struct matrix m = {.rows = rows, .cols = cols, .ld = cols + pad};
    m.v = malloc(rows * m.ld * sizeof *m.v);
    assert_non_null(m.v);
    for (size_t i = 0; i < rows * m.ld; i++)
        m.v[i] = i % m.ld < cols ? (float)ctr_rng_below(rng, 17) - 8.0f : GUARD;
    return m;
}

static float at(const struct matrix *m, size_t row, size_t col, int transposed)
{
    return transposed ? m->v[col * m->ld + row] : m->v[row * m->ld + col];
}

static ctr_buf *upload(ctr_dev *dev, const struct matrix *m, const char *what)
{
    ctr_buf *buf;
    size_t bytes = m->rows * m->ld * sizeof *m->v;
    assert_ok(ctr_buf_create(&buf, dev, bytes, what));
    assert_ok(ctr_buf_write(buf, 0, m->v, bytes));
    return buf;
}

static void check(ctr_dev *dev, size_t M, size_t N, size_t K, int ta, int tb, float beta,
                  size_t pad)
{
    struct ctr_rng rng;
    ctr_rng_init(&rng, M * 1000003 + N * 1009 + K, CTR_RNG_TEST, (uint32_t)(2 * ta + tb), 0);
    struct matrix a = make(&rng, ta ? K : M, ta ? M : K, pad);
    struct matrix b = make(&rng, tb ? N : K, tb ? K : N, 2 * pad), c = make(&rng, M, N, pad);
    struct ctr_gemm g = {.transpose_a = ta,
                         .transpose_b = tb,
                         .M = M,
                         .N = N,
                         .K = K,
                         .lda = a.ld,
                         .ldb = b.ld,
                         .ldc = c.ld,
                         .alpha = 2.0f,
                         .beta = beta};
    size_t temp_bytes;
    ctr_launch *launch;
    assert_ok(ctr_gemm_temp_bytes(&temp_bytes, dev, &g));
    g.A = upload(dev, &a, "A");
    g.B = upload(dev, &b, "B");
    g.C = upload(dev, &c, "C");
    if (temp_bytes)
        assert_ok(ctr_buf_create(&g.temp, dev, temp_bytes, "temp"));
    uint64_t allocations = ctr_dev_stats(dev).allocations;
    assert_ok(ctr_launch_create_gemm(&launch, dev, &g));
    assert_string_equal(ctr_launch_name(launch),
                        ta ? (tb ? "gemm_tt" : "gemm_tn") : (tb ? "gemm_nt" : "gemm_nn"));
    assert_ok(ctr_dev_build(dev, 0, NULL, NULL));
    assert_ok(ctr_launch_run(launch));
    assert_int_equal(ctr_dev_stats(dev).allocations, allocations);
    float *got = malloc(M * c.ld * sizeof *got);
    assert_ok(ctr_buf_read(got, g.C, 0, M * c.ld * sizeof *got));
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < c.ld; j++) {
            double want = at(&c, i, j, 0);
            if (j < N) {
                want *= beta;
                for (size_t k = 0; k < K; k++)
                    want += 2.0 * (double)at(&a, i, k, ta) * (double)at(&b, k, j, tb);
            }
            if ((double)got[i * c.ld + j] != want)
                fail_msg("%zux%zux%zu %d%d: C[%zu,%zu] is %g, not %g", M, N, K, ta, tb, i, j,
                         (double)got[i * c.ld + j], want);
        }
    free(got);
    free(a.v);
    free(b.v);
    free(c.v);
    ctr_launch_destroy(&launch);
    ctr_buf_destroy(&g.A);
    ctr_buf_destroy(&g.B);
    ctr_buf_destroy(&g.C);
    ctr_buf_destroy(&g.temp);
}

static void test_products(void **state)
{
    static const size_t sizes[] = {1, 31, 33, 65, 100};
    ctr_dev *dev = rig_open(NULL);
    for (size_t i = 0; i < 5; i++)
        for (int t = 0; t < 4; t++)
            check(dev, sizes[i], sizes[(i + 2) % 5], sizes[(i + 3) % 5], t & 1, t >> 1,
                  i % 2 ? 1.0f : -3.0f, i % 3);
    ctr_dev_destroy(&dev);
}

/* Large enough for the path with scratch, aligned and not. */
static void test_large_products(void **state)
{
    ctr_dev *dev = rig_open(NULL);
    if (strcmp(ctr_dev_caps(dev)->platform, "Oclgrind") == 0) { /* hours */
        ctr_dev_destroy(&dev);
        skip();
    }
    for (int t = 0; t < 4; t++) {
        check(dev, 256, 256, 256, t & 1, t >> 1, 0.0f, 0);
        check(dev, 270, 200, 330, t & 1, t >> 1, 1.0f, 1);
    }
    ctr_dev_destroy(&dev);
}

/* A second device must find its own programs, not those of a context that is gone. */
static void test_reopen(void **state)
{
    for (int i = 0; i < 3; i++) {
        ctr_dev *dev = rig_open(NULL);
        check(dev, 33, 31, 65, 0, 1, 0.0f, 0);
        ctr_dev_destroy(&dev);
    }
}

static void test_bad_products(void **state)
{
    ctr_dev *dev;
    ctr_buf *buf;
    size_t bytes;
    ctr_launch *launch = NULL;
    assert_ok(ctr_dev_open(&dev, "null", NULL));
    assert_ok(ctr_buf_create(&buf, dev, 64, "small"));
    const struct ctr_gemm good = {.C = buf,
                                  .A = buf,
                                  .B = buf,
                                  .M = 4,
                                  .N = 4,
                                  .K = 4,
                                  .lda = 4,
                                  .ldb = 4,
                                  .ldc = 4,
                                  .alpha = 1.0f};
    struct ctr_gemm bad[6] = {good, good, good, good, good, good};
    bad[0].M = 0;
    bad[1].lda = 3;
    bad[2].ldc = 5;
    bad[3].K = 5, bad[3].lda = 5;
    bad[4].A = NULL;
    bad[5].M = SIZE_MAX / 2;
    for (int i = 0; i < 6; i++)
        assert_int_equal(ctr_launch_create_gemm(&launch, dev, &bad[i]), CTR_E_USAGE);
    assert_null(launch);
    assert_ok(ctr_gemm_temp_bytes(&bytes, dev, &good));
    assert_int_equal(bytes, 0);
    assert_ok(ctr_launch_create_gemm(&launch, dev, &good));
    assert_ok(ctr_dev_build(dev, 1, NULL, NULL));
    assert_ok(ctr_launch_run(launch));
    ctr_dev_destroy(&dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_products),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_large_products),
        cmocka_unit_test(test_reopen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
