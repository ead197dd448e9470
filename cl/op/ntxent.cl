/* ntxent.cl -- NT-Xent, streamed: loss = mean_i log(1 + sum_{k != i, p(i)} e^(s_ik - s_ip)),
 * s_ij = z_i.z_j / T, p(i) the other view of i (i + N, or i - N). No 2N x 2N matrix exists anywhere.
 * z, dz: [M = 2N][D]. All exponents are base 2: s2 = s log2(e). Masked products are NEG, not -inf,
 * since inf - inf is NaN.
 *   fwd   per query i and key split: max and sum of its negatives, s2 of its positive
 *   rows  merges the splits in order; log-sum-exp and loss per row, partial sums
 *   sum   adds the partial sums in order: loss, count of rows whose positive is nearest, mean
 *         similarity of positives
 *   bwd   dz_i = dloss / (M T) sum_k w_ik z_k, w_ik = P_ik + P_ki; for k = p(i) both minus 1 each,
 *         computed as -(1 - P_ip) - (1 - P_pi) from the negatives, without cancellation.
 * fwd and bwd have a CPU form (_tile: one work-item is 32 queries, in lanes of float16, so that no
 * sum runs across lanes) and a GPU form (_group: 64 queries x 64 keys in 256 work-items). */
#include "lib/prelude.clh"
#include "lib/products.clh"

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

/* Does a tile of keys hold one of the queries, or the other view of one? */
static inline int tile_special(int k0, int i0, int N)
{
    const int a = k0 - i0;
    return abs(a) < QT || abs(a - N) < QT || abs(a + N) < QT;
}

#define LANE_IDS (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* Grid: ceil(M / 32) x splits. part: [3][splits][M] max, sum, positive. Local: D * 32 floats.
 * scale = log2(e) / T; split_keys: keys of a split, a multiple of KT. */
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
ntxent_fwd_tile(global float *part, const global float *z, local float *q, const float scale,
                const int D, const int N, const int split_keys)
{
    const int M = 2 * N, i0 = get_global_id(0) * QT, split = get_global_id(1);
    const int end = min(M, (split + 1) * split_keys);
    pack_queries(q, z, scale, i0, D, M);
    float16 top[2], sum[2], pos[2];
    int16 id[2];
    for (int h = 0; h < 2; h++) {
        top[h] = pos[h] = (float16)(NEG);
        sum[h] = (float16)(0.0f);
        id[h] = i0 + 16 * h + LANE_IDS;
    }
    for (int k0 = split * split_keys; k0 < end; k0 += KT) {
        float16 s[KT][2];
        tile_products(s, q, z, k0, D, M);
        if (k0 + KT > end || tile_special(k0, i0, N))
            _Pragma("unroll") for (int j = 0; j < KT; j++)
                _Pragma("unroll") for (int h = 0; h < 2; h++)
            {
                const int16 gap = k0 + j - id[h];
                const int16 other = k0 + j < end ? (gap == N || gap == -N) : (int16)(0);
                pos[h] = other ? s[j][h] : pos[h];
                s[j][h] = other || gap == 0 || (int16)(k0 + j) >= end ? (float16)(NEG) : s[j][h];
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
    for (int a = 0; a < 3; a++) {
        vstore16(a == 0 ? top[0] : a == 1 ? sum[0] : pos[0], 0, out);
        vstore16(a == 0 ? top[1] : a == 1 ? sum[1] : pos[1], 1, out);
        for (int l = 0; l < QT && i0 + l < M; l++)
            to[a * plane + l] = out[l];
    }
}

/* w[n][32] for the keys [k0, k0 + n): P_ik + P_ki, 0 for self, -(miss_i + miss_p) for positives. */
static inline void block_weights(local float *w, const local float *q, const global float *z,
                                 const global float *lse, const global float *miss, int k0, int n,
                                 int i0, int D, int N)
{
    const int M = 2 * N;
    float own[2 * QT];
    for (int l = 0; l < QT; l++) {
        own[l] = lse[min(i0 + l, M - 1)];
        own[QT + l] = miss[min(i0 + l, M - 1)];
    }
    const float16 lse0 = vload16(0, own), lse1 = vload16(1, own);
    for (int k = k0; k < k0 + n; k += KT) {
        float16 s[KT][2];
        tile_products(s, q, z, k, D, M);
        const int special = tile_special(k, i0, N);
        _Pragma("unroll") for (int j = 0; j < KT; j++)
        {
            const int kj = min(k + j, M - 1);
            const float16 lse_k = (float16)(lse[kj]);
            float16 w0 = exp2_neg(s[j][0] - lse0) + exp2_neg(s[j][0] - lse_k);
            float16 w1 = exp2_neg(s[j][1] - lse1) + exp2_neg(s[j][1] - lse_k);
            if (special) {
                const int16 gap0 = kj - i0 - LANE_IDS, gap1 = gap0 - 16;
                const float16 m0 = -(vload16(2, own) + miss[kj]), m1 = -(vload16(3, own) + miss[kj]);
                w0 = gap0 == 0 ? (float16)(0.0f) : gap0 == N || gap0 == -N ? m0 : w0;
                w1 = gap1 == 0 ? (float16)(0.0f) : gap1 == N || gap1 == -N ? m1 : w1;
            }
            vstore16(w0, 0, w + (k - k0 + j) * QT);
            vstore16(w1, 1, w + (k - k0 + j) * QT);
        }
    }
}

#define DT 8 /* columns of dz in a register tile */

/* acc[D][32] += z[n][D]^T w[n][32]. The block is summed by itself before it is added: rounding then
 * grows with n + M / n, not with M. */
static inline void block_gradient(local float *acc, const local float *w, const global float *z, int n,
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
            const global float *row = z + (size_t)k * D + d;
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
            const float16 key = (float16)(z[(size_t)k * D + d]);
            a0 = key * vload16(0, w + k * QT) + a0;
            a1 = key * vload16(1, w + k * QT) + a1;
        }
        vstore16(a0 + vload16(0, to), 0, to);
        vstore16(a1 + vload16(1, to), 1, to);
    }
}

