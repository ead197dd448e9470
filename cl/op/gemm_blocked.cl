/* gemm_blocked.cl -- C[M,N] = alpha op(A)[M,K] B[K,N] + beta C (+ bias[N]) (then max(., 0)), for CPUs
 * and matrices larger than their L2 cache. One work-item computes a block of C in register tiles of
 * MR rows x 2 VW columns; local size 1. It copies its part of A, a depth of `kc` at a time, to local
 * memory and asks early for the next: what lies beyond the L2 cache is then there in time, and rows a
 * power of two apart do not share few places in the L1 cache. B is read in panels of 2 VW columns,
 * packed before (gemm_pack). TRANS_A=1: A is stored [K, M], and B is copied like A, not packed.
 * STRIDED: the rows of a matrix (1 A, 2 B, 3 C) are those pixels of images [H, W] whose row and column
 * are multiples of `stride`, [P, Q] of them; of C, the other pixels become zero. */
#include "lib/prelude.clh"
#include "lib/rows.clh"
#include "lib/gemm.clh"
#include "lib/lanes.clh"

#ifndef TRANS_A
#define TRANS_A 0
#endif
#ifndef STRIDED
#define STRIDED 0
#endif

/* Image size, number of pixels that count, their distance. */
struct pixels {
    uint H, W, P, Q, stride;
};

ALWAYS_INLINE size_t strided_row(uint m, struct pixels x)
{
    const uint n = m / (x.P * x.Q), p = m / x.Q % x.P, q = m % x.Q;
    return ((size_t)n * x.H + p * x.stride) * x.W + q * x.stride;
}

/* Where row m of a matrix lies. */
ALWAYS_INLINE size_t row_of(int matrix, uint m, struct pixels x)
{
    return STRIDED == matrix ? strided_row(m, x) : m;
}

/* Asks for n floats at p to be brought to the L2 cache. */
ALWAYS_INLINE void fetch(global const float *p, uint n)
{
    for (uint i = 0; i < n; i += 16)
        prefetch_line(p + i);
}

/* a[kc / VW][rows][VW] or, when A is transposed, a[kc][rows] (rows a multiple of MR): A from row m0
 * and depth k0 on, rows behind the last one being any, values behind it zero. */
ALWAYS_INLINE void copy_a(local float *a, global const float *A, ulong lda, uint m0, uint rows,
                          uint k0, uint kc, uint M, uint K, struct pixels x)
{
#if TRANS_A
    for (uint k = 0; k < kc; k++)
        for (uint m = 0; m < rows; m += VW)
            store_local(load_part(A + (k0 + k) * lda + m0 + m, (int)(M - m0) - (int)m),
                        a + k * rows + m);
#else
    for (uint m = 0; m < rows; m++) {
        global const float *row = A + row_of(1, min(m0 + m, M - 1), x) * lda + k0;
        for (uint k = 0; k < kc; k += VW)
            store_local(load_part(row + k, (int)(K - k0 - k)), a + k * rows + m * VW);
    }
#endif
}

/* b[cols / PANEL][kc][PANEL]: B from depth k0 and column n0 on, zeros behind N. */
ALWAYS_INLINE void copy_b(local float *b, global const float *B, ulong ldb, uint k0, uint kc, uint n0,
                          uint cols, uint N, struct pixels x)
{
    for (uint k = 0; k < kc; k++) {
        global const float *row = B + row_of(2, k0 + k, x) * ldb + n0;
        for (uint n = 0; n < cols; n += VW)
            store_local(load_part(row + n, (int)N - (int)(n0 + n)),
                        b + (n / PANEL * kc + k) * PANEL + n % PANEL);
    }
}

#if TRANS_A
#define B_SPACE   local
#define load_b(p) load_local(p)
#else
#define B_SPACE   global
#define load_b(p) load_whole(p)
#endif

/* p[REG_ROWS], q[REG_ROWS] += the products at one depth: rows of `a` times a row of a panel. */
ALWAYS_INLINE void multiply_once(vfloat *p, vfloat *q, local const float *a, B_SPACE const float *b)
{
    vfloat b0 = load_b(b), b1 = load_b(b + VW);
    #pragma unroll
    for (uint i = 0; i < REG_ROWS; i++) {
        vfloat v = a[i * (TRANS_A ? 1 : VW)];
        p[i] = fma(v, b0, p[i]);
        q[i] = fma(v, b1, q[i]);
    }
}

/* Depths between the steps of a loop, and the way from one of them to the next in `a`. */
#if TRANS_A
#define DEPTHS  4
#define a_of(j) ((j) * rows)
#else
#define DEPTHS  VW
#define a_of(j) (j)
#endif

/* The same over a depth of kc, the sums in registers meanwhile. */
ALWAYS_INLINE void multiply_rows(vfloat *p, vfloat *q, local const float *a, B_SPACE const float *b,
                                 uint rows, uint kc)
{
    vfloat s[REG_ROWS], t[REG_ROWS];
    #pragma unroll
    for (uint i = 0; i < REG_ROWS; i++) {
        s[i] = p[i];
        t[i] = q[i];
    }
    for (uint k = 0; k + DEPTHS <= kc; k += DEPTHS, a += DEPTHS * rows, b += DEPTHS * PANEL) {
        #pragma unroll 4
        for (uint j = 0; j < DEPTHS; j++)
            multiply_once(s, t, a + a_of(j), b + j * PANEL);
    }
    for (uint j = 0; j < kc % DEPTHS; j++)
        multiply_once(s, t, a + a_of(j), b + j * PANEL);
    #pragma unroll
    for (uint i = 0; i < REG_ROWS; i++) {
        p[i] = s[i];
        q[i] = t[i];
    }
}

