/* lse.cl -- lse_i = log sum_k e^(scale a_i.b_k), streamed: no matrix of products exists anywhere. Left
 * out are the keys k with k = i modulo `period` (0: none are). a: [M][D], queries; b: [K][D], keys. All
 * exponents are base 2. Products left out are NEG, not -inf, since inf - inf is NaN.
 *   fwd   per query and key split: max and sum
 *   rows  merges the splits in order
 *   bwd   dx_i = scale sum_k w_ik y_k, where x are the queries and y the keys (SIDES 1: da), x the keys
 *         and y the queries (2: db), or both (3: a is b); w_ik = g_i e^(s_ik - lse_i) of the query and
 *         g_k e^(s_ik - lse_k) of the key, g the gradient of lse, for those sides that count.
 * fwd and bwd have a CPU form (_tile: one work-item is 32 queries, in lanes of float16, so that no
 * sum runs across lanes) and a GPU form (_group: 64 queries x 64 keys in 256 work-items). */
#include "lib/prelude.clh"
#include "lib/products.clh"
#include "lib/products_group.clh"

#define NEG (-1e30f)

/* 2^x for x <= 0; 2^-126 below that. Cephes exp2f: relative error 2e-7. */
static inline float16 exp2_neg(float16 x)
{
    x = x < -126.0f ? (float16)(-126.0f) : x;
    const float16 r = x + 12582912.0f; /* rounds to whole: 1.5 * 2^23 */
    const float16 f = x - (r - 12582912.0f);
    float16 p = f * 1.535336188319500e-4f + 1.339887440266574e-3f;
    p = p * f + 9.618437357674640e-3f;
    p = p * f + 5.550332471162809e-2f;
    p = p * f + 2.402264791363012e-1f;
    p = p * f + 6.931472028550421e-1f;
    p = p * f + 1.0f;
    return as_float16(as_int16(p) + (as_int16(r) << 23));
}

/* Does a tile of keys hold one that is left out for one of the queries? */
static inline int tile_special(int k0, int i0, int period)
{
    const int gap = k0 + KT - 1 - i0; /* gaps are gap - (KT + QT - 2) .. gap */
    return period > 0 && (gap < 0 ? period - 1 - (-gap - 1) % period : gap % period) <= KT + QT - 2;
}

#define LANE_IDS (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* to[l] = (i0 + l) % period for 32 lanes; -1 for none. */
static inline void residues(int16 to[2], int i0, int period)
{
    for (int h = 0; h < 2; h++)
        to[h] = period > 0 ? (i0 + 16 * h + LANE_IDS) % period : (int16)(-1);
}

/* Grid: ceil(M / 32) x splits. part: [2][splits][M] max, sum. Local: D * 32 floats. scale2 = scale
 * log2(e); split_keys: keys of a split, a multiple of KT. */
kernel ONE_ITEM void
lse_fwd_tile(global float *part, const global float *a, const global float *b, local float *q,
             const float scale2, const int D, const int M, const int K, const int period,
             const int split_keys)
{
    const int i0 = get_global_id(0) * QT, split = get_global_id(1);
    const int end = min(K, (split + 1) * split_keys);
    float16 top[2], sum[2];
    int16 own[2];
    pack_queries(q, a, scale2, i0, D, M);
    residues(own, i0, period);
    for (int h = 0; h < 2; h++) {
        top[h] = (float16)(NEG);
        sum[h] = (float16)(0.0f);
    }
    for (int k0 = split * split_keys; k0 < end; k0 += KT) {
        float16 s[KT][2];
        tile_products(s, q, b, k0, D, K);
        if (k0 + KT > end || tile_special(k0, i0, period))
            _Pragma("unroll") for (int j = 0; j < KT; j++)
            {
                const int16 key = period > 0 ? (k0 + j) % period : -2;
                const int16 past = -(int16)(k0 + j >= end);
                s[j][0] = own[0] == key || past ? (float16)(NEG) : s[j][0];
                s[j][1] = own[1] == key || past ? (float16)(NEG) : s[j][1];
            }
        _Pragma("unroll") for (int h = 0; h < 2; h++)
        {
            float16 m = top[h];
            _Pragma("unroll") for (int j = 0; j < KT; j++) m = s[j][h] > m ? s[j][h] : m;
            float16 t = exp2_neg(s[0][h] - m);
            _Pragma("unroll") for (int j = 1; j < KT; j++) t += exp2_neg(s[j][h] - m);
            sum[h] = sum[h] * exp2_neg(top[h] - m) + t;
            top[h] = m;
        }
    }
    float out[QT];
    const size_t plane = (size_t)get_global_size(1) * M;
    global float *to = part + (size_t)split * M + i0;
    for (int p = 0; p < 2; p++) {
        vstore16(p == 0 ? top[0] : sum[0], 0, out);
        vstore16(p == 0 ? top[1] : sum[1], 1, out);
        for (int l = 0; l < QT && i0 + l < M; l++)
            to[p * plane + l] = out[l];
    }
}

