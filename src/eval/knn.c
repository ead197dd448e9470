/* knn.c -- k nearest neighbours by cosine similarity. The device multiplies a block of queries with
 * the whole bank; threads on the host pick the largest and vote. See eval.h for the protocols. */
#include "eval/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "op/op.h"

#define BLOCK 256

struct neighbour {
    float similarity;
    int32_t label;
};

struct vote {
    int32_t *guess; /* [n_votes][queries of the test set], from the block's first on */
    const struct ctr_features *bank;
    size_t n_test, n_votes, k_max;
    const struct ctr_knn *votes;
    unsigned classes;
    float *similarity;      /* [BLOCK][bank n] */
    struct neighbour *near; /* [BLOCK][k_max] */
    double *weight;         /* [BLOCK][classes] */
};

static int by_similarity(const void *pa, const void *pb)
{
    const struct neighbour *a = pa, *b = pb;
    if (a->similarity != b->similarity)
        return a->similarity < b->similarity ? 1 : -1;
    return a->label < b->label ? -1 : a->label > b->label;
}

/* The k largest of s[n], as a heap whose root is the smallest of them. Ties go to the lower index.
 */
static size_t largest(struct neighbour *heap, size_t k_max, const float *s, const int32_t *label,
                      size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (k == k_max && s[i] <= heap[0].similarity)
            continue;
        struct neighbour x = {s[i], label[i]};
        size_t at;
        if (k < k_max) {
            for (at = k++; at > 0 && heap[(at - 1) / 2].similarity > x.similarity;
                 at = (at - 1) / 2)
                heap[at] = heap[(at - 1) / 2];
        } else {
            for (at = 0;;) {
                size_t child = 2 * at + 1;
                if (child >= k)
                    break;
                if (child + 1 < k && heap[child + 1].similarity < heap[child].similarity)
                    child++;
                if (heap[child].similarity >= x.similarity)
                    break;
                heap[at] = heap[child];
                at = child;
            }
        }
        heap[at] = x;
    }
    return k;
}

/* The class with most weight; the nearest neighbour's class wins ties. */
static int32_t winner(double *weight, const struct neighbour *near, size_t k, unsigned classes,
                      double temperature)
{
    int32_t best = near[0].label;
    memset(weight, 0, classes * sizeof *weight);
    for (size_t i = 0; i < k; i++)
        weight[near[i].label] += temperature > 0 ? exp(near[i].similarity / temperature) : 1.0;
    for (size_t i = 0; i < k; i++)
        if (weight[near[i].label] > weight[best])
            best = near[i].label;
    return best;
}

static void vote_one(void *ctx, size_t i)
{
    const struct vote *v = ctx;
    struct neighbour *near = v->near + i * v->k_max;
    size_t n = v->bank->n;
    size_t found = largest(near, v->k_max, v->similarity + i * n, v->bank->label, n);
    qsort(near, found, sizeof *near, by_similarity);
    for (size_t j = 0; j < v->n_votes; j++) {
        size_t k = v->votes[j].k < found ? v->votes[j].k : found;
        v->guess[j * v->n_test + i] =
            winner(v->weight + i * v->classes, near, k, v->classes, v->votes[j].temperature);
    }
}

static int record(ctr_graph **g, ctr_tensor **query, ctr_tensor **bank, ctr_tensor **similarity,
                  ctr_dev *dev, size_t n, size_t D)
{
    int rc = ctr_graph_create(g, dev, NULL);
    if (rc != 0)
        return rc;
    *query = ctr_graph_input(*g, "queries", CTR_F32, 2, (size_t[]){BLOCK, D});
    *bank = ctr_graph_input(*g, "bank", CTR_F32, 2, (size_t[]){n, D});
    *similarity = ctr_dense(*g, *query, *bank, NULL, 0);
    ctr_graph_keep(*similarity);
    rc = ctr_graph_status(*g);
    if (rc == 0)
        rc = ctr_graph_plan(*g, NULL);
    if (rc == 0)
        rc = ctr_graph_lower(*g);
    return rc != 0 ? rc : ctr_dev_build(dev, 1, NULL, NULL);
}

