/* dedup.c -- see dedup.h. In: vectors or pictures, hashes. Out: pairs, a threshold, groups.
 * Invariants: nothing depends on threads; equal scores keep the order of rows. */
#include "eval/dedup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "eval/picture.h"
#include "eval/search.h"

#define BLOCK  4096 /* rows searched, pairs compared between two calls of progress */
#define ALIKE  0.9  /* correlation in the first stage from which a pair is looked at closely */
#define FEWEST 16
#define LEAST  0.7071 /* half of the variance in common */
#define ROUNDS 8
#define RATE   0.002 /* of images without a duplicate beyond the threshold */

/* ---- exact copies ---- */

struct hashed {
    uint64_t hash[2];
    uint32_t image;
};

static int by_hash(const void *pa, const void *pb)
{
    const struct hashed *a = pa, *b = pb;
    int order = memcmp(a->hash, b->hash, sizeof a->hash);
    return order ? order : a->image < b->image ? -1 : a->image > b->image;
}

int ctr_dedup_exact(uint32_t *row_of, uint32_t *image_of, size_t *n_rows, const uint64_t (*hash)[2],
                    size_t n)
{
    struct hashed *h = ctr_alloc(n, sizeof *h);
    size_t m = 0;
    if (!h)
        return CTR_E_FAIL;
    for (size_t i = 0; i < n; i++)
        h[i] = (struct hashed){{hash[i][0], hash[i][1]}, (uint32_t)i};
    qsort(h, n, sizeof *h, by_hash);
    for (size_t i = 0; i < n; i++) { /* the first image with this hash, for now */
        int same = i > 0 && memcmp(h[i].hash, h[i - 1].hash, sizeof h[i].hash) == 0;
        row_of[h[i].image] = same ? row_of[h[i - 1].image] : h[i].image;
    }
    for (size_t i = 0; i < n; i++)
        if (row_of[i] == i) {
            image_of[m] = (uint32_t)i;
            row_of[i] = (uint32_t)m++;
        } else {
            row_of[i] = row_of[row_of[i]]; /* an earlier image, numbered already */
        }
    *n_rows = m;
    free(h);
    return 0;
}

/* ---- candidates ---- */

static int by_rows(const void *pa, const void *pb)
{
    const struct ctr_pair *a = pa, *b = pb;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    if (a->b != b->b)
        return a->b < b->b ? -1 : 1;
    return a->score > b->score ? -1 : a->score < b->score;
}

/* Sorts and drops what is there twice. */
static size_t unique(struct ctr_pair *pairs, size_t n)
{
    size_t m = 0;
    if (n)
        qsort(pairs, n, sizeof *pairs, by_rows);
    for (size_t i = 0; i < n; i++)
        if (m == 0 || pairs[m - 1].a != pairs[i].a || pairs[m - 1].b != pairs[i].b)
            pairs[m++] = pairs[i];
    return m;
}

static size_t take_hits(struct ctr_pair *to, const struct ctr_hit *hits, size_t row, size_t k)
{
    size_t m = 0;
    for (size_t i = 0; i <= k && m < k; i++) {
        uint32_t a = (uint32_t)row, b = hits[i].row;
        if (a != b)
            to[m++] = (struct ctr_pair){a < b ? a : b, a < b ? b : a, hits[i].score};
    }
    return m;
}

int ctr_dedup_candidates(struct ctr_pair **out, size_t *n_pairs, ctr_dev *dev, const float *x,
                         size_t n, size_t D, size_t k, ctr_data_progress_fn *progress, void *user)
{
    int rc = 0;
    size_t m = 0;
    ctr_index *index = NULL;
    k = k < n ? k : n - 1;
    struct ctr_hit *hits = ctr_alloc(BLOCK * (k + 1), sizeof *hits);
    struct ctr_pair *pairs = ctr_alloc(n * k, sizeof *pairs);
    if (!hits || !pairs)
        CTR_TRY(CTR_E_FAIL);
    if (k > 0)
        CTR_TRY(ctr_index_create(&index, dev, x, n, D, CTR_COSINE, 0));
    for (size_t at = 0; k > 0 && at < n; at += BLOCK) {
        size_t rows = n - at < BLOCK ? n - at : BLOCK;
        CTR_TRY(ctr_index_search(hits, index, x + at * D, rows, k + 1));
        for (size_t i = 0; i < rows; i++)
            m += take_hits(pairs + m, hits + i * (k + 1), at + i, k);
        if (progress)
            CTR_TRY(progress(user, at + rows, n));
    }
    *n_pairs = unique(pairs, m);
    *out = pairs;
    pairs = NULL;
out:
    ctr_index_destroy(&index);
    free(pairs);
    free(hits);
    return rc;
}