#ifndef SIDES
#define SIDES 3
#endif

/* w[n][32] for the keys [k0, k0 + n) of y[K] and the queries from i0 of x[M]. lse2, g: of the sides that
 * count, per query, per key. */
static inline void block_weights(local float *w, const local float *q, const global float *y,
                                 const global float *lse2, const global float *g, int k0, int n, int i0,
                                 int D, int M, int K, int period)
{
    float mine[2 * QT];
    for (int l = 0; l < QT; l++) {
        mine[l] = SIDES & 1 ? lse2[min(i0 + l, M - 1)] : 0.0f;
        mine[QT + l] = SIDES & 1 ? g[min(i0 + l, M - 1)] : 0.0f;
    }
    int16 own[2];
    residues(own, i0, period);
    for (int k = k0; k < k0 + n; k += KT) {
        float16 s[KT][2];
        tile_products(s, q, y, k, D, K);
        const int special = tile_special(k, i0, period);
        _Pragma("unroll") for (int j = 0; j < KT; j++)
        {
            const int kj = min(k + j, K - 1);
            _Pragma("unroll") for (int h = 0; h < 2; h++)
            {
                float16 v = (float16)(0.0f);
                if (SIDES & 1)
                    v = vload16(2 + h, mine) * exp2_neg(s[j][h] - vload16(h, mine));
                if (SIDES & 2)
                    v += g[kj] * exp2_neg(s[j][h] - lse2[kj]);
                if (special)
                    v = own[h] == (int16)(kj % period) ? (float16)(0.0f) : v;
                vstore16(v, h, w + (k - k0 + j) * QT);
            }
        }
    }
}

#define DT REG_ROWS /* columns of dx in a register tile */

/* acc[D][32] += y[n][D]^T w[n][32]. The block is summed by itself before it is added: rounding then
 * grows with n + M / n, not with M. */
static inline void block_gradient(local float *acc, const local float *w, const global float *y, int n,
                                  int D)
{
    int d = 0;
    for (; d + DT <= D; d += DT) {
        float16 a[DT][2];
        _Pragma("unroll") for (int j = 0; j < DT; j++)
        {
            a[j][0] = a[j][1] = (float16)(0.0f);
        }
        for (int k = 0; k < n; k++) {
            const float16 w0 = vload16(0, w + k * QT), w1 = vload16(1, w + k * QT);
            const global float *row = y + (size_t)k * D + d;
            _Pragma("unroll") for (int j = 0; j < DT; j++)
            {
                const float16 key = (float16)(row[j]);
                a[j][0] = key * w0 + a[j][0];
                a[j][1] = key * w1 + a[j][1];
            }
        }
        _Pragma("unroll") for (int j = 0; j < DT; j++)
        {
            local float *to = acc + (d + j) * QT;
            vstore16(a[j][0] + vload16(0, to), 0, to);
            vstore16(a[j][1] + vload16(1, to), 1, to);
        }
    }
    for (; d < D; d++) {
        float16 a0 = (float16)(0.0f), a1 = (float16)(0.0f);
        local float *to = acc + d * QT;
        for (int k = 0; k < n; k++) {
            const float16 key = (float16)(y[(size_t)k * D + d]);
            a0 = key * vload16(0, w + k * QT) + a0;
            a1 = key * vload16(1, w + k * QT) + a1;
        }
        vstore16(a0 + vload16(0, to), 0, to);
        vstore16(a1 + vload16(1, to), 1, to);
    }
}

/* Grid: ceil(M / 32) x splits; dx: [splits][M][D], each split its keys' share. x: [M][D], y: [K][D],
 * lse2, g: see block_weights. Local: D * 32, D * 32, block * 32 floats. split_keys, block: multiples of
 * KT; dx is updated every `block` keys. */