static int room(struct vote *v)
{
    for (size_t j = 0; j < v->n_votes; j++)
        if (v->votes[j].k > v->k_max)
            v->k_max = v->votes[j].k;
    v->similarity = ctr_alloc(BLOCK * v->bank->n, sizeof *v->similarity);
    v->near = ctr_alloc(BLOCK * v->k_max, sizeof *v->near);
    v->weight = ctr_alloc((size_t)BLOCK * v->classes, sizeof *v->weight);
    return v->similarity && v->near && v->weight ? 0 : CTR_E_FAIL;
}

int ctr_knn(int32_t *guess, ctr_dev *dev, const struct ctr_features *bank,
            const struct ctr_features *test, unsigned classes, const struct ctr_knn *votes,
            size_t n_votes)
{
    int rc = 0;
    ctr_graph *g = NULL;
    ctr_tensor *query, *keys, *similarity;
    float *tmp = NULL;
    struct vote v = {.bank = bank,
                     .n_test = test->n,
                     .n_votes = n_votes,
                     .votes = votes,
                     .classes = classes};
    size_t D = bank->D;
    if (bank->n == 0 || test->n == 0)
        return ctr_fail(CTR_E_DATA, "no labelled images to compare");
    CTR_TRY(record(&g, &query, &keys, &similarity, dev, bank->n, D));
    tmp = ctr_alloc((bank->n > BLOCK ? bank->n : BLOCK) * D, sizeof *tmp);
    if (!tmp)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(room(&v));
    ctr_rows_unit(tmp, bank->x, bank->n, D);
    CTR_TRY(ctr_tensor_write(keys, tmp, keys->bytes));
    for (size_t at = 0; at < test->n; at += BLOCK) {
        size_t n = test->n - at < BLOCK ? test->n - at : BLOCK;
        ctr_rows_unit(tmp, test->x + at * D, n, D);
        CTR_TRY(ctr_tensor_write(query, tmp, query->bytes));
        CTR_TRY(ctr_graph_replay(g));
        CTR_TRY(ctr_tensor_read(v.similarity, similarity, similarity->bytes));
        v.guess = guess + at;
        ctr_parallel(0, n, vote_one, &v);
    }
out:
    free(v.weight);
    free(v.near);
    free(v.similarity);
    free(tmp);
    ctr_graph_destroy(&g);
    return rc;
}

/* ---- the best of several ---- */

int ctr_knn_tried(struct ctr_knn *out, size_t i)
{
    static const unsigned k[] = {1, 2, 5, 10, 20, 50, 100, 200};
    static const double temperature[] = {0, 0.05, 0.07, 0.1, 0.2, 0.5};
    enum { K = sizeof k / sizeof *k, T = sizeof temperature / sizeof *temperature };
    if (i >= K * T)
        return 0;
    *out = (struct ctr_knn){k[i / T], temperature[i % T]};
    return 1;
}

int ctr_knn_choose(struct ctr_knn *out, ctr_dev *dev, const struct ctr_features *train,
                   unsigned classes, uint64_t seed)
{
    int rc = 0;
    struct ctr_features bank = {0}, held = {0};
    struct ctr_knn vote[64];
    size_t n_votes = 0, n_fit = 0, best = 0;
    double share = 0, best_share = -1;
    int32_t *guess = NULL;
    uint32_t *order = ctr_alloc(train->n, sizeof *order);
    if (!order)
        return CTR_E_FAIL;
    CTR_TRY(ctr_features_split(order, &n_fit, train, classes, seed));
    *out = (struct ctr_knn){10, 0};
    if (n_fit == 0 || n_fit == train->n)
        goto out;
    CTR_TRY(ctr_features_rows(&bank, train, order, n_fit));
    CTR_TRY(ctr_features_rows(&held, train, order + n_fit, train->n - n_fit));
    while (n_votes < sizeof vote / sizeof *vote && ctr_knn_tried(&vote[n_votes], n_votes))
        n_votes++;
    if (!(guess = ctr_alloc(n_votes * held.n, sizeof *guess)))
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(ctr_knn(guess, dev, &bank, &held, classes, vote, n_votes));
    for (size_t i = 0; i < n_votes; i++)
        if ((share = ctr_accuracy(guess + i * held.n, held.label, held.n)) > best_share)
            best = i, best_share = share;
    *out = vote[best];
out:
    free(guess);
    ctr_features_free(&held);
    ctr_features_free(&bank);
    free(order);
    return rc;
}