/* Grid: ceil(M / 32) x splits; dz: [splits][M][D], each split its keys' share. lse, miss: [M].
 * inv_MT = 1 / (M T). Local: D * 32, D * 32, block * 32 floats. split_keys, block: multiples of KT;
 * dz is updated every `block` keys. */
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
ntxent_bwd_tile(global float *dz, const global float *dloss, const global float *z,
                const global float *lse, const global float *miss, local float *q, local float *acc,
                local float *w, const float scale, const float inv_MT, const int D, const int N,
                const int split_keys, const int block)
{
    const int M = 2 * N, i0 = get_global_id(0) * QT, split = get_global_id(1);
    const int end = min(M, (split + 1) * split_keys);
    pack_queries(q, z, scale, i0, D, M);
    for (int d = 0; d < D * 2; d++)
        vstore16((float16)(0.0f), d, acc);
    for (int k0 = split * split_keys; k0 < end; k0 += block) {
        const int n = min(block, end - k0);
        block_weights(w, q, z, lse, miss, k0, n, i0, D, N);
        block_gradient(acc, w, z + (size_t)k0 * D, n, D);
    }
    const float g = dloss[0] * inv_MT;
    dz += (size_t)split * M * D;
    for (int l = 0; l < QT && i0 + l < M; l++)
        for (int d = 0; d < D; d++)
            dz[(size_t)(i0 + l) * D + d] = g * acc[d * QT + l];
}

/* ---- per row, for both families ---- */

/* Grid: P work-items, each every P-th row. lse, miss = 1 - P_ip: [M]; sums: [3][P]. inv_scale =
 * T / log2(e). Large gaps either way stay finite: x > 0 uses 2^-x. */
kernel void ntxent_rows(global float *sums, global float *lse, global float *miss,
                        const global float *part, const float inv_scale, const int M,
                        const int splits)
{
    const int P = get_global_size(0), p = get_global_id(0);
    const size_t plane = (size_t)splits * M;
    float loss = 0.0f, nearest = 0.0f, similarity = 0.0f;
    for (int i = p; i < M; i += P) {
        float top = part[i], pos = part[2 * plane + i], sum = 0.0f;
        for (int s = 1; s < splits; s++) {
            const float t = part[(size_t)s * M + i], o = part[2 * plane + (size_t)s * M + i];
            top = t > top ? t : top;
            pos = pos == NEG ? o : pos;
        }
        for (int s = 0; s < splits; s++)
            sum += part[plane + (size_t)s * M + i] * exp2(part[(size_t)s * M + i] - top);
        const float x = top + log2(sum) - pos, e = exp2(-fabs(x));
        const float soft = (x > 0.0f ? x : 0.0f) + M_LOG2E_F * log1p(e);
        lse[i] = pos + soft;
        miss[i] = (x > 0.0f ? 1.0f : e) / (1.0f + e);
        loss += M_LN2_F * soft;
        nearest += pos > top ? 1.0f : 0.0f;
        similarity += inv_scale * pos;
    }
    sums[p] = loss;
    sums[P + p] = nearest;
    sums[2 * P + p] = similarity;
}

