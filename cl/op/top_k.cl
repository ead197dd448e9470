/* top_k.cl -- of each row i the k largest of s_ij = a_i.b_j + c_j, in falling order, the lower j first
 * among equals. a: [M][D], queries; b: [N][D], keys; c: [N], read with BIAS=1. No s is stored: each
 * product is compared with the least that the query's list holds, which few exceed.
 *   pack         for tile: q[M / 32][D][32], the queries across lanes
 *   tile, group  lists of a part of the keys: score [parts][M][k], then index [parts][M][k]
 *   merge        the lists of all parts to one, sorted
 * A list is a heap, its root the worst; places that are still empty hold (-inf, NONE). */
#include "lib/prelude.clh"
#define Q_SPACE global
#include "lib/products.clh"
#include "lib/products_group.clh"

#ifndef BIAS
#define BIAS 0
#endif

#define NONE 0x7fffffff

/* Whether (s, i) comes after (t, j). */
inline int worse(float s, int i, float t, int j)
{
    return s < t || (s == t && i > j);
}

/* (x, j) goes into the heap of n in the root's place. */
inline void replace_worst(global float *s, global int *id, float x, int j, int n)
{
    int at = 0;
    for (int child = 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && worse(s[child + 1], id[child + 1], s[child], id[child]))
            child++;
        if (!worse(s[child], id[child], x, j))
            break;
        s[at] = s[child];
        id[at] = id[child];
        at = child;
    }
    s[at] = x;
    id[at] = j;
}

inline void clear(global float *s, global int *id, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        s[i] = -INFINITY;
        id[i] = NONE;
    }
}

/* Keys [k0, end) go into the lists of the 32 queries in q; s, id: the first one's list. */
static inline void scan(global float *s, global int *id, const global float *q, const global float *b,
                        const global float *c, int k0, int end, int queries, int D, int N, int k)
{
    float least[QT], top[QT], seen[KT * QT];
    for (int l = 0; l < QT; l++)
        least[l] = l < queries ? s[(size_t)l * k] : INFINITY;
    for (int j0 = k0; j0 < end; j0 += KT) {
        float16 t[KT][2];
        tile_products(t, q, b, j0, D, N);
        _Pragma("unroll") for (int j = 0; j < KT; j++)
        {
            const float add = j0 + j >= end ? -INFINITY : BIAS ? c[j0 + j] : 0.0f;
            t[j][0] += add;
            t[j][1] += add;
        }
        float16 top0 = (float16)(-INFINITY), top1 = top0; /* NaN is never larger */
        _Pragma("unroll") for (int j = 0; j < KT; j++)
        {
            top0 = t[j][0] > top0 ? t[j][0] : top0;
            top1 = t[j][1] > top1 ? t[j][1] : top1;
        }
        if (!any((top0 > vload16(0, least)) | (top1 > vload16(1, least))))
            continue;
        vstore16(top0, 0, top);
        vstore16(top1, 1, top);
        _Pragma("unroll") for (int j = 0; j < KT; j++)
        {
            vstore16(t[j][0], 2 * j, seen);
            vstore16(t[j][1], 2 * j + 1, seen);
        }
        for (int l = 0; l < queries; l++)
            for (int j = 0; j < KT && top[l] > least[l]; j++)
                if (seen[j * QT + l] > least[l]) {
                    replace_worst(s + (size_t)l * k, id + (size_t)l * k, seen[j * QT + l], j0 + j, k);
                    least[l] = s[(size_t)l * k];
                }
    }
}

/* Grid: ceil(M / 32). */
kernel ONE_ITEM void top_k_pack(global float *q, const global float *a,
                                                                      const int D, const int M)
{
    const int i0 = get_global_id(0) * QT;
    pack_queries(q + (size_t)i0 * D, a, 1.0f, i0, D, M);
}

/* Grid: parts of `span` keys x crowds of `queries` queries. The keys go through a core's cache `chunk` at
 * a time: all queries of the crowd meet a chunk before the next one. span and chunk are multiples of
 * KT, queries one of QT. The lists begin `lists` values behind q. */
