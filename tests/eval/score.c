/* Protocols against plain references in double; that no label of the test set has a way into a guess;
 * parts, few labels, draws, the picture of confusions. Linear probes: probes.c. */
#include "eval/rig.h"

#include "eval/score.h"

/* ---- nearest neighbours ---- */

static const struct ctr_features *ref_bank;
static double ref_similarity[4000];

static int ref_order(const void *a, const void *b)
{
    double x = ref_similarity[*(const int *)a], y = ref_similarity[*(const int *)b];
    return x > y ? -1 : x < y;
}

static double cosine(const float *a, const float *b, size_t D)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t d = 0; d < D; d++) {
        ab += (double)a[d] * b[d];
        aa += (double)a[d] * a[d];
        bb += (double)b[d] * b[d];
    }
    return ab / sqrt(aa * bb);
}

static int32_t ref_knn(const float *x, const struct ctr_knn *knn)
{
    static int order[4000];
    double weight[K] = {0};
    size_t n = ref_bank->n, D = ref_bank->D;
    for (size_t i = 0; i < n; i++) {
        order[i] = (int)i;
        ref_similarity[i] = cosine(x, ref_bank->x + i * D, D);
    }
    qsort(order, n, sizeof *order, ref_order);
    int32_t best = ref_bank->label[order[0]];
    for (size_t j = 0; j < n && j < knn->k; j++)
        weight[ref_bank->label[order[j]]] +=
            knn->temperature > 0 ? exp(ref_similarity[order[j]] / knn->temperature) : 1;
    for (size_t j = 0; j < n && j < knn->k; j++)
        if (weight[ref_bank->label[order[j]]] > weight[best])
            best = ref_bank->label[order[j]];
    return best;
}

static void test_knn(void **state)
{
    const struct ctr_knn votes[] = {{1, 0}, {10, 0}, {200, 0.1}, {20, 0.07}, {1000, 0}};
    enum { VOTES = sizeof votes / sizeof *votes, N = 300 };
    for (size_t n = 600; n >= 9; n = n == 600 ? 9 : 0) {
        struct ctr_features bank = clouds(n, 33, 0.3f, 1), test = clouds(N, 33, 0.3f, 2);
        int32_t guess[VOTES * N];
        size_t wrong = 0;
        ref_bank = &bank;
        free(test.label);
        test.label = NULL; /* nobody reads them */
        check(ctr_knn(guess, dev, &bank, &test, K, votes, VOTES));
        for (size_t v = 0; v < VOTES; v++)
            for (size_t i = 0; i < N; i++)
                wrong += guess[v * N + i] != ref_knn(test.x + i * 33, &votes[v]);
        assert_true(wrong <= 2); /* neighbours whose order fp32 cannot tell */
        ctr_features_free(&bank);
        ctr_features_free(&test);
    }
}

/* Of rows that are equally near the first counts. */
static void test_knn_ties(void **state)
{
    enum { N = 9, D = 33 };
    struct ctr_features bank = clouds(N, D, 0.3f, 1), test = clouds(1, D, 0.3f, 1);
    int32_t guess = 0;
    for (size_t i = 0; i < N; i++) {
        memcpy(bank.x + i * D, bank.x, D * sizeof *bank.x);
        bank.label[i] = i < 4 ? 2 : 1;
    }
    check(ctr_knn(&guess, dev, &bank, &test, K, &(const struct ctr_knn){1, 0}, 1));
    assert_int_equal(guess, 2);
    ctr_features_free(&bank);
    ctr_features_free(&test);
}

/* ---- labels ---- */

/* Guesses are the same whatever the test set's labels are, or without any; and a second time. */
static void test_labels_do_not_leak(void **state)
{
    enum { N = 400 };
    struct ctr_features train = clouds(500, 20, 0.5f, 4), test = clouds(N, 20, 0.5f, 5);
    int32_t guess[N], again[N], *label = test.label;
    for (int p = 0; p < CTR_PROBES; p++) {
        check(ctr_probe_run(guess, NULL, dev, (enum ctr_probe)p, &train, &test, K, 1));
        assert_true(ctr_accuracy(guess, label, N) > 0.5);
        test.label = NULL;
        check(ctr_probe_run(again, NULL, dev, (enum ctr_probe)p, &train, &test, K, 1));
        assert_memory_equal(guess, again, sizeof guess);
        test.label = label;
    }
    ctr_features_free(&train);
    ctr_features_free(&test);
}

/* What is chosen is the first best of the list on the rows to choose on, counted here one by one, and the
 * score is that of the same vote asked for by name. */