kernel ONE_ITEM void
lse_bwd_tile(global float *dx, const global float *x, const global float *y, const global float *lse2,
             const global float *g, local float *q, local float *acc, local float *w,
             const float scale2, const float scale, const int D, const int M, const int K,
             const int period, const int split_keys, const int block)
{
    const int i0 = get_global_id(0) * QT, split = get_global_id(1);
    const int end = min(K, (split + 1) * split_keys);
    pack_queries(q, x, scale2, i0, D, M);
    for (int d = 0; d < D * 2; d++)
        vstore16((float16)(0.0f), d, acc);
    for (int k0 = split * split_keys; k0 < end; k0 += block) {
        const int n = min(block, end - k0);
        block_weights(w, q, y, lse2, g, k0, n, i0, D, M, K, period);
        block_gradient(acc, w, y + (size_t)k0 * D, n, D);
    }
    dx += (size_t)split * M * D;
    for (int l = 0; l < QT && i0 + l < M; l++)
        for (int d = 0; d < D; d++)
            dx[(size_t)(i0 + l) * D + d] = scale * acc[d * QT + l];
}

/* ---- per row, for both families ---- */

/* Grid: P work-items, each every P-th row. lse, top: [M], natural logarithms; lse2 = lse log2(e). A row
 * without keys has NEG. */
kernel void lse_rows(global float *lse, global float *top, global float *lse2,
                     const global float *part, const int M, const int splits)
{
    const size_t plane = (size_t)splits * M;
    for (int i = get_global_id(0); i < M; i += get_global_size(0)) {
        float m = part[i], sum = 0.0f;
        for (int s = 1; s < splits; s++)
            m = fmax(m, part[(size_t)s * M + i]);
        for (int s = 0; s < splits; s++)
            sum += part[plane + (size_t)s * M + i] * exp2(part[(size_t)s * M + i] - m);
        const int none = m == NEG && !isnan(sum);
        const float both = none ? NEG : m + log2(sum);
        lse2[i] = both;
        lse[i] = none ? NEG : M_LN2_F * both;
        top[i] = none ? NEG : M_LN2_F * m;
    }
}

/* Adds the splits' shares in order. */
kernel void lse_add(global float *dx, const global float *share, const uint splits, const ulong n,
                    const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vfloat sum = vload(0, share + i);
                   for (uint s = 1; s < splits; s++) sum += vload(0, share + s * n + i);
                   vstore(sum, 0, dx + i), float sum = share[i];
                   for (uint s = 1; s < splits; s++) sum += share[s * n + i]; dx[i] = sum)
}

/* ---- work-groups: 64 queries x 64 keys, a work-item 4 x 4 of them ---- */

#define GCOLS 128 /* columns of dx a group holds */

/* Whether key k is left out for query i. */
static inline int left_out(int i, int k, int period)
{
    return period > 0 && (k - i) % period == 0;
}

/* Grid: ceil(M / 64) * 256 x splits. As lse_fwd_tile. */
kernel __attribute__((reqd_work_group_size(256, 1, 1))) void
lse_fwd_group(global float *part, const global float *a, const global float *b, const float scale2,
              const int D, const int M, const int K, const int period, const int split_keys)
{
    local float p[GD * PITCH], r[GD * PITCH], all[2][GT * 16];
    const int i0 = get_group_id(0) * GT, split = get_group_id(1), l = get_local_id(0);
    const int end = min(K, (split + 1) * split_keys), tx = l % 16, ty = l / 16;
    float top[4], sum[4];
    for (int i = 0; i < 4; i++) {
        top[i] = NEG;
        sum[i] = 0.0f;
    }
    for (int k0 = split * split_keys; k0 < end; k0 += GT) {
        float4 tile[4];
        group_products(tile, p, r, a, b, scale2, i0, k0, D, M, K);
        for (int i = 0; i < 4; i++) {
            float s[4], m = top[i];
            vstore4(tile[i], 0, s);
            for (int j = 0; j < 4; j++) {
                const int k = k0 + tx * 4 + j;
                s[j] = k >= end || left_out(i0 + ty * 4 + i, k, period) ? NEG : s[j];
                m = s[j] > m ? s[j] : m;
            }
            sum[i] = sum[i] * exp2(top[i] - m) +
                     (exp2(s[0] - m) + exp2(s[1] - m) + exp2(s[2] - m) + exp2(s[3] - m));
            top[i] = m;
        }
    }
    for (int i = 0; i < 4; i++) {
        all[0][(ty * 4 + i) * 16 + tx] = top[i];
        all[1][(ty * 4 + i) * 16 + tx] = sum[i];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < GT && i0 + l < M) {
        float m = NEG, t = 0.0f;
        for (int x = 0; x < 16; x++)
            m = all[0][l * 16 + x] > m ? all[0][l * 16 + x] : m;
        for (int x = 0; x < 16; x++)
            t += all[1][l * 16 + x] * exp2(all[0][l * 16 + x] - m);
        const size_t plane = (size_t)get_num_groups(1) * M, at = (size_t)split * M + i0 + l;
        part[at] = m;
        part[plane + at] = t;
    }
}