kernel ONE_ITEM void
top_k_tile(global float *q, const global float *b, const global float *c, const int D, const int M,
           const int N, const int k, const int span, const int chunk, const int queries,
           const ulong lists)
{
    const size_t list = (size_t)get_global_id(0) * M * k;
    const int first = get_global_id(1) * queries, last = min(M, first + queries);
    const int from = get_global_id(0) * span, end = min(N, from + span);
    global float *s = q + lists + list;
    global int *id = (global int *)(q + lists + (size_t)get_global_size(0) * M * k) + list;
    clear(s + (size_t)first * k, id + (size_t)first * k, (size_t)(last - first) * k);
    for (int k0 = from; k0 < end; k0 += chunk)
        for (int i0 = first; i0 < last; i0 += QT)
            scan(s + (size_t)i0 * k, id + (size_t)i0 * k, q + (size_t)i0 * D, b, c, k0,
                 min(k0 + chunk, end), min(QT, M - i0), D, N, k);
}

/* Grid: ceil(M / 64) * 256 x parts of `span` keys. Each of the first 64 work-items keeps the list of a
 * query. */
kernel __attribute__((reqd_work_group_size(256, 1, 1))) void
top_k_group(global float *part, const global float *a, const global float *b, const global float *c,
            const int D, const int M, const int N, const int k, const int span)
{
    local float p[GD * PITCH], r[GD * PITCH], t[GT * (GT + 1)], least[GT];
    local int hit[GT];
    const int i0 = get_group_id(0) * GT, l = get_local_id(0), tx = l % 16, ty = l / 16;
    const int from = get_global_id(1) * span, end = min(N, from + span), mine = l < GT && i0 + l < M;
    const size_t list = ((size_t)get_global_id(1) * M + min(i0 + l, M - 1)) * k;
    global float *s = part + list;
    global int *id = (global int *)(part + (size_t)get_global_size(1) * M * k) + list;
    if (mine)
        clear(s, id, k);
    if (l < GT) {
        least[l] = mine ? -INFINITY : INFINITY;
        hit[l] = 0;
    }
    for (int k0 = from; k0 < end; k0 += GT) {
        float4 tile[4];
        group_products(tile, p, r, a, b, 1.0f, i0, k0, D, M, N);
        for (int i = 0; i < 4; i++) {
            float v[4];
            int over = 0;
            vstore4(tile[i], 0, v);
            for (int j = 0; j < 4; j++) {
                const int key = k0 + tx * 4 + j;
                v[j] = key >= end ? -INFINITY : BIAS ? v[j] + c[key] : v[j];
                over |= v[j] > least[ty * 4 + i];
                t[(ty * 4 + i) * (GT + 1) + tx * 4 + j] = v[j];
            }
            if (over)
                hit[ty * 4 + i] = 1;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (l < GT && hit[l]) {
            for (int j = 0; j < GT; j++)
                if (t[l * (GT + 1) + j] > least[l]) {
                    replace_worst(s, id, t[l * (GT + 1) + j], k0 + j, k);
                    least[l] = s[0];
                }
            hit[l] = 0;
        }
    }
}

/* score, index: [M][k]. part: the lists begin `lists` values behind it. */
kernel void top_k_merge(global float *score, global int *index, const global float *part, const int parts,
                        const int M, const int k, const ulong lists)
{
    const size_t i = get_global_id(0);
    if (i >= (size_t)M)
        return;
    part += lists;
    const global int *part_id = (const global int *)(part + (size_t)parts * M * k);
    global float *s = score + i * k;
    global int *id = index + i * k;
    clear(s, id, k);
    for (int p = 0; p < parts; p++)
        for (int j = 0; j < k; j++) {
            const size_t at = ((size_t)p * M + i) * k + j;
            if (worse(s[0], id[0], part[at], part_id[at]))
                replace_worst(s, id, part[at], part_id[at], k);
        }
    for (int n = k - 1; n > 0; n--) { /* the worst goes to the end */
        const float x = s[n];
        const int j = id[n];
        s[n] = s[0];
        id[n] = id[0];
        replace_worst(s, id, x, j, n);
    }
}
