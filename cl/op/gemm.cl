/* gemm.cl -- C[M,N] = alpha op(A)[M,K] op(B)[K,N] + beta C (+ bias[N]) (then max(., 0)), for CPUs.
 * One work-item computes register tiles of MR rows x 2 VW columns; local size 1. A is read in place
 * with strides a_row and a_k (so a transpose costs nothing), B in panels of 2 VW columns: in place
 * where its rows are contiguous and N a multiple of the panel, else packed (zeros behind N): by a launch
 * before or, with OWN=1, by each work-item for itself, to local memory. */
#include "lib/prelude.clh"
#include "lib/rows.clh"
#include "lib/gemm.clh"
#include "lib/transpose.clh"

#ifndef OWN
#define OWN 0
#endif
#if OWN
#define P_SPACE           local
#define load_panel(p)     load_local(p)
#define store_panel(v, p) store_local(v, p)
#else
#define P_SPACE           global
#define load_panel(p)     load_whole(p)
#define store_panel(v, p) store_whole(v, p)
#endif

/* VW columns of a panel (N of them exist) for K rows of a B stored [N, K], b_n apart. Whole tiles are
 * read a line at a time: rows a power of two apart share few places in a cache. */
ALWAYS_INLINE void pack_transposed(P_SPACE float *p, global const float *b, size_t b_n, int N, uint K)
{
    uint k = 0;
    for (; N >= VW && k + VW <= K; k += VW) {
        vfloat r[VW];
        #pragma unroll
        for (uint j = 0; j < VW; j++)
            r[j] = load_whole(b + j * b_n + k);
        transpose(r);
        #pragma unroll
        for (uint j = 0; j < VW; j++)
            store_panel(r[j], p + (size_t)(k + j) * PANEL);
    }
    for (; k < K; k++)
        for (int j = 0; j < VW; j++)
            p[(size_t)k * PANEL + j] = j < N ? b[j * b_n + k] : 0;
}

/* p[K][PANEL] from K rows of B[K,N], or columns of B[N,K] when `transposed`, rows ldb apart; N columns
 * of the panel exist. */
ALWAYS_INLINE void pack(P_SPACE float *p, global const float *b, size_t ldb, int transposed, int N,
                        uint K)
{
    if (transposed) {
        pack_transposed(p, b, ldb, N, K);
        pack_transposed(p + VW, b + VW * ldb, ldb, N - VW, K);
        return;
    }
    for (uint k = 0; k < K; k++, b += ldb, p += PANEL) {
        store_panel(load_part(b, N), p);
        store_panel(load_part(b + VW, N - VW), p + VW);
    }
}

#if !OWN
/* P[panel][K][PANEL] from B[K,N], or from B[N,K] when `transposed`; its rows are ldb apart.
 * Grid (panels, ceil(K / per)). */
kernel ONE_ITEM void gemm_pack(global float *P, global const float *B, const ulong ldb,
                          const int transposed, const uint N, const uint K, const uint per)
{
    const uint n = get_group_id(0) * PANEL, k = get_group_id(1) * per;
    pack(P + (size_t)n * K + (size_t)k * PANEL, B + (transposed ? n * ldb + k : k * ldb + n), ldb,
         transposed, (int)N - (int)n, min(K - k, per));
}
#endif

/* p[REG_ROWS], q[REG_ROWS] += rows of A, `off` from a, times the panel at b, over a depth of `steps`; a_k and
 * b_k: from one to the next. */
ALWAYS_INLINE void multiply(vfloat *p, vfloat *q, global const float *a, const size_t *off, ulong a_k,
                            P_SPACE const float *b, ulong b_k, uint steps)
{
    for (uint k = 0; k < steps; k++, a += a_k, b += b_k) {
        vfloat b0 = load_panel(b), b1 = load_panel(b + VW);
        #pragma unroll
        for (uint i = 0; i < REG_ROWS; i++) {
            vfloat v = a[off[i]];
            p[i] = fma(v, b0, p[i]);
            q[i] = fma(v, b1, q[i]);
        }
    }
}

/* Grid (ceil(M / (MR tiles)), panels, splits): split s sums k in [s k_per, (s + 1) k_per) into
 * C + c_at + s c_split. `tiles` tiles of MR rows a work-item. own[k_per][PANEL]: with OWN=1, when b_k is
 * the distance of rows in B and b_panel that of its panels. */
kernel ONE_ITEM void gemm_tiles(global float *C, global const float *A, global const float *B,
                           global const float *bias, local float *own, const int transposed,
                           const float alpha, const float beta, const int use_bias,
                           const int use_relu, const uint M, const uint N, const uint K,
                           const ulong a_row, const ulong a_k, const ulong b_panel, const ulong b_k,
                           const ulong c_at, const ulong ldc, const ulong c_split, const uint k_per,
                           const uint tiles)
{
    const uint n0 = get_group_id(1) * PANEL, k0 = get_group_id(2) * k_per;
    const uint steps = min(K - k0, k_per);
    const ulong row = OWN ? PANEL : b_k; /* of a panel */
#if OWN
    pack(own, B + get_group_id(1) * b_panel + (transposed ? k0 : k0 * b_k), b_k, transposed,
         (int)N - (int)n0, steps);
#endif
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
        global const float *ap = A + k0 * a_k;
#if OWN
        local const float *bp = own;
#else
        global const float *bp = B + get_group_id(1) * b_panel + k0 * b_k;
#endif
        const uint deep = DEPTH_OF_ROWS(steps);
        for (uint k = 0; k < steps; k += deep, ap += deep * a_k, bp += deep * row)
            for (uint r = 0; r < MR; r += REG_ROWS)
                multiply(a + r, b + r, ap, off + r, a_k, bp, row, min(steps - k, deep));
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
