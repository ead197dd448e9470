/* Linear probes against plain references in double (elimination, descent) and against scikit-learn. */
#include "eval/rig.h"

#include "eval/lbfgs.h"
#include "eval/linear.h"

/* a[n][n] x = y by Gaussian elimination with pivots; y becomes x. */
static void gauss(double *a, double *y, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        size_t p = k;
        for (size_t i = k; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[p * n + k]))
                p = i;
        for (size_t j = 0; j < n; j++) {
            double t = a[k * n + j];
            a[k * n + j] = a[p * n + j];
            a[p * n + j] = t;
        }
        double t = y[k];
        y[k] = y[p];
        y[p] = t;
        for (size_t i = k + 1; i < n; i++) {
            double f = a[i * n + k] / a[k * n + k];
            for (size_t j = k; j < n; j++)
                a[i * n + j] -= f * a[k * n + j];
            y[i] -= f * y[k];
        }
    }
    for (size_t k = n; k-- > 0;) {
        for (size_t j = k + 1; j < n; j++)
            y[k] -= a[k * n + j] * y[j];
        y[k] /= a[k * n + k];
    }
}

/* Ridge with the bias as a further, unpenalised feature, from rows index[n]: another way to the same. */
static void ref_ridge(double *w, const struct ctr_linear *l, const struct ctr_features *f,
                      const uint32_t *index, size_t n, double penalty)
{
    size_t D = f->D, P = D + 1;
    float *row = ctr_alloc(P, sizeof *row);
    double *a = ctr_alloc(P * P, sizeof *a), *copy = ctr_alloc(P * P, sizeof *a);
    memset(w, 0, K * P * sizeof *w);
    for (size_t i = 0; i < n; i++) {
        ctr_linear_row(row, l, f, index[i]);
        row[D] = 1;
        for (size_t d = 0; d < P; d++)
            for (size_t e = 0; e < P; e++)
                a[d * P + e] += (double)row[d] * row[e];
        for (size_t d = 0; d < P; d++)
            w[(size_t)f->label[index[i]] * P + d] += row[d];
    }
    for (size_t d = 0; d < D; d++)
        a[d * P + d] += penalty * (double)n;
    for (size_t k = 0; k < K; k++) {
        memcpy(copy, a, P * P * sizeof *a);
        gauss(copy, w + k * P, P);
    }
    free(copy);
    free(a);
    free(row);
}

static double ref_accuracy(const double *w, const struct ctr_linear *l,
                           const struct ctr_features *f, const uint32_t *index, size_t n)
{
    size_t P = f->D + 1, right = 0;
    float *row = ctr_alloc(P, sizeof *row);
    for (size_t i = 0; i < n; i++) {
        double best = -INFINITY;
        int32_t guess = -1;
        ctr_linear_row(row, l, f, index[i]);
        row[P - 1] = 1;
        for (int32_t k = 0; k < K; k++) {
            double logit = 0;
            for (size_t d = 0; d < P; d++)
                logit += w[(size_t)k * P + d] * row[d];
            if (logit > best)
                best = logit, guess = k;
        }
        right += guess == f->label[index[i]];
    }
    free(row);
    return (double)right / (double)n;
}

static double relative_error(const struct ctr_linear *l, const double *w)
{
    double error = 0, size = 0;
    size_t P = l->D + 1;
    for (size_t k = 0; k < l->classes; k++)
        for (size_t d = 0; d < P; d++) {
            double x = d < l->D ? l->w[k * l->D + d] : l->b[k];
            error += (w[k * P + d] - x) * (w[k * P + d] - x);
            size += w[k * P + d] * w[k * P + d];
        }
    return sqrt(error / size);
}

static void test_ridge(void **state)
{
    enum { N = 3000, D = 70 };
    static double w[K * (D + 1)];
    static uint32_t order[N], all[N];
    struct ctr_features f = clouds(N, D, 0.15f, 3);
    struct ctr_linear l;
    double penalty = 0, best = -1, chosen = 0;
    size_t n_fit;
    check(ctr_linear_init(&l, &f, K));
    check(ctr_linear_fit_ridge(&l, &penalty, dev, &f, 5));
    for (uint32_t i = 0; i < N; i++)
        all[i] = i;
    ref_ridge(w, &l, &f, all, N, penalty);
    assert_true(relative_error(&l, w) < 1e-5);
    check(ctr_features_split(order, &n_fit, &f, K, 5));
    for (int i = 1; i >= -5; i--) { /* and the choice is the best of those held out */
        ref_ridge(w, &l, &f, order, n_fit, pow(10, i));
        double share = ref_accuracy(w, &l, &f, order + n_fit, N - n_fit);
        if (share > best)
            best = share, chosen = pow(10, i);
    }
    assert_true(fabs(penalty / chosen - 1) < 1e-9);
    ctr_linear_finish(&l);
    ctr_features_free(&f);
}