static void test_knn_choose(void **state)
{
    enum { N = 700, HELD = 200 };
    struct ctr_features train = clouds(N, 12, 0.25f, 20), test = clouds(300, 12, 0.25f, 21), bank, held;
    struct ctr_score_params p = {.knn = {{0, 0}, {0, 0}}, .n_knn = 2};
    struct ctr_knn vote, best = {0, 0};
    struct ctr_scores s, given;
    static uint32_t order[N];
    size_t n_fit, n = 0;
    double most = -1;
    check(ctr_features_split(order, &n_fit, &train, K, 5));
    check(ctr_features_rows(&bank, &train, order, n_fit));
    check(ctr_features_rows(&held, &train, order + n_fit, N - n_fit));
    assert_true(held.n > 0 && held.n < HELD);
    for (; ctr_knn_tried(&vote, n); n++) {
        int32_t guess[HELD];
        check(ctr_knn(guess, dev, &bank, &held, K, &vote, 1));
        if (ctr_accuracy(guess, held.label, held.n) > most) {
            most = ctr_accuracy(guess, held.label, held.n);
            best = vote;
        }
    }
    assert_true(n > 10 && best.k > 2); /* a single neighbour is not the best in such clouds */
    check(ctr_score(&s, NULL, dev, &train, &test, K, &p, 5));
    p.knn[0] = best;
    p.n_knn = 1;
    check(ctr_score(&given, NULL, dev, &train, &test, K, &p, 5));
    assert_true(s.knn[0].vote.k == best.k && s.knn[0].vote.temperature == best.temperature);
    assert_true(s.knn[0].mean == given.knn[0].mean && s.knn[1].mean == given.knn[0].mean);
    struct ctr_features few = {train.x, train.label, 6, 12}; /* fewer than five of each class */
    check(ctr_knn_choose(&vote, dev, &few, K, 5));
    assert_true(vote.k == 10 && vote.temperature == 0);
    ctr_features_free(&bank);
    ctr_features_free(&held);
    ctr_features_free(&train);
    ctr_features_free(&test);
}

/* Features that tell nothing, with more of them than rows: every protocol is at chance on the test
 * set, though it could learn the training set by heart. */
static void test_noise_is_at_chance(void **state)
{
    struct ctr_features train = clouds(150, 200, 0, 6), test = clouds(2000, 200, 0, 7);
    struct ctr_score_params p = {.knn = {{1, 0}, {10, 0}, {200, 0.1}}, .n_knn = 3, .draws = 3};
    struct ctr_scores s;
    for (p.n_probes = 0; p.n_probes < CTR_PROBES; p.n_probes++)
        p.probe[p.n_probes] = (enum ctr_probe)p.n_probes;
    check(ctr_score(&s, NULL, dev, &train, &test, K, &p, 1));
    for (size_t i = 0; i < p.n_knn; i++)
        assert_true(fabs(s.knn[i].mean - 1.0 / K) < 0.04);
    for (size_t i = 0; i < p.n_probes; i++)
        assert_true(fabs(s.probe[i].mean - 1.0 / K) < 0.04);
    ctr_features_free(&train);
    ctr_features_free(&test);
}

/* ---- parts, few labels, draws ---- */

static void test_split(void **state)
{
    enum { N = 1003 };
    struct ctr_features f = clouds(N, 4, 1, 8);
    static uint32_t a[N], b[N];
    int seen[N] = {0}, held[K] = {0}, all[K] = {0};
    size_t n_a, n_b;
    check(ctr_features_split(a, &n_a, &f, K, 1));
    check(ctr_features_split(b, &n_b, &f, K, 2));
    assert_int_equal(n_a, n_b);
    assert_memory_not_equal(a, b, sizeof a);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(seen[a[i]]++, 0);
        all[f.label[a[i]]]++;
        held[f.label[a[i]]] += i >= n_a;
    }
    for (int k = 0; k < K; k++)
        assert_int_equal(held[k], all[k] / 5);
    ctr_features_free(&f);
}

static void test_few(void **state)
{
    struct ctr_features f = clouds(500, 4, 1, 9), few, other;
    int n[K] = {0};
    check(ctr_features_few(&few, &f, K, 11, 1));
    check(ctr_features_few(&other, &f, K, 11, 2));
    assert_int_equal(few.n, 11 * K);
    assert_memory_not_equal(few.x, other.x, few.n * 4 * sizeof *few.x);
    for (size_t i = 0; i < few.n; i++) {
        size_t at = 0;
        n[few.label[i]]++;
        while (at < f.n && memcmp(few.x + i * 4, f.x + at * 4, 4 * sizeof *f.x) != 0)
            at++;
        assert_true(at < f.n);
        assert_int_equal(few.label[i], f.label[at]);
    }
    for (int k = 0; k < K; k++)
        assert_int_equal(n[k], 11);
    ctr_features_free(&few);
    ctr_features_free(&other);
    check(ctr_features_few(&few, &f, K, 1000, 1)); /* all there are */
    assert_int_equal(few.n, f.n);
    ctr_features_free(&few);
    ctr_features_free(&f);
}

