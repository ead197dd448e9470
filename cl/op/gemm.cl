/* gemm.cl -- C[M,N] = alpha op(A)[M,K] op(B)[K,N] + beta C (+ bias[N]) (then max(., 0)), for CPUs.
 * One work-item computes register tiles of MR rows x 2 VW columns; local size 1. A is read in place
 * with strides a_row and a_k (so a transpose costs nothing), B in panels of 2 VW columns: in place
 * where its rows are contiguous and N a multiple of the panel, else packed (zeros behind N). */
#include "lib/prelude.clh"
#include "lib/rows.clh"
#include "lib/gemm.clh"
#include "lib/transpose.clh"

/* VW columns of a panel (N of them exist) for k in [k0, k1) of a B stored [N, K], rows b_n apart.
 * Whole tiles are read a line at a time: rows a power of two apart share few places in a cache. */
ALWAYS_INLINE void pack_transposed(global float *p, global const float *b, size_t b_n, int N, uint k0,
                                   uint k1)
{
    uint k = k0;
    for (; N >= VW && k + VW <= k1; k += VW) {
        vfloat r[VW];
        #pragma unroll
        for (uint j = 0; j < VW; j++)
            r[j] = load_whole(b + j * b_n + k);
        transpose(r);
        #pragma unroll
        for (uint j = 0; j < VW; j++)
            store_whole(r[j], p + (size_t)(k + j) * PANEL);
    }
    for (; k < k1; k++)
        for (int j = 0; j < VW; j++)
            p[(size_t)k * PANEL + j] = j < N ? b[j * b_n + k] : 0;
}

/* P[panel][K][PANEL] from B[K,N], or from B[N,K] when `transposed`; its rows are ldb apart.
 * Grid (panels, ceil(K / per)). */
kernel ONE_ITEM void gemm_pack(global float *P, global const float *B, const ulong ldb,
                          const int transposed, const uint N, const uint K, const uint per)
{
    const uint n = get_group_id(0) * PANEL, k0 = get_group_id(1) * per, k1 = min(K, k0 + per);
    global float *p = P + (size_t)n * K;
    const int left = (int)N - (int)n;
    if (transposed) {
        pack_transposed(p, B + n * ldb, ldb, left, k0, k1);
        pack_transposed(p + VW, B + (n + VW) * ldb, ldb, left - VW, k0, k1);
        return;
    }
    for (uint k = k0; k < k1; k++) {
        global const float *b = B + k * ldb + n;
        store_whole(load_part(b, left), p + (size_t)k * PANEL);
        store_whole(load_part(b + VW, left - VW), p + (size_t)k * PANEL + VW);
    }
}

/* Grid (ceil(M / (MR tiles)), panels, splits): split s sums k in [s k_per, (s + 1) k_per) into
 * C + c_at + s c_split. `tiles` tiles of MR rows a work-item. */
kernel ONE_ITEM void gemm_tiles(global float *C, global const float *A, global const float *B,
                           global const float *bias, const float alpha, const float beta,
                           const int use_bias, const int use_relu, const uint M, const uint N,
                           const uint K, const ulong a_row, const ulong a_k, const ulong b_panel,
                           const ulong b_k, const ulong c_at, const ulong ldc, const ulong c_split,
                           const uint k_per, const uint tiles)
{
    const uint n0 = get_group_id(1) * PANEL, k0 = get_group_id(2) * k_per;
    const uint steps = min(K - k0, k_per);
    for (uint t = 0; t < tiles; t++) {
        const uint m0 = (get_group_id(0) * tiles + t) * MR;
        if (m0 >= M)
            return;
        size_t off[MR];
        vfloat a[MR], b[MR];
        #pragma unroll
        for (uint i = 0; i < MR; i++) {
            off[i] = min(m0 + i, M - 1) * (size_t)a_row;
            a[i] = b[i] = 0;
        }
        global const float *ap = A + k0 * a_k, *bp = B + get_group_id(1) * b_panel + k0 * b_k;
        for (uint k = 0; k < steps; k++, ap += a_k, bp += b_k) {
            vfloat b0 = load_whole(bp), b1 = load_whole(bp + VW);
            #pragma unroll
            for (uint i = 0; i < MR; i++) {
                vfloat v = ap[off[i]];
                a[i] = fma(v, b0, a[i]);
                b[i] = fma(v, b1, b[i]);
            }
        }
        for (uint i = 0; i < MR && m0 + i < M; i++) {
            global float *c = C + c_at + get_group_id(2) * c_split + (m0 + i) * ldc + n0;
            finish_row(c, bias + n0, a[i], alpha, beta, use_bias, use_relu, (int)N - (int)n0, 0);
            if (n0 + VW < N)
                finish_row(c + VW, bias + n0 + VW, b[i], alpha, beta, use_bias, use_relu,
                           (int)N - (int)n0 - VW, 0);
        }
    }
}

/* C from part + part_at: [splits][M][N], summed in order. Grid: rows.clh. */
kernel void gemm_sum(global float *C, global const float *part, global const float *bias,
                     const ulong part_at, const float alpha, const float beta, const int use_bias, const int use_relu,
                     const uint splits, const uint per, const uint M, const uint N, const ulong ldc)
{
    CTR_ROW_LOOP(m, M, per)
    CTR_LANE_LOOP(n, N)
    {
        vfloat sum = 0;
        for (uint s = 0; s < splits; s++)
            sum += load_part(part + part_at + ((size_t)s * M + m) * N + n, (int)(N - n));
        finish_row(C + m * ldc + n, bias + n, sum, alpha, beta, use_bias, use_relu, (int)(N - n),
                   0);
    }
}