/* p[MR], q[MR] += a tile's rows of `a` times a panel, over a depth of kc. */
ALWAYS_INLINE void multiply(vfloat *p, vfloat *q, local const float *a, B_SPACE const float *b,
                            uint rows, uint kc)
{
    const uint deep = DEPTH_OF_ROWS(kc);
    for (uint k = 0; k < kc; k += deep, a += deep * rows, b += deep * PANEL)
        for (uint r = 0; r < MR; r += REG_ROWS)
            multiply_rows(p + r, q + r, a + r * (TRANS_A ? 1 : VW), b, rows, min(kc - k, deep));
}

/* The pixels right of and below one of C that counts, up to the next: n columns of zeros. */
ALWAYS_INLINE void clear_others(global float *c, ulong ldc, uint m, struct pixels x, int n, int stream)
{
    const uint h = m / x.Q % x.P * x.stride, w = m % x.Q * x.stride;
    for (uint i = 0; i < x.stride && h + i < x.H; i++)
        for (uint j = i == 0; j < x.stride && w + j < x.W; j++) {
            global float *to = c + ((size_t)i * x.W + j) * ldc;
            stream_act_part(to, 0, n, stream);
            if (n > VW)
                stream_act_part(to + VW, 0, n - VW, stream);
        }
}

/* Asks for line `i` of the part of A (and B) that is copied next. */
ALWAYS_INLINE void fetch_next(global const float *A, global const float *B, ulong lda, ulong ldb,
                              uint i, uint m0, uint rows, uint n0, uint wide, uint k0, uint kc, uint M,
                              uint K, struct pixels x)
{
#if TRANS_A
    const uint k = min(k0 + i, K - 1);
    fetch(A + k * lda + m0, min(rows, M - m0));
    fetch(B + row_of(2, k, x) * ldb + n0, wide);
#else
    fetch(A + row_of(1, min(m0 + i, M - 1), x) * lda + k0, min(kc, K - k0));
#endif
}

/* Grid (blocks of `rows`, blocks of `cols`, splits), both multiples of a tile's: split s sums k in
 * [s k_per, (s + 1) k_per) into C + c_at + s c_split. acc[cols / PANEL][rows][PANEL] holds the sums
 * between depths. `stream`: N and ldc are multiples of VW, C is aligned like a vector. */
kernel ONE_ITEM void gemm_blocked(global float *C, global const float *A, global const float *B,
                             global const float *bias, local float *a, local float *b,
                             local float *acc, const float alpha, const float beta,
                             const int use_bias, const int use_relu, const int stream, const uint M,
                             const uint N, const uint K, const ulong lda, const ulong ldb,
                             const ulong c_at, const ulong ldc, const ulong c_split,
                             const uint k_per, const uint kc_most, const uint rows, const uint cols,
                             const uint H, const uint W, const uint P, const uint Q,
                             const uint stride)
{
    const struct pixels x = {H, W, P, Q, stride};
    const uint m0 = get_group_id(0) * rows, n0 = get_group_id(1) * cols;
    const uint k_first = get_group_id(2) * k_per, k_end = min(K, k_first + k_per);
    const uint high = min(rows, M - m0), wide = min(cols, N - n0);
    const uint tiles = (high + MR - 1) / MR * ((wide + PANEL - 1) / PANEL);
    for (uint k0 = k_first; k0 < k_end; k0 += kc_most) {
        const uint kc = min(kc_most, k_end - k0);
        copy_a(a, A, lda, m0, rows, k0, kc, M, K, x);
#if TRANS_A
        copy_b(b, B, ldb, k0, kc, n0, (wide + PANEL - 1) / PANEL * PANEL, N, x);
#endif
        /* the next depth of this block, or the next block's first: so many lines with each tile */
        const uint last = k0 + kc >= k_end, next_k = last ? k_first : k0 + kc;
        const uint next_m = min(last ? m0 + rows : m0, M - 1), lines = TRANS_A ? kc : rows;
        const uint share = (lines + tiles - 1) / tiles;
        uint line = 0;
        for (uint n = 0; n < wide; n += PANEL)
            for (uint m = 0; m < high; m += MR) {
                local float *sum = acc + (n / PANEL * rows + m) * PANEL;
                vfloat p[MR], q[MR];
                for (uint stop = min(lines, line + share); line < stop; line++)
                    fetch_next(A, B, lda, ldb, line, next_m, rows, n0, wide, next_k, kc, M, K, x);
                #pragma unroll
                for (uint i = 0; i < MR; i++) {
                    p[i] = k0 == k_first ? 0 : load_local(sum + i * PANEL);
                    q[i] = k0 == k_first ? 0 : load_local(sum + i * PANEL + VW);
                }
#if TRANS_A
                multiply(p, q, a + m, b + n * kc, rows, kc);
#else
                multiply(p, q, a + m * VW, B + (n0 + n) * (size_t)K + k0 * PANEL, rows, kc);
#endif
                if (!last) {
                    #pragma unroll
                    for (uint i = 0; i < MR; i++) {
                        store_local(p[i], sum + i * PANEL);
                        store_local(q[i], sum + i * PANEL + VW);
                    }
                    continue;
                }
                const int left = (int)(wide - n);
                for (uint i = 0; i < MR && m + i < high; i++) {
                    const uint row = m0 + m + i;
                    global float *c = C + c_at + get_group_id(2) * c_split +
                                      row_of(3, row, x) * ldc + n0 + n;
                    finish_row(c, bias + n0 + n, p[i], alpha, beta, use_bias, use_relu, left, stream);
                    if (left > VW)
                        finish_row(c + VW, bias + n0 + n + VW, q[i], alpha, beta, use_bias,
                                   use_relu, left - VW, stream);
#if STRIDED == 3
                    clear_others(c, ldc, row, x, left, stream);
#endif
                }
            }
    }
}