/* The mean of encoders' scores; what each of them has spread over draws does not count. */
static void test_mean_of_runs(void **state)
{
    struct ctr_scores a = {.there = 1, .n_train = 9}, b = a, c = a, mean;
    a.knn[1] = (struct ctr_score){.mean = 0.5, .deviation = 0.3, .vote = {20, 0.1}};
    b.knn[1] = (struct ctr_score){.mean = 0.6, .deviation = 0.3, .vote = {10, 0}};
    c.knn[1] = (struct ctr_score){.mean = 0.8};
    a.probe[0].mean = b.probe[0].mean = c.probe[0].mean = 0.25;
    ctr_scores_mean(&mean, (const struct ctr_scores *[]){&a, &b, &c}, 3);
    assert_true(fabs(mean.knn[1].mean - 1.9 / 3) < 1e-12 && mean.knn[1].vote.k == 20);
    assert_true(fabs(mean.knn[1].deviation - sqrt(0.14 / 6)) < 1e-12); /* of 3 numbers, n - 1 */
    assert_true(mean.probe[0].mean == 0.25 && mean.probe[0].deviation == 0);
    assert_true(mean.there && mean.n_train == 9 && mean.knn[0].mean == 0);
}

static void test_draws(void **state)
{
    struct ctr_features train = clouds(1000, 12, 0.3f, 10), test = clouds(500, 12, 0.3f, 11);
    struct ctr_score_params p = {.knn = {{1, 0}},
                                 .n_knn = 1,
                                 .probe = {CTR_PROBE_RIDGE},
                                 .n_probes = 1,
                                 .labels = {.share = 0.021}}; /* three of each class */
    struct ctr_scores one[3], all;
    uint64_t counts[K * K], sum = 0, right = 0;
    for (uint64_t i = 0; i < 3; i++)
        check(ctr_score(&one[i], i ? NULL : counts, dev, &train, &test, K, &p, 40 + i));
    p.draws = 3;
    check(ctr_score(&all, NULL, dev, &train, &test, K, &p, 40));
    assert_int_equal(all.n_train, 3 * K);
    double a = one[0].probe[0].mean, b = one[1].probe[0].mean, c = one[2].probe[0].mean;
    double mean = (a + b + c) / 3;
    double square = (a - mean) * (a - mean) + (b - mean) * (b - mean) + (c - mean) * (c - mean);
    assert_true(fabs(all.probe[0].mean - mean) < 1e-12);
    assert_true(fabs(all.probe[0].deviation - sqrt(square / 2)) < 1e-12 && square > 0);
    assert_true(all.knn[0].deviation > 0 && one[0].knn[0].deviation == 0);
    for (size_t i = 0; i < K * K; i++) {
        sum += counts[i];
        right += i / K == i % K ? counts[i] : 0;
    }
    assert_int_equal(sum, test.n);
    assert_true(fabs((double)right / (double)sum - a) < 1e-12); /* of the probe, the last */
    ctr_features_free(&train);
    ctr_features_free(&test);
}

static void test_confusion_picture(void **state)
{
    static const char *const names[] = {"a", "a name longer than its place", "\xc3\xa4", "", "e", "f", "g"};
    for (unsigned classes = 1; classes <= 1500; classes = classes == 1 ? K : classes * 5) {
        const char **name = ctr_alloc(classes, sizeof *name);
        uint64_t *counts = ctr_alloc((size_t)classes * classes, sizeof *counts);
        struct ctr_canvas picture = {0};
        size_t blue = 0;
        for (unsigned k = 0; k < classes; k++)
            name[k] = names[k % K], counts[(size_t)k * classes + k] = k; /* a class without images */
        check(ctr_confusion_draw(&picture, counts, classes, name, "caption"));
        assert_true(picture.width > classes && picture.height > classes);
        for (size_t i = 0; i < (size_t)picture.width * picture.height; i++)
            blue += memcmp(picture.pixels + 3 * i, (uint8_t[]){25, 75, 165}, 3) == 0;
        assert_true(blue >= classes - 1); /* the diagonal */
        free(picture.pixels);
        free(counts);
        free(name);
    }
}

static int tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knn), cmocka_unit_test(test_knn_ties), cmocka_unit_test(test_knn_choose), cmocka_unit_test(test_mean_of_runs),
        cmocka_unit_test(test_labels_do_not_leak),
        cmocka_unit_test(test_noise_is_at_chance),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_few),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_confusion_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return run_on_device(tests);
}
