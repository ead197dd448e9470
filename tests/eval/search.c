/* Search against plain C in double: rows and scores, by each metric; ties, where the lower row is first;
 * an index that goes to the device in parts; what is refused. */
#include "eval/rig.h"

#include "eval/search.h"

struct set {
    float *x, *q;
    size_t n, n_q, D;
};

/* whole > 0: numbers of so many values around 0, whose products are exact and often equal. */
static struct set draw(size_t n, size_t n_q, size_t D, uint32_t whole)
{
    struct set s = {calloc(n * D, sizeof(float)), calloc(n_q * D, sizeof(float)), n, n_q, D};
    uint32_t state = 1;
    for (size_t i = 0; i < (n + n_q) * D; i++) {
        state = state * 1664525u + 1013904223u;
        float v = whole ? (float)((state >> 8) % whole) - (float)(whole / 2)
                        : (float)(state >> 8) / (float)(1 << 23) - 1;
        *(i < n * D ? &s.x[i] : &s.q[i - n * D]) = v;
    }
    return s;
}

static void drop(struct set *s)
{
    free(s->x);
    free(s->q);
}

static double score(const float *q, const float *x, size_t D, enum ctr_metric metric)
{
    double qx = 0, qq = 0, xx = 0, dd = 0;
    for (size_t d = 0; d < D; d++) {
        qx += (double)q[d] * (double)x[d];
        qq += (double)q[d] * (double)q[d];
        xx += (double)x[d] * (double)x[d];
        dd += ((double)q[d] - (double)x[d]) * ((double)q[d] - (double)x[d]);
    }
    if (metric == CTR_EUCLIDEAN)
        return sqrt(dd);
    return metric == CTR_INNER ? qx : qq > 0 && xx > 0 ? qx / (sqrt(qq) * sqrt(xx)) : 0;
}

static enum ctr_metric sorted_by;
static int by_score(const void *pa, const void *pb)
{
    const struct ctr_hit *a = pa, *b = pb;
    double gap = sorted_by == CTR_EUCLIDEAN ? a->score - b->score : b->score - a->score;
    return gap < 0 ? -1 : gap > 0 ? 1 : a->row < b->row ? -1 : a->row > b->row;
}

/* All rows, in order. */
static struct ctr_hit *brute(const struct set *s, size_t q, enum ctr_metric metric)
{
    struct ctr_hit *all = calloc(s->n, sizeof *all);
    for (size_t i = 0; i < s->n; i++)
        all[i] = (struct ctr_hit){(uint32_t)i,
                                  score(s->q + q * s->D, s->x + i * s->D, s->D, metric)};
    sorted_by = metric;
    qsort(all, s->n, sizeof *all, by_score);
    return all;
}

static void compare(const struct set *s, size_t k, enum ctr_metric metric, uint64_t budget)
{
    ctr_index *index = NULL;
    struct ctr_hit *hits = calloc(s->n_q * k, sizeof *hits), *again = calloc(s->n_q * k, sizeof *hits);
    check(ctr_index_create(&index, dev, s->x, s->n, s->D, metric, budget));
    check(ctr_index_search(hits, index, s->q, s->n_q, k));
    check(ctr_index_search(again, index, s->q, s->n_q, k));
    assert_memory_equal(hits, again, s->n_q * k * sizeof *hits);
    for (size_t q = 0; q < s->n_q; q++) {
        struct ctr_hit *want = brute(s, q, metric);
        for (size_t i = 0; i < k; i++) {
            struct ctr_hit got = hits[q * k + i];
            if (got.row != want[i].row || fabs(got.score - want[i].score) > 1e-12)
                fail_msg("%s, %zu of %zu x %zu, query %zu, hit %zu: row %u (%.17g), not %u (%.17g)",
                         ctr_metric_names[metric], k, s->n, s->D, q, i, got.row, got.score,
                         want[i].row, want[i].score);
        }
        free(want);
    }
    ctr_index_destroy(&index);
    assert_null(index);
    free(again);
    free(hits);
}

static void all_metrics(const struct set *s, size_t k, uint64_t budget)
{
    for (enum ctr_metric m = 0; m < CTR_METRICS; m++)
        compare(s, k, m, budget);
}

