/* Maps: principal components against those that the rows were made with; t-SNE keeps clouds together, whatever the
 * number of threads does to its order; equal rows, few rows, what is refused. */
#include "rig.h"

#include <stdint.h>

#include "eval/map.h"

enum { N = 300, D = 20 };

/* x = a u + b v + small noise, u and v orthonormal; a varies most. */
static float *plane(double ab[N][2], double u[D], double v[D])
{
    float *x = ctr_alloc(N * D, sizeof *x);
    struct ctr_rng rng;
    ctr_rng_init(&rng, 3, CTR_RNG_TEST, 0, 0);
    for (size_t d = 0; d < D; d++) {
        u[d] = d < 4 ? 0.5 : 0;
        v[d] = d == 5 ? -0.6 : d == 9 ? 0.8 : 0;
    }
    for (size_t i = 0; i < N; i++) {
        ab[i][0] = 4 * ctr_rng_normal(&rng);
        ab[i][1] = 2 * ctr_rng_normal(&rng);
        for (size_t d = 0; d < D; d++)
            x[i * D + d] = (float)(7 + ab[i][0] * u[d] + ab[i][1] * v[d] + 1e-3 * ctr_rng_normal(&rng));
    }
    return x;
}

static void pca_finds_the_plane(void **state)
{
    double ab[N][2], u[D], v[D], share[2], mean[2] = {0, 0};
    float *x = plane(ab, u, v), y[2 * N];
    assert_int_equal(ctr_map_pca(y, share, x, N, D), 0);
    for (size_t i = 0; i < N; i++)
        for (int c = 0; c < 2; c++)
            mean[c] += ab[i][c] / N;
    for (size_t i = 0; i < N; i++)
        for (int c = 0; c < 2; c++) /* a and b are nearly, not quite, uncorrelated in a sample */
            assert_true(fabs(y[2 * i + c] - (ab[i][c] - mean[c])) < 0.2 * (1 + fabs(ab[i][c])) + 0.5);
    assert_true(share[0] > 0.7 && share[1] > 0.1 && share[0] + share[1] > 0.9999 && share[0] + share[1] <= 1);
    free(x);
}

/* What the two directions hold cannot be beaten by the columns, which are directions, too. */
static void pca_holds_most(void **state)
{
    struct ctr_features f = clouds(N, D, 2, 1);
    double share[2], total = 0, most[2] = {0, 0};
    float y[2 * N];
    assert_int_equal(ctr_map_pca(y, share, f.x, N, D), 0);
    for (size_t d = 0; d < D; d++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < N; i++)
            sum += f.x[i * D + d];
        for (size_t i = 0; i < N; i++)
            square += (f.x[i * D + d] - sum / N) * (f.x[i * D + d] - sum / N);
        total += square;
        most[0] = square > most[0] ? square : most[0];
    }
    double held[2] = {0, 0}, cross = 0;
    for (size_t i = 0; i < N; i++) {
        held[0] += (double)y[2 * i] * y[2 * i];
        held[1] += (double)y[2 * i + 1] * y[2 * i + 1];
        cross += (double)y[2 * i] * y[2 * i + 1];
    }
    assert_true(held[0] >= most[0] && held[0] >= held[1]);
    assert_true(fabs(held[0] / total - share[0]) < 1e-5 && fabs(held[1] / total - share[1]) < 1e-5);
    assert_true(fabs(cross) < 1e-4 * held[1]);
    ctr_features_free(&f);
}

/* Share of points whose nearest is of the same class. */
static double neighbours_alike(const float *y, const int32_t *label, size_t n)
{
    size_t alike = 0;
    for (size_t i = 0; i < n; i++) {
        double best = INFINITY;
        size_t of = 0;
        for (size_t j = 0; j < n; j++) {
            double d = hypot(y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
            if (j != i && d < best) {
                best = d;
                of = j;
            }
        }
        alike += label[i] == label[of];
    }
    return (double)alike / (double)n;
}

static int count_steps(void *user, size_t done, size_t total)
{
    assert_true(done == *(size_t *)user + 1 && total == CTR_TSNE_STEPS);
    *(size_t *)user = done;
    return 0;
}

static void tsne_keeps_clouds(void **state)
{
    struct ctr_features f = clouds(N, D, 4, 2);
    float y[2 * N], again[2 * N];
    double divergence, pca_alike;
    size_t steps = 0;
    struct ctr_tsne_params params = {20, 1};
    assert_int_equal(ctr_map_pca(y, NULL, f.x, N, D), 0);
    pca_alike = neighbours_alike(y, f.label, N);
    assert_int_equal(ctr_map_tsne(y, &divergence, f.x, N, D, &params, count_steps, &steps), 0);
    assert_int_equal(steps, CTR_TSNE_STEPS);
    assert_true(neighbours_alike(y, f.label, N) > 0.97 && neighbours_alike(y, f.label, N) > pca_alike);
    assert_true(divergence > 0 && divergence < 1);
    assert_int_equal(ctr_map_tsne(again, NULL, f.x, N, D, &params, NULL, NULL), 0);
    assert_memory_equal(y, again, sizeof y);
    params.seed = 2;
    assert_int_equal(ctr_map_tsne(again, NULL, f.x, N, D, &params, NULL, NULL), 0);
    assert_memory_not_equal(y, again, sizeof y);
    ctr_features_free(&f);
}

static int stop_at_three(void *user, size_t done, size_t total)
{
    return done == 3 ? ctr_fail(CTR_E_FAIL, "enough") : 0;
}

static void edges(void **state)
{
    float x[40 * 3] = {0}, y[80];
    double share[2];
    assert_int_equal(ctr_map_pca(y, share, x, 40, 3), 0); /* all the same */
    assert_true(y[0] == 0 && y[79] == 0 && share[0] == 0);
    assert_int_equal(ctr_map_tsne(y, NULL, x, 40, 3, &(struct ctr_tsne_params){5, 1}, NULL, NULL), 0);
    for (size_t i = 0; i < 80; i++)
        assert_true(isfinite(y[i]));
    x[0] = 2; /* one row, one value */
    assert_int_equal(ctr_map_pca(y, share, x, 1, 1), 0);
    assert_true(y[0] == 0 && y[1] == 0);
    x[3] = 5; /* on a line */
    assert_int_equal(ctr_map_pca(y, share, x, 40, 3), 0);
    assert_true(share[0] > 0.5 && share[0] + share[1] < 1.0001 && isfinite(y[1]));
    assert_int_equal(ctr_map_tsne(y, NULL, x, 40, 3, &(struct ctr_tsne_params){5, 1}, stop_at_three, NULL), CTR_E_FAIL);
    const struct {
        size_t n;
        double perplexity;
    } bad[] = {{40, 13.5}, {40, 1}, {40, NAN}, {3, 1.5}, {CTR_TSNE_MAX + 1, 30}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        assert_int_equal(ctr_map_tsne(y, NULL, x, bad[k].n, 3, &(struct ctr_tsne_params){bad[k].perplexity, 1}, NULL,
                                      NULL),
                         CTR_E_USAGE);
    x[7] = NAN;
    assert_int_equal(ctr_rows_check(x, 40, 3, "vector"), CTR_E_DATA);
    assert_non_null(strstr(ctr_error_text(), "vector 2 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pca_finds_the_plane), cmocka_unit_test(pca_holds_most),
                                       cmocka_unit_test(tsne_keeps_clouds), cmocka_unit_test(edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
