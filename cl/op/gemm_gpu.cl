/* gemm_gpu.cl -- C = alpha op(A)[M,K] op(B)[K,N] (+ bias[N]) (then max(., 0)) on GPUs, in
 * tiles of cl/lib/tile.clh. The host defines the tile, TA, TB: whether A is stored [K,M], B
 * [N,K]; EVEN: all rows in memory, of C too, begin and end at multiples of four values. */
#undef ACT /* operands are fp32, however activations of the node are stored */
#define ACT 0
#include "lib/prelude.clh"
#include "lib/tile.clh"

#ifndef TA
#define TA 0
#endif
#ifndef TB
#define TB 0
#endif
#ifndef EVEN
#define EVEN 0
#endif
#if MMA
/* Chunk c of row `row` of a piece of an operand from row0 and depth k on. EVEN is 1. */
ALWAYS_INLINE void chunk_of(struct chunk *to, global const float *p, ulong ld, int row0, int rows,
                            int k, int end, int row, int c, int along_k)
{
    const int r = row0 + (along_k ? row : c * CHUNK), d = k + (along_k ? c * CHUNK : row);
    to->from = p + (along_k ? r * ld + d : d * ld + r);
    to->there = r < rows && d < end;
}
#else
#if TA
#define PUT_A PUT_A_ROWS
#else
#define PUT_A PUT_A_K
#endif
#if TB
#define PUT_B PUT_B_K
#else
#define PUT_B PUT_B_ROWS
#endif

/* Quad of an operand whose rows of the tile lie ld apart, each along the depth. */
ALWAYS_INLINE float4 quad_along_k(global const float *p, ulong ld, int row, int rows, int k, int end)
{
    return row < rows ? load_run(p + row * ld + k, EVEN, end - k) : (float4)(0);
}

/* The same of an operand stored the other way round: neighbours are rows. */
ALWAYS_INLINE float4 quad_along_rows(global const float *p, ulong ld, int row, int rows, int k,
                                     int end)
{
    return k < end ? load_run(p + k * ld + row, EVEN, rows - row) : (float4)(0);
}
#endif

/* Groups (blocks of BN columns, fastest, times blocks of BM rows; product of a batch; split): split
 * s sums the depth [s per, (s + 1) per), a multiple of 16, into C + c_at + s c_split; its bias and
 * alpha must be none and 1 when there are several. Matrices of a batch lie a_next, b_next, c_next
 * values apart. */
kernel TILE_GROUP void gemm_gpu(global float *C, global const float *A, global const float *B,
                                global const float *bias, float alpha, int use_bias, float low,
                                int M, int N, int K, ulong lda, ulong ldb, ulong ldc, ulong a_next,
                                ulong b_next, ulong c_next, ulong c_at, ulong c_split, int per)
{
    TILE_LOCALS;
    const int wide = (N + BN - 1) / BN;
    const int m0 = get_group_id(0) / wide * BM, n0 = get_group_id(0) % wide * BN;
    const int first = get_group_id(2) * per, end = min(K, first + per);
    float r[TM * TN];
    A += get_group_id(1) * a_next;
    B += get_group_id(1) * b_next;
    C += c_at + get_group_id(1) * c_next + get_group_id(2) * c_split;
#if MMA
#define A_LAYOUT (TA ? ALONG_ROWS : ALONG_K)
#define B_LAYOUT (TB ? ALONG_K : ALONG_ROWS)
    int k = first; /* of the next piece to be copied */
#define A_CHUNK(to, i)                                                                             \
    chunk_of(to, A, lda, m0, M, k, end, COPY_ROW(i, A_WIDE(A_LAYOUT)),                             \
             COPY_CHUNK(A_WIDE(A_LAYOUT)), !TA)
#define B_CHUNK(to, i)                                                                             \
    chunk_of(to, B, ldb, n0, N, k, end, COPY_ROW(i, B_WIDE(B_LAYOUT)),                             \
             COPY_CHUNK(B_WIDE(B_LAYOUT)), TB)
#define NEXT_PIECE() k += DEEP
    TILE_PRODUCT(r, (end - first + DEEP - 1) / DEEP, A_LAYOUT, A_CHUNK, B_LAYOUT, B_CHUNK,
                 NEXT_PIECE)
#else
    const int lid = get_local_id(0);
#if TA
#define LOAD_A(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < A_QUADS; i++) qa[i] =                                    \
        quad_along_rows(A, lda, m0 + ACROSS_ROW(lid, BM), M, (k) + ACROSS_K(lid, BM, i), end)
#else
#define LOAD_A(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < A_QUADS; i++) qa[i] =                                    \
        quad_along_k(A, lda, m0 + QUAD_ROW(lid, i), M, (k) + QUAD_K(lid), end)
#endif
#if TB
#define LOAD_B(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < B_QUADS; i++) qb[i] =                                    \
        quad_along_k(B, ldb, n0 + QUAD_ROW(lid, i), N, (k) + QUAD_K(lid), end)
#else
#define LOAD_B(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < B_QUADS; i++) qb[i] =                                    \
        quad_along_rows(B, ldb, n0 + ACROSS_ROW(lid, BN), N, (k) + ACROSS_K(lid, BN, i), end)
#endif
    TILE_PRODUCT(r, first, end, LOAD_A, PUT_A, LOAD_B, PUT_B)
#endif
#pragma unroll
    for (int i = 0; i < TM * TN; i++)
        r[i] *= alpha;
    add_bias(r, use_bias ? bias : 0, low, n0, N);
#pragma unroll
    for (int i = 0; i < TM; i++) {
        const int m = m0 + TILE_ROW(i);
#pragma unroll
        for (int j = 0; j < TN; j += TILE_RUN) {
            const int n = n0 + TILE_COL(j);
            store_run(C + m * ldc + n, r + i * TN + j, EVEN, m < M ? N - n : 0);
        }
    }
}

/* C[M,N] = alpha (sum over s of part[s][M][N], in this order) (+ bias) (then max(., 0)). */
kernel void gemm_gpu_sum(global float *C, global const float *part, global const float *bias,
                         float alpha, int use_bias, float low, int S, int M, int N, ulong ldc)
{
    const ulong i = get_global_id(0), count = (ulong)M * N;
    const int m = i / N, n = i - (ulong)m * N;
    float sum = 0;
    if (i >= count)
        return;
    for (int s = 0; s < S; s++)
        sum += part[s * count + i];
    sum = sum * alpha + (use_bias ? bias[n] : 0);
    C[m * ldc + n] = sum < low ? low : sum;
}