/* Grid: one work-item. */
kernel void ntxent_sum(global float *loss, global float *nearest, global float *similarity,
                       const global float *sums, const float inv_M, const int P)
{
    float total[3] = {0.0f, 0.0f, 0.0f};
    for (int p = 0; p < P; p++)
        for (int a = 0; a < 3; a++)
            total[a] += sums[a * P + p];
    loss[0] = inv_M * total[0];
    nearest[0] = total[1];
    similarity[0] = inv_M * total[2];
}

/* Adds the splits' shares in order. */
kernel void ntxent_add(global float *dz, const global float *share, const uint splits, const ulong n,
                       const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vfloat sum = vload(0, share + i);
                   for (uint s = 1; s < splits; s++) sum += vload(0, share + s * n + i);
                   vstore(sum, 0, dz + i), float sum = share[i];
                   for (uint s = 1; s < splits; s++) sum += share[s * n + i]; dz[i] = sum)
}

/* ---- work-groups: 64 queries x 64 keys, a work-item 4 x 4 of them ---- */

#define GT    64 /* queries, keys of a group's tile */
#define GD    16 /* columns staged at once */
#define PITCH 68 /* GT + 4: rows stay aligned for float4, columns spread over the banks */
#define GCOLS 128 /* columns of dz a group holds */

/* to[GD][PITCH] = the 64 rows from i0 (clamped below M), columns d0.., transposed; zeros past D. */
static inline void stage(local float *to, const global float *z, int i0, int d0, int D, int M)
{
    const int l = get_local_id(0), row = l / 4, c = l % 4 * 4;
    const global float *from = z + (size_t)min(i0 + row, M - 1) * D;
    for (int j = c; j < c + 4; j++)
        to[j * PITCH + row] = d0 + j < D ? from[d0 + j] : 0.0f;
}

/* s[4] = this work-item's 4 queries x 4 keys of z[i0..]  z[k0..]^T * scale. */
static inline void group_products(float4 s[4], local float *a, local float *b, const global float *z,
                                  float scale, int i0, int k0, int D, int M)
{
    const int tq = get_local_id(0) / 16 * 4, tk = get_local_id(0) % 16 * 4;
    s[0] = s[1] = s[2] = s[3] = (float4)(0.0f);
    for (int d0 = 0; d0 < D; d0 += GD) {
        barrier(CLK_LOCAL_MEM_FENCE);
        stage(a, z, i0, d0, D, M);
        stage(b, z, k0, d0, D, M);
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int d = 0; d < GD; d++) {
            const float4 q = scale * vload4(0, a + d * PITCH + tq), k = vload4(0, b + d * PITCH + tk);
            s[0] += q.x * k;
            s[1] += q.y * k;
            s[2] += q.z * k;
            s[3] += q.w * k;
        }
    }
}

