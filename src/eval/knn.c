/* knn.c -- k nearest neighbours by cosine similarity. The device multiplies a block of queries with
 * the whole bank; threads on the host pick the largest and vote. See eval.h for the protocols. */
#include "eval/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "op/op.h"

#define K_MAX       200
#define K_FEW       10
#define TEMPERATURE 0.1
#define BLOCK       256

struct neighbour {
    float similarity;
    int32_t label;
};

struct vote {
    const float *similarity; /* [queries][n] */
    const struct ctr_features *bank, *test;
    size_t first; /* query of the block */
    unsigned classes;
    unsigned char *right; /* [queries of the test set][2] */
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
static size_t largest(struct neighbour *heap, const float *s, const int32_t *label, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (k == K_MAX && s[i] <= heap[0].similarity)
            continue;
        struct neighbour x = {s[i], label[i]};
        size_t at;
        if (k < K_MAX) {
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
                      int weighted)
{
    int32_t best = near[0].label;
    memset(weight, 0, classes * sizeof *weight);
    for (size_t i = 0; i < k; i++)
        weight[near[i].label] += weighted ? exp(near[i].similarity / TEMPERATURE) : 1.0;
    for (size_t i = 0; i < k; i++)
        if (weight[near[i].label] > weight[best])
            best = near[i].label;
    return best;
}

static void vote_one(void *ctx, size_t i)
{
    const struct vote *v = ctx;
    struct neighbour near[K_MAX];
    size_t query = v->first + i;
    double *weight = ctr_alloc(v->classes, sizeof *weight);
    if (!weight)
        return;
    size_t k = largest(near, v->similarity + i * v->bank->n, v->bank->label, v->bank->n);
    qsort(near, k, sizeof *near, by_similarity);
    int32_t label = v->test->label[query];
    v->right[2 * query] = winner(weight, near, k < K_FEW ? k : K_FEW, v->classes, 0) == label;
    v->right[2 * query + 1] = winner(weight, near, k, v->classes, 1) == label;
    free(weight);
}

/* Rows of unit length; rows of zeros stay. */
static void normalise(float *y, const float *x, size_t n, size_t D)
{
    for (size_t i = 0; i < n; i++, x += D, y += D) {
        double sum = 0;
        for (size_t d = 0; d < D; d++)
            sum += (double)x[d] * (double)x[d];
        float scale = (float)(1.0 / sqrt(sum > 1e-24 ? sum : 1.0));
        for (size_t d = 0; d < D; d++)
            y[d] = x[d] * scale;
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

int ctr_knn(struct ctr_knn_result *out, ctr_dev *dev, const struct ctr_features *bank,
            const struct ctr_features *test, unsigned classes)
{
    int rc = 0;
    ctr_graph *g = NULL;
    ctr_tensor *query, *keys, *similarity;
    float *tmp = NULL, *s = NULL;
    unsigned char *right = NULL;
    size_t sum[2] = {0, 0}, D = bank->D;
    if (bank->n == 0 || test->n == 0)
        return ctr_fail(CTR_E_DATA, "no labelled images to compare");
    CTR_TRY(record(&g, &query, &keys, &similarity, dev, bank->n, D));
    tmp = ctr_alloc((bank->n > BLOCK ? bank->n : BLOCK) * D, sizeof *tmp);
    s = ctr_alloc(BLOCK * bank->n, sizeof *s);
    right = ctr_alloc(2 * test->n, 1);
    if (!tmp || !s || !right)
        CTR_TRY(CTR_E_FAIL);
    normalise(tmp, bank->x, bank->n, D);
    CTR_TRY(ctr_tensor_write(keys, tmp, keys->bytes));
    for (size_t at = 0; at < test->n; at += BLOCK) {
        size_t n = test->n - at < BLOCK ? test->n - at : BLOCK;
        struct vote v = {s, bank, test, at, classes, right};
        normalise(tmp, test->x + at * D, n, D);
        CTR_TRY(ctr_tensor_write(query, tmp, query->bytes));
        CTR_TRY(ctr_graph_replay(g));
        CTR_TRY(ctr_tensor_read(s, similarity, similarity->bytes));
        ctr_parallel(0, n, vote_one, &v);
    }
    for (size_t i = 0; i < 2 * test->n; i++)
        sum[i % 2] += right[i];
    out->k10 = (double)sum[0] / (double)test->n;
    out->k200 = (double)sum[1] / (double)test->n;
out:
    free(right);
    free(s);
    free(tmp);
    ctr_graph_destroy(&g);
    return rc;
}

void ctr_features_drop_unlabelled(struct ctr_features *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->label[i] < 0)
            continue;
        if (kept != i)
            memcpy(f->x + kept * f->D, f->x + i * f->D, f->D * sizeof *f->x);
        f->label[kept++] = f->label[i];
    }
    f->n = kept;
}

void ctr_features_free(struct ctr_features *f)
{
    free(f->x);
    free(f->label);
    *f = (struct ctr_features){0};
}