/* Grid: ceil(M / 64) * 256 x splits x ceil(D / 128). As lse_bwd_tile. */
kernel __attribute__((reqd_work_group_size(256, 1, 1))) void
lse_bwd_group(global float *dx, const global float *x, const global float *y, const global float *lse2,
              const global float *g, const float scale2, const float scale, const int D, const int M,
              const int K, const int period, const int split_keys)
{
    local float a[2 * GD * PITCH], w[GT * PITCH]; /* w[key][query] */
    const int i0 = get_group_id(0) * GT, split = get_group_id(1), l = get_local_id(0);
    const int end = min(K, (split + 1) * split_keys), tx = l % 16, ty = l / 16;
    const int c0 = get_group_id(2) * GCOLS, id = i0 + ty * 4;
    float4 acc[4][2], block[4][2];
    for (int i = 0; i < 4; i++)
        acc[i][0] = acc[i][1] = block[i][0] = block[i][1] = (float4)(0.0f);
    for (int k0 = split * split_keys; k0 < end; k0 += GT) {
        float4 tile[4];
        group_products(tile, a, a + GD * PITCH, x, y, scale2, i0, k0, D, M, K);
        for (int i = 0; i < 4; i++) {
            const int q = min(id + i, M - 1);
            float s[4];
            vstore4(tile[i], 0, s);
            for (int j = 0; j < 4; j++) {
                const int k = k0 + tx * 4 + j, kc = min(k, K - 1);
                float v = 0.0f;
                if (SIDES & 1)
                    v = g[q] * exp2(s[j] - lse2[q]);
                if (SIDES & 2)
                    v += g[kc] * exp2(s[j] - lse2[kc]);
                w[(tx * 4 + j) * PITCH + ty * 4 + i] = k >= end || left_out(q, k, period) ? 0.0f : v;
            }
        }
        for (int kk = 0; kk < GT; kk += GD) { /* 16 keys x 128 columns at a time */
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int at = l; at < GD * GCOLS; at += 256) {
                const int k = min(k0 + kk + at / GCOLS, K - 1), c = c0 + at % GCOLS;
                a[at] = c < D ? y[(size_t)k * D + c] : 0.0f;
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int k = 0; k < GD; k++) {
                const float4 q = vload4(0, w + (kk + k) * PITCH + ty * 4);
                const float4 left = vload4(0, a + k * GCOLS + tx * 4);
                const float4 right = vload4(0, a + k * GCOLS + 64 + tx * 4);
                block[0][0] += q.x * left;
                block[0][1] += q.x * right;
                block[1][0] += q.y * left;
                block[1][1] += q.y * right;
                block[2][0] += q.z * left;
                block[2][1] += q.z * right;
                block[3][0] += q.w * left;
                block[3][1] += q.w * right;
            }
        }
        if (k0 / GT % 4 == 3 || k0 + GT >= end) /* 256 keys are summed by themselves, as above */
            for (int i = 0; i < 4; i++)
                for (int h = 0; h < 2; h++) {
                    acc[i][h] += block[i][h];
                    block[i][h] = (float4)(0.0f);
                }
    }
    for (int i = 0; i < 4; i++)
        for (int h = 0; h < 2; h++) {
            float out[4];
            vstore4(scale * acc[i][h], 0, out);
            for (int j = 0; j < 4; j++) {
                const int c = c0 + h * 64 + tx * 4 + j;
                if (id + i < M && c < D)
                    dx[((size_t)split * M + id + i) * D + c] = out[j];
            }
        }
}