/* Grid: ceil(M / 64) * 256 x splits. As ntxent_fwd_tile. */
kernel __attribute__((reqd_work_group_size(256, 1, 1))) void
ntxent_fwd_group(global float *part, const global float *z, const float scale, const int D,
                 const int N, const int split_keys)
{
    local float a[GD * PITCH], b[GD * PITCH], all[3][GT * 16];
    const int M = 2 * N, i0 = get_group_id(0) * GT, split = get_group_id(1), l = get_local_id(0);
    const int end = min(M, (split + 1) * split_keys), tx = l % 16, ty = l / 16;
    float top[4], sum[4], pos[4];
    for (int i = 0; i < 4; i++) {
        top[i] = pos[i] = NEG;
        sum[i] = 0.0f;
    }
    for (int k0 = split * split_keys; k0 < end; k0 += GT) {
        float4 tile[4];
        group_products(tile, a, b, z, scale, i0, k0, D, M);
        for (int i = 0; i < 4; i++) {
            const int id = i0 + ty * 4 + i;
            float s[4];
            vstore4(tile[i], 0, s);
            float m = top[i];
            for (int j = 0; j < 4; j++) {
                const int k = k0 + tx * 4 + j, other = k < end && (k == id + N || k == id - N);
                pos[i] = other ? s[j] : pos[i];
                s[j] = other || k == id || k >= end ? NEG : s[j];
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
        all[2][(ty * 4 + i) * 16 + tx] = pos[i];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (l < GT && i0 + l < M) {
        float m = NEG, t = 0.0f, p = NEG;
        for (int x = 0; x < 16; x++)
            m = all[0][l * 16 + x] > m ? all[0][l * 16 + x] : m;
        for (int x = 0; x < 16; x++) {
            t += all[1][l * 16 + x] * exp2(all[0][l * 16 + x] - m);
            p = p == NEG ? all[2][l * 16 + x] : p;
        }
        const size_t plane = (size_t)get_num_groups(1) * M, at = (size_t)split * M + i0 + l;
        part[at] = m;
        part[plane + at] = t;
        part[2 * plane + at] = p;
    }
}

/* Grid: ceil(M / 64) * 256 x splits x ceil(D / 128). As ntxent_bwd_tile. */
kernel __attribute__((reqd_work_group_size(256, 1, 1))) void
ntxent_bwd_group(global float *dz, const global float *dloss, const global float *z,
                 const global float *lse, const global float *miss, const float scale,
                 const float inv_MT, const int D, const int N, const int split_keys)
{
    local float a[2 * GD * PITCH], w[GT * PITCH]; /* w[key][query] */
    const int M = 2 * N, i0 = get_group_id(0) * GT, split = get_group_id(1), l = get_local_id(0);
    const int end = min(M, (split + 1) * split_keys), tx = l % 16, ty = l / 16;
    const int c0 = get_group_id(2) * GCOLS, id = i0 + ty * 4;
    float4 acc[4][2], block[4][2];
    for (int i = 0; i < 4; i++)
        acc[i][0] = acc[i][1] = block[i][0] = block[i][1] = (float4)(0.0f);
    for (int k0 = split * split_keys; k0 < end; k0 += GT) {
        float4 tile[4];
        group_products(tile, a, a + GD * PITCH, z, scale, i0, k0, D, M);
        for (int i = 0; i < 4; i++) {
            const int q = min(id + i, M - 1);
            float s[4];
            vstore4(tile[i], 0, s);
            for (int j = 0; j < 4; j++) {
                const int k = k0 + tx * 4 + j, kc = min(k, M - 1);
                const int other = kc == q + N || kc == q - N;
                const float p = exp2(s[j] - lse[q]) + exp2(s[j] - lse[kc]);
                w[(tx * 4 + j) * PITCH + ty * 4 + i] =
                    k >= end || k == q ? 0.0f : other ? -(miss[q] + miss[kc]) : p;
            }
        }
        for (int kk = 0; kk < GT; kk += GD) { /* 16 keys x 128 columns at a time */
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int x = l; x < GD * GCOLS; x += 256) {
                const int k = min(k0 + kk + x / GCOLS, M - 1), c = c0 + x % GCOLS;
                a[x] = c < D ? z[(size_t)k * D + c] : 0.0f;
            }
            barrier(CLK_LOCAL_MEM_FENCE);
            for (int k = 0; k < GD; k++) {
                const float4 q = vload4(0, w + (kk + k) * PITCH + ty * 4);
                const float4 x = vload4(0, a + k * GCOLS + tx * 4);
                const float4 y = vload4(0, a + k * GCOLS + 64 + tx * 4);
                block[0][0] += q.x * x;
                block[0][1] += q.x * y;
                block[1][0] += q.y * x;
                block[1][1] += q.y * y;
                block[2][0] += q.z * x;
                block[2][1] += q.z * y;
                block[3][0] += q.w * x;
                block[3][1] += q.w * y;
            }
        }
        if (k0 / GT % 4 == 3 || k0 + GT >= end) /* 256 keys are summed by themselves, as above */
            for (int i = 0; i < 4; i++)
                for (int h = 0; h < 2; h++) {
                    acc[i][h] += block[i][h];
                    block[i][h] = (float4)(0.0f);
                }
    }
    const float g = dloss[0] * inv_MT;
    for (int i = 0; i < 4; i++)
        for (int h = 0; h < 2; h++) {
            float out[4];
            vstore4(g * acc[i][h], 0, out);
            for (int j = 0; j < 4; j++) {
                const int c = c0 + h * 64 + tx * 4 + j;
                if (id + i < M && c < D)
                    dz[((size_t)split * M + id + i) * D + c] = out[j];
            }
        }
}
