/* A classifier from a few examples: it is right where classes are apart, from one example a class too; its estimate of how
 * often it is right, and the shares it gives, hold on rows it has not seen. */
#include "eval/rig.h"

#include "eval/classify.h"

/* The first `per_class` rows of each class of f, of length one. */
static struct ctr_features few(const struct ctr_features *f, size_t per_class)
{
    struct ctr_features some;
    check(ctr_features_few(&some, f, K, per_class, 5));
    return some;
}

/* Share of rows that are right, and the mean of the largest share. */
static double judge(double *sure, const struct ctr_linear *l, const struct ctr_features *f)
{
    double share[K], right = 0;
    *sure = 0;
    for (size_t i = 0; i < f->n; i++) {
        double sum = 0;
        unsigned best = ctr_classify(share, l, f->x + i * f->D);
        for (unsigned k = 0; k < K; k++) {
            assert_true(share[k] >= 0 && share[k] <= share[best]);
            sum += share[k];
        }
        assert_true(fabs(sum - 1) < 1e-12);
        right += best == (unsigned)f->label[i];
        *sure += share[best] / (double)f->n;
    }
    return right / (double)f->n;
}

static void test_shares_hold(void **state)
{
    struct ctr_features test = clouds(2000, 24, 0.6f, 9);
    ctr_rows_unit(test.x, test.x, test.n, test.D);
    struct ctr_features train = few(&test, 20);
    for (enum ctr_classifier kind = CTR_CLASSIFY_AUTO; kind <= CTR_CLASSIFY_MEAN; kind++) {
        struct ctr_linear l;
        struct ctr_classify_how how = {.kind = kind};
        double told, sure, right;
        check(ctr_classify_fit(&l, &how, dev, &train, K, 1));
        assert_int_equal(how.kind, kind == CTR_CLASSIFY_AUTO ? CTR_CLASSIFY_LOGISTIC : kind);
        right = judge(&sure, &l, &test);
        double before = right;
        check(ctr_classify_check(&told, &l, &how, dev, &train, 1));
        right = judge(&sure, &l, &test);
        assert_true(right == before);
        assert_true(right > 2.0 / K && right < 0.98); /* neither chance nor trivial */
        assert_true(fabs(told - right) < 0.12);
        assert_true(fabs(sure - right) < 0.12);
        ctr_linear_finish(&l);
    }
    ctr_features_free(&train);
    ctr_features_free(&test);
}

static void test_one_example(void **state)
{
    struct ctr_features test = clouds(500, 24, 4, 3);
    ctr_rows_unit(test.x, test.x, test.n, test.D);
    struct ctr_features train = few(&test, 1);
    struct ctr_linear l;
    struct ctr_classify_how how = {CTR_CLASSIFY_AUTO, 0};
    double told = 0, sure;
    assert_int_equal(train.n, K);
    check(ctr_classify_fit(&l, &how, dev, &train, K, 1));
    assert_int_equal(how.kind, CTR_CLASSIFY_MEAN);
    assert_true(judge(&sure, &l, &test) > 0.9);
    check(ctr_classify_check(&told, &l, &how, dev, &train, 1));
    assert_true(isnan(told));
    ctr_linear_finish(&l);
    how.kind = CTR_CLASSIFY_AUTO;
    assert_int_equal(ctr_classify_fit(&l, &how, dev, &train, K + 1, 1), CTR_E_DATA);
    ctr_features_free(&train);
    ctr_features_free(&test);
}

static int tests(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares_hold), cmocka_unit_test(test_one_example)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return run_on_device(tests);
}
