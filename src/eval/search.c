/* search.c -- see search.h. In: vectors. Out: the rows nearest to each query. The index lies on the
 * device in tiles; each tile meets all queries, a block at a time (op top_k), and its candidates are
 * merged, in order, with those of the tiles before. */
#include "eval/search.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "eval/eval.h"
#include "op/op.h"

enum { QUERIES = 1024, LIST_VALUES = 1 << 17, UPLOAD_BYTES = 8 << 20 };

const char *const ctr_metric_names[CTR_METRICS] = {"cosine", "inner", "euclidean"};

struct tile {
    size_t at, rows;
    ctr_buf *x, *bias; /* bias: -|x|^2 / 2, for CTR_EUCLIDEAN */
    int there;         /* its rows are in the buffers */
};

struct ctr_index {
    ctr_dev *dev;
    const float *x;
    size_t n, D, n_tiles;
    enum ctr_metric metric;
    int resident; /* each tile has buffers of its own, else all have those of the first */
    struct tile *tile;
};

/* ---- rows on the host ---- */

enum { LANES = 8 }; /* sums side by side, for else each addition waits for the last */

static double total(const double sum[LANES])
{
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static double dot(const float *a, const float *b, size_t D)
{
    double sum[LANES] = {0};
    size_t d = 0;
    for (; d + LANES <= D; d += LANES)
        for (size_t l = 0; l < LANES; l++)
            sum[l] += (double)a[d + l] * (double)b[d + l];
    for (; d < D; d++)
        sum[d % LANES] += (double)a[d] * (double)b[d];
    return total(sum);
}

static double distance(const float *a, const float *b, size_t D)
{
    double sum[LANES] = {0}, gap;
    size_t d = 0;
    for (; d + LANES <= D; d += LANES)
        for (size_t l = 0; l < LANES; l++) {
            gap = (double)a[d + l] - (double)b[d + l];
            sum[l] += gap * gap;
        }
    for (; d < D; d++) {
        gap = (double)a[d] - (double)b[d];
        sum[d % LANES] += gap * gap;
    }
    return sqrt(total(sum));
}

/* q_length: of q, for CTR_COSINE. */
static double score_of(const ctr_index *index, const float *q, double q_length, uint32_t row)
{
    size_t D = index->D;
    const float *x = index->x + row * D;
    if (index->metric == CTR_EUCLIDEAN)
        return distance(q, x, D);
    double product = dot(q, x, D);
    if (index->metric == CTR_INNER)
        return product;
    double length = sqrt(dot(x, x, D)); /* the device has left rows as short as ctr_rows_unit says */
    return q_length > 1e-12 && length > 1e-12 ? product / (q_length * length) : 0;
}

/* ---- the device's side ---- */

static int make_tiles(ctr_index *index, uint64_t budget_bytes)
{
    const struct ctr_caps *caps = ctr_dev_caps(index->dev);
    uint64_t row_bytes = index->D * sizeof(float);
    if (budget_bytes == 0)
        budget_bytes = caps->global_bytes / 2;
    size_t rows = (size_t)((budget_bytes < caps->max_alloc_bytes ? budget_bytes : caps->max_alloc_bytes) /
                           row_bytes);
    rows = rows < 1 ? 1 : rows > 1u << 30 ? 1u << 30 : rows;
    index->resident = index->n * row_bytes <= budget_bytes;
    index->n_tiles = (index->n + rows - 1) / rows;
    rows = (index->n + index->n_tiles - 1) / index->n_tiles;
    index->tile = ctr_alloc(index->n_tiles, sizeof *index->tile);
    if (!index->tile)
        return CTR_E_FAIL;
    for (size_t t = 0; t < index->n_tiles; t++) {
        struct tile *tile = &index->tile[t];
        tile->at = t * rows;
        tile->rows = index->n - tile->at < rows ? index->n - tile->at : rows;
        if (t > 0 && !index->resident) {
            tile->x = index->tile[0].x;
            tile->bias = index->tile[0].bias;
            continue;
        }
        int rc = ctr_buf_create(&tile->x, index->dev, tile->rows * row_bytes, "vectors");
        if (rc == 0 && index->metric == CTR_EUCLIDEAN)
            rc = ctr_buf_create(&tile->bias, index->dev, tile->rows * sizeof(float), "lengths");
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int upload_bias(const ctr_index *index, const struct tile *tile, size_t from, size_t n,
                       float *staging)
{
    const float *x = index->x + (tile->at + from) * index->D;
    for (size_t i = 0; i < n; i++) {
        staging[i] = (float)(-0.5 * dot(x + i * index->D, x + i * index->D, index->D));
        if (isinf(staging[i]))
            return ctr_fail(CTR_E_DATA, "vector %zu is too long for single precision",
                            tile->at + from + i);
    }
    return ctr_buf_write(tile->bias, from * sizeof *staging, staging, n * sizeof *staging);
}

/* The tile's rows into its buffers, as the metric wants them. */
static int upload(ctr_index *index, struct tile *tile)
{
    int rc = 0;
    size_t D = index->D, step = UPLOAD_BYTES / (D * sizeof(float));
    step = step < 1 ? 1 : step > tile->rows ? tile->rows : step;
    float *staging = ctr_alloc(step * D, sizeof *staging);
    if (!staging)
        return CTR_E_FAIL;
    for (size_t from = 0; from < tile->rows; from += step) {
        size_t n = tile->rows - from < step ? tile->rows - from : step;
        const float *x = index->x + (tile->at + from) * D;
        if (index->metric == CTR_COSINE) {
            ctr_rows_unit(staging, x, n, D);
            x = staging;
        }
        CTR_TRY(ctr_buf_write(tile->x, from * D * sizeof *x, x, n * D * sizeof *x));
        if (tile->bias)
            CTR_TRY(upload_bias(index, tile, from, n, staging));
    }
    tile->there = index->resident;
out:
    free(staging);
    return rc;
}

int ctr_index_create(ctr_index **out, ctr_dev *dev, const float *x, size_t n, size_t D,
                     enum ctr_metric metric, uint64_t budget_bytes)
{
    CTR_NEED(out);
    CTR_NEED(dev);
    CTR_NEED(x);
    int rc = 0;
    if (n < 1 || n > UINT32_MAX || D < 1 || D > 1u << 24)
        return ctr_fail(CTR_E_USAGE, "an index of %zu vectors of %zu values", n, D);
    if ((rc = ctr_rows_check(x, n, D, "vector")) != 0)
        return rc;
    ctr_index *index = ctr_alloc(1, sizeof *index);
    if (!index)
        return CTR_E_FAIL;
    *index = (ctr_index){.dev = dev, .x = x, .n = n, .D = D, .metric = metric};
    CTR_TRY(make_tiles(index, budget_bytes));
    for (size_t t = 0; index->resident && t < index->n_tiles; t++)
        CTR_TRY(upload(index, &index->tile[t]));
    *out = index;
    index = NULL;
out:
    ctr_index_destroy(&index);
    return rc;
}

void ctr_index_destroy(ctr_index **index)
{
    ctr_index *i = index ? *index : NULL;
    if (!i)
        return;
    for (size_t t = 0; t < (i->resident ? i->n_tiles : i->tile ? 1 : 0); t++) {
        ctr_buf_destroy(&i->tile[t].x);
        ctr_buf_destroy(&i->tile[t].bias);
    }
    free(i->tile);
    free(i);
    *index = NULL;
}

/* ---- searching ---- */

/* All queries against one tile. */
struct pass {
    ctr_graph *g;
    ctr_tensor *query, *score, *row;
    size_t block, k; /* queries at a time, hits of each */
    float *q;        /* [block][D] */
    float *s;        /* [block][k] */
    int32_t *r;
};

static int record(struct pass *p, const ctr_index *index, const struct tile *tile)
{
    int rc = 0;
    ctr_tensor *x, *bias = NULL;
    CTR_TRY(ctr_graph_create(&p->g, index->dev, NULL));
    p->query = ctr_graph_input(p->g, "queries", CTR_F32, 2, (size_t[]){p->block, index->D});
    x = ctr_graph_input(p->g, "vectors", CTR_F32, 2, (size_t[]){tile->rows, index->D});
    ctr_graph_bind(x, tile->x);
    if (tile->bias) {
        bias = ctr_graph_input(p->g, "lengths", CTR_F32, 1, (size_t[]){tile->rows});
        ctr_graph_bind(bias, tile->bias);
    }
    p->score = ctr_top_k(p->g, p->query, x, bias, p->k, &p->row);
    CTR_TRY(ctr_graph_status(p->g));
    ctr_graph_keep(p->score);
    ctr_graph_keep(p->row);
    CTR_TRY(ctr_graph_plan(p->g, NULL));
    CTR_TRY(ctr_graph_lower(p->g));
    CTR_TRY(ctr_dev_build(index->dev, 0, NULL, NULL));
out:
    return rc;
}

static int begin(struct pass *p, const ctr_index *index, const struct tile *tile, size_t n, size_t k)
{
    *p = (struct pass){.k = k < tile->rows ? k : tile->rows};
    p->block = LIST_VALUES / p->k < QUERIES ? LIST_VALUES / p->k : QUERIES;
    p->block = p->block < n ? p->block : n;
    p->q = ctr_alloc(p->block * index->D, sizeof *p->q);
    p->s = ctr_alloc(p->block * p->k, sizeof *p->s);
    p->r = ctr_alloc(p->block * p->k, sizeof *p->r);
    return p->q && p->s && p->r ? record(p, index, tile) : CTR_E_FAIL;
}

static void finish(struct pass *p)
{
    ctr_graph_destroy(&p->g);
    free(p->q);
    free(p->s);
    free(p->r);
}

/* The candidates of n queries, of the tile's rows. */
static int candidates(struct pass *p, const ctr_index *index, const float *query, size_t n)
{
    int rc = 0;
    size_t D = index->D;
    memset(p->q, 0, p->block * D * sizeof *p->q);
    if (index->metric == CTR_COSINE)
        ctr_rows_unit(p->q, query, n, D);
    else
        memcpy(p->q, query, n * D * sizeof *p->q);
    CTR_TRY(ctr_tensor_write(p->query, p->q, p->query->bytes));
    CTR_TRY(ctr_graph_replay(p->g));
    CTR_TRY(ctr_tensor_read(p->s, p->score, p->score->bytes));
    CTR_TRY(ctr_tensor_read(p->r, p->row, p->row->bytes));
out:
    return rc;
}

static int better(const ctr_index *index, struct ctr_hit a, struct ctr_hit b)
{
    double gap = index->metric == CTR_EUCLIDEAN ? b.score - a.score : a.score - b.score;
    return gap > 0 || (gap == 0 && a.row < b.row);
}

/* Puts a hit into a list of at most k that is in order. */
static void insert(struct ctr_hit *hits, size_t *n, size_t k, const ctr_index *index,
                   struct ctr_hit hit)
{
    size_t at = *n;
    if (at == k && !better(index, hit, hits[k - 1]))
        return;
    at = at < k ? (*n)++ : k - 1;
    for (; at > 0 && better(index, hit, hits[at - 1]); at--)
        hits[at] = hits[at - 1];
    hits[at] = hit;
}

struct rank {
    struct ctr_hit *hits; /* [block][k] */
    size_t had;           /* of each, from the tiles before */
    size_t k;
    const ctr_index *index;
    const struct tile *tile;
    const struct pass *pass;
    const float *query;
    atomic_int overflow;
};

static void rank_one(void *ctx, size_t i)
{
    struct rank *r = ctx;
    const float *q = r->query + i * r->index->D;
    double length = sqrt(dot(q, q, r->index->D));
    size_t n = r->had;
    for (size_t c = 0; c < r->pass->k; c++) {
        int32_t row = r->pass->r[i * r->pass->k + c];
        if (row < 0 || (size_t)row >= r->tile->rows ||
            r->pass->s[i * r->pass->k + c] == INFINITY) { /* products beyond what fp32 holds */
            atomic_store(&r->overflow, 1);
            return;
        }
        uint32_t at = (uint32_t)(r->tile->at + (size_t)row);
        insert(r->hits + i * r->k, &n, r->k, r->index,
               (struct ctr_hit){at, score_of(r->index, q, length, at)});
    }
}

static int search_tile(struct ctr_hit *hits, ctr_index *index, struct tile *tile, const float *query,
                       size_t n, size_t k)
{
    int rc = 0;
    struct pass p = {0};
    if (!tile->there)
        CTR_TRY(upload(index, tile));
    CTR_TRY(begin(&p, index, tile, n, k + CTR_SEARCH_SPARE));
    for (size_t at = 0; at < n; at += p.block) {
        size_t m = n - at < p.block ? n - at : p.block;
        struct rank r = {.hits = hits + at * k,
                         .had = tile->at < k ? tile->at : k,
                         .k = k,
                         .index = index,
                         .tile = tile,
                         .pass = &p,
                         .query = query + at * index->D};
        CTR_TRY(candidates(&p, index, r.query, m));
        ctr_parallel(0, m, rank_one, &r);
        if (atomic_load(&r.overflow))
            CTR_TRY(ctr_fail(CTR_E_DATA, "the vectors' products are too large for single precision"));
    }
out:
    finish(&p);
    return rc;
}

int ctr_index_search(struct ctr_hit *hits, ctr_index *index, const float *query, size_t n, size_t k)
{
    CTR_NEED(index);
    CTR_NEED(n == 0 || (hits && query));
    if (k < 1 || k > index->n || k > CTR_SEARCH_K_MAX)
        return ctr_fail(CTR_E_USAGE, "%zu neighbours among %zu vectors; at most %d", k, index->n,
                        CTR_SEARCH_K_MAX);
    int rc = ctr_rows_check(query, n, index->D, "query");
    for (size_t t = 0; rc == 0 && n > 0 && t < index->n_tiles; t++)
        rc = search_tile(hits, index, &index->tile[t], query, n, k);
    return rc;
}