/* ---- pictures ---- */

struct comparison {
    struct ctr_pair *pairs;
    const uint8_t *grey;
    struct ctr_alignment *at; /* [n_pairs] */
    size_t first;             /* pair of the block */
    const double *best;       /* [rows] the largest correlation of the first stage; NULL in it */
};

static void compare_one(void *ctx, size_t i)
{
    struct comparison *c = ctx;
    struct ctr_pair *pair = &c->pairs[c->first + i];
    struct ctr_alignment *at = &c->at[c->first + i];
    const uint8_t *a = c->grey + (size_t)pair->a * CTR_PICTURE_BYTES;
    const uint8_t *b = c->grey + (size_t)pair->b * CTR_PICTURE_BYTES;
    if (!c->best)
        ctr_picture_align(at, a, b);
    else if (at->coarse >= ALIKE || at->coarse >= c->best[pair->a] ||
             at->coarse >= c->best[pair->b])
        pair->score = ctr_picture_score(at, a, b);
    else
        pair->score = -1;
}

static int compare_all(struct comparison *c, size_t n, size_t done, ctr_data_progress_fn *progress,
                       void *user)
{
    int rc = 0;
    for (c->first = 0; rc == 0 && c->first < n; c->first += BLOCK) {
        size_t m = n - c->first < BLOCK ? n - c->first : BLOCK;
        ctr_parallel(0, m, compare_one, c);
        rc = progress ? progress(user, done + c->first + m, 2 * n) : 0;
    }
    return rc;
}

int ctr_dedup_compare(struct ctr_pair *pairs, size_t n_pairs, const uint8_t *grey, size_t n,
                      ctr_data_progress_fn *progress, void *user)
{
    int rc = 0;
    struct comparison c = {.pairs = pairs, .grey = grey};
    double *best = ctr_alloc(n, sizeof *best);
    c.at = ctr_alloc(n_pairs, sizeof *c.at);
    if (!best || !c.at)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(compare_all(&c, n_pairs, 0, progress, user));
    for (size_t i = 0; i < n; i++)
        best[i] = -1;
    for (size_t i = 0; i < n_pairs; i++) {
        best[pairs[i].a] = fmax(best[pairs[i].a], c.at[i].coarse);
        best[pairs[i].b] = fmax(best[pairs[i].b], c.at[i].coarse);
    }
    c.best = best;
    CTR_TRY(compare_all(&c, n_pairs, n_pairs, progress, user));
out:
    free(c.at);
    free(best);
    return rc;
}

/* ---- threshold ---- */

static int by_value(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return (a > b) - (a < b);
}

/* What is exceeded with probability p <= 1/2: by a normal variable, or by one of Gumbel's
 * distribution. */
static double beyond(double p, int gumbel)
{
    double low = 0, high = 40;
    if (gumbel)
        return -log(-log1p(-p));
    for (int i = 0; i < 60; i++) {
        double z = (low + high) / 2;
        *(erfc(z / sqrt(2)) / 2 > p ? &low : &high) = z;
    }
    return low;
}

static double fisher(double r)
{
    return atanh(fmin(r, 1 - 1e-9));
}

/* best[n] rises. First by the lower quartile, which duplicates do not reach; then, a few times,
 * without those that have one, by the upper. */
static void choose(struct ctr_threshold *t, const double *best, size_t n, int gumbel)
{
    const double half = beyond(0.5, gumbel),
                 far = (beyond(RATE, gumbel) - half) / (beyond(0.25, gumbel) - half);
    double middle = fisher(best[n / 2]);
    t->value = tanh(middle + (middle - fisher(best[n / 4])) * far);
    for (int i = 0; i < ROUNDS; i++) {
        size_t m = n;
        while (m > FEWEST && best[m - 1] >= t->value)
            m--;
        t->median = best[m / 2];
        t->quartile = best[m - 1 - m / 4];
        middle = fisher(t->median);
        t->value = tanh(middle + (fisher(t->quartile) - middle) * far);
    }
}