/* Penalised softmax regression by plain descent in double, until nothing moves. */
static void ref_logistic(double *w, const struct ctr_linear *l, const struct ctr_features *f,
                         double penalty)
{
    size_t D = f->D, P = D + 1;
    float *row = ctr_alloc(P, sizeof *row);
    double *g = ctr_alloc(K * P, sizeof *g), most = 1;
    memset(w, 0, K * P * sizeof *w);
    while (most > 1e-9) {
        memset(g, 0, K * P * sizeof *g);
        for (size_t i = 0; i < f->n; i++) {
            double e[K], sum = 0;
            ctr_linear_row(row, l, f, i);
            row[D] = 1;
            for (size_t k = 0; k < K; k++) {
                double logit = 0;
                for (size_t d = 0; d < P; d++)
                    logit += w[k * P + d] * row[d];
                sum += e[k] = exp(logit);
            }
            for (size_t k = 0; k < K; k++)
                for (size_t d = 0; d < P; d++)
                    g[k * P + d] += (e[k] / sum - (f->label[i] == (int32_t)k)) * row[d] / (double)f->n;
        }
        most = 0;
        for (size_t i = 0; i < K * P; i++) {
            g[i] += i % P < D ? penalty * w[i] : 0;
            w[i] -= 0.5 * g[i];
            most = fmax(most, fabs(g[i]));
        }
    }
    free(g);
    free(row);
}

/* All rows at once, and in parts of which the last is not full. */
static void test_logistic(void **state)
{
    enum { N = 403, D = 11 };
    static double w[K * (D + 1)];
    static uint32_t all[N];
    struct ctr_features f = clouds(N, D, 0.3f, 12);
    for (uint32_t i = 0; i < N; i++)
        all[i] = i;
    for (int parts = 0; parts < 2; parts++) {
        struct ctr_linear l;
        check(ctr_linear_init(&l, &f, K));
        ref_logistic(w, &l, &f, 0.02);
        check(ctr_linear_fit_logistic(&l, dev, &f, all, N, 0.02, 1e-6, parts ? 100 : 0));
        assert_true(relative_error(&l, w) < 1e-4);
        ctr_linear_finish(&l);
    }
    ctr_features_free(&f);
}

/* The gradient of Rosenbrock's function in many variables; it fails at call number `user`. */
static int rosenbrock(double *f, double *gradient, const double *x, void *user)
{
    int *calls_left = user;
    *f = 0;
    memset(gradient, 0, 20 * sizeof *gradient);
    for (size_t i = 0; i + 1 < 20; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
        *f += 100 * a * a + b * b;
        gradient[i] += -400 * a * x[i] - 2 * b;
        gradient[i + 1] += 200 * a;
    }
    return (*calls_left)-- == 0 ? CTR_E_DEVICE : 0;
}

static void test_lbfgs(void **state)
{
    int calls_left = 1000;
    unsigned steps = 0;
    double x[20];
    struct ctr_lbfgs p = {
        .value = rosenbrock, .user = &calls_left, .n = 20, .tolerance = 1e-8, .max_steps = 500};
    for (int i = 0; i < 20; i++)
        x[i] = i % 2 ? 1.0 : -1.2;
    check(ctr_lbfgs(x, &steps, &p));
    assert_true(steps > 10 && steps < 300);
    for (int i = 0; i < 20; i++)
        assert_true(fabs(x[i] - 1) < 1e-6);
    x[0] = 3;
    calls_left = 5;
    assert_int_equal(ctr_lbfgs(x, NULL, &p), CTR_E_DEVICE);
}

/* scikit-learn on the same numbers: sklearn.inc is made by sklearn_fixture.py. */
#include "sklearn.inc"

static struct ctr_features sines(size_t n, size_t first)
{
    struct ctr_features f = {ctr_alloc(n * SKLEARN_D, sizeof(float)), ctr_alloc(n, sizeof(int32_t)), n,
                             SKLEARN_D};
    for (size_t i = 0; i < n; i++) {
        f.label[i] = (int32_t)((first + i) % SKLEARN_K);
        for (size_t d = 0; d < SKLEARN_D; d++)
            f.x[i * SKLEARN_D + d] = (float)(sin(1 + 7.3 * (double)(first + i) + 1.7 * (double)d) * (double)(d + 1) +
                                             0.5 * cos((double)((size_t)f.label[i] * (d + 2))));
    }
    return f;
}

static void test_sklearn(void **state)
{
    struct ctr_features train = sines(SKLEARN_N, 0), test = sines(SKLEARN_TEST, SKLEARN_N);
    static uint32_t all[SKLEARN_N];
    int32_t guess[SKLEARN_TEST];
    struct ctr_linear l;
    double penalty;
    for (uint32_t i = 0; i < SKLEARN_N; i++)
        all[i] = i;
    check(ctr_linear_init(&l, &train, SKLEARN_K));
    check(ctr_linear_fit_logistic(&l, dev, &train, all, SKLEARN_N, 0.01, 1e-6, 0));
    assert_true(relative_error(&l, sklearn_logistic) < 1e-4);
    check(ctr_linear_fit_ridge(&l, &penalty, dev, &train, 1));
    assert_true(fabs(penalty / SKLEARN_PENALTY - 1) < 1e-9);
    assert_true(relative_error(&l, sklearn_ridge) < 1e-5);
    check(ctr_knn(guess, dev, &train, &test, SKLEARN_K, &(struct ctr_knn){10, 0}, 1));
    for (size_t i = 0; i < SKLEARN_TEST; i++)
        assert_true(sklearn_knn[i] < 0 || guess[i] == sklearn_knn[i]);
    ctr_linear_finish(&l);
    ctr_features_free(&train);
    ctr_features_free(&test);
}

static int tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ridge),
        cmocka_unit_test(test_logistic),
        cmocka_unit_test(test_lbfgs),
        cmocka_unit_test(test_sklearn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return run_on_device(tests);
}