static void rows(void **state)
{
    (void)state;
    static const size_t n[] = {1, 33, 500, 3000}, n_q[] = {1, 33, 3, 65}, D[] = {1, 7, 64, 31},
                        k[] = {1, 33, 100, 10};
    for (int i = 0; i < 4; i++) {
        struct set s = draw(n[i], n_q[i], D[i], 0);
        all_metrics(&s, k[i], 0);
        drop(&s);
    }
}

static void ties(void **state)
{
    (void)state;
    struct set s = draw(2000, 40, 5, 3); /* 243 different rows */
    compare(&s, 20, CTR_INNER, 0);
    compare(&s, 20, CTR_EUCLIDEAN, 0);
    memset(s.q, 0, s.D * sizeof *s.q); /* alike to all of them */
    compare(&s, 20, CTR_INNER, 0);
    drop(&s);
    s = draw(300, 9, 16, 0);
    for (size_t i = 100; i < 300; i++) /* each row thrice: cosine, too, is the same to the bit */
        memcpy(s.x + i * s.D, s.x + i % 100 * s.D, s.D * sizeof *s.x);
    all_metrics(&s, 7, 0);
    all_metrics(&s, 300, 0);
    drop(&s);
}

/* A tenth of the index at a time; parts smaller than k. */
static void in_parts(void **state)
{
    (void)state;
    struct set s = draw(1003, 17, 12, 5);
    compare(&s, 10, CTR_INNER, 101 * 12 * sizeof(float));
    compare(&s, 150, CTR_EUCLIDEAN, 101 * 12 * sizeof(float));
    drop(&s);
    s = draw(1003, 1500, 12, 0); /* more queries than a block */
    compare(&s, 10, CTR_COSINE, 501 * 12 * sizeof(float));
    drop(&s);
}

static void large(void **state)
{
    (void)state;
    struct set s = draw(20000, 70, 128, 0);
    compare(&s, 10, CTR_COSINE, 0);
    drop(&s);
}

static void refused(void **state)
{
    (void)state;
    struct set s = draw(50, 2, 4, 0);
    ctr_index *index = NULL;
    struct ctr_hit hits[2 * 50];
    assert_int_equal(ctr_index_create(&index, dev, s.x, 0, 4, CTR_COSINE, 0), CTR_E_USAGE);
    assert_int_equal(ctr_index_create(&index, dev, s.x, 4, 0, CTR_COSINE, 0), CTR_E_USAGE);
    s.x[4 * 7 + 2] = NAN;
    s.x[4 * 9 + 2] = NAN;
    assert_int_equal(ctr_index_create(&index, dev, s.x, 50, 4, CTR_COSINE, 0), CTR_E_DATA);
    assert_non_null(strstr(ctr_error_text(), "vector 7 "));
    assert_null(index);
    s.x[4 * 7 + 2] = s.x[4 * 9 + 2] = 0;
    check(ctr_index_create(&index, dev, s.x, 50, 4, CTR_INNER, 0));
    assert_int_equal(ctr_index_search(hits, index, s.q, 2, 51), CTR_E_USAGE);
    assert_int_equal(ctr_index_search(hits, index, s.q, 2, 0), CTR_E_USAGE);
    s.q[5] = INFINITY;
    assert_int_equal(ctr_index_search(hits, index, s.q, 2, 1), CTR_E_DATA);
    assert_non_null(strstr(ctr_error_text(), "query 1 "));
    s.q[5] = 3e38f;
    ctr_index_destroy(&index);
    s.x[1] = -3e38f; /* a product of -inf is no hit */
    check(ctr_index_create(&index, dev, s.x, 50, 4, CTR_INNER, 0));
    check(ctr_index_search(hits, index, s.q, 2, 41));
    assert_int_equal(ctr_index_search(hits, index, s.q, 2, 50), CTR_E_DATA);
    ctr_index_destroy(&index);
    drop(&s);
}

static int tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),  cmocka_unit_test(ties),    cmocka_unit_test(in_parts),
        cmocka_unit_test(large), cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
    return run_on_device(tests);
}