int ctr_dedup_threshold(struct ctr_threshold *out, const struct ctr_pair *pairs, size_t n_pairs,
                        size_t n, int nearest)
{
    double *best = ctr_alloc(n, sizeof *best);
    *out = (struct ctr_threshold){.value = 1, .few = n < FEWEST};
    if (!best)
        return CTR_E_FAIL;
    for (size_t i = 0; i < n; i++)
        best[i] = -1;
    for (size_t i = 0; i < n_pairs; i++) {
        best[pairs[i].a] = fmax(best[pairs[i].a], pairs[i].score);
        best[pairs[i].b] = fmax(best[pairs[i].b], pairs[i].score);
    }
    if (!out->few) {
        qsort(best, n, sizeof *best, by_value);
        choose(out, best, n, nearest);
        out->value = fmax(out->value, LEAST);
    }
    free(best);
    return 0;
}

/* ---- groups ---- */

static uint32_t root(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i)
        i = parent[i] = parent[parent[i]];
    return i;
}

static void join(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = root(parent, a);
    b = root(parent, b);
    parent[a < b ? b : a] = a < b ? a : b;
}

static int list_groups(struct ctr_groups *g, const uint32_t *top, const uint32_t *n_of,
                       size_t n_rows, size_t n_images)
{
    size_t *next = ctr_alloc(n_rows, sizeof *next);
    g->first = ctr_alloc(n_images + 1, sizeof *g->first);
    g->member = ctr_alloc(n_images, sizeof *g->member);
    g->score = ctr_alloc(n_images, sizeof *g->score);
    g->exact = ctr_alloc(n_images, 1);
    if (!next || !g->first || !g->member || !g->score || !g->exact) {
        free(next);
        return CTR_E_FAIL;
    }
    memset(next, 255, n_rows * sizeof *next);
    for (size_t i = 0; i < n_images; i++)
        if (n_of[top[i]] > 1) {
            if (next[top[i]] == SIZE_MAX) {
                g->first[g->n++] = next[top[i]] = g->n_members;
                g->n_members += n_of[top[i]];
            }
            g->member[next[top[i]]++] = (uint32_t)i;
        }
    g->first[g->n] = g->n_members;
    free(next);
    return 0;
}

int ctr_dedup_groups(struct ctr_groups *out, const struct ctr_pair *pairs, size_t n_pairs,
                     double threshold, const uint32_t *row_of, size_t n_images, size_t n_rows)
{
    int rc = 0;
    struct ctr_groups g = {0};
    uint32_t *parent = ctr_alloc(n_rows, sizeof *parent), *n_of = ctr_alloc(n_rows, sizeof *n_of),
             *copies = ctr_alloc(n_rows, sizeof *copies), *top = ctr_alloc(n_images, sizeof *top);
    double *best = ctr_alloc(n_rows, sizeof *best);
    if (!parent || !n_of || !copies || !top || !best)
        CTR_TRY(CTR_E_FAIL);
    for (size_t i = 0; i < n_rows; i++)
        parent[i] = (uint32_t)i;
    for (size_t i = 0; i < n_pairs; i++)
        if (pairs[i].score >= threshold) {
            join(parent, pairs[i].a, pairs[i].b);
            best[pairs[i].a] = fmax(best[pairs[i].a], pairs[i].score);
            best[pairs[i].b] = fmax(best[pairs[i].b], pairs[i].score);
        }
    for (size_t i = 0; i < n_images; i++) {
        top[i] = root(parent, row_of[i]);
        n_of[top[i]]++;
        copies[row_of[i]]++;
    }
    CTR_TRY(list_groups(&g, top, n_of, n_rows, n_images));
    for (size_t i = 0; i < g.n_members; i++) {
        uint32_t row = row_of[g.member[i]];
        g.exact[i] = copies[row] > 1;
        g.score[i] = g.exact[i] ? 1 : best[row];
    }
    *out = g;
    g = (struct ctr_groups){0};
out:
    ctr_groups_free(&g);
    free(parent);
    free(n_of);
    free(copies);
    free(top);
    free(best);
    return rc;
}

void ctr_groups_free(struct ctr_groups *g)
{
    free(g->first);
    free(g->member);
    free(g->score);
    free(g->exact);
    *g = (struct ctr_groups){0};
}
