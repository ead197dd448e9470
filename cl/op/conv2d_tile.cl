/* conv2d_tile.cl -- convolution, any shape, as a product of matrices that are never written down:
 * tiles of cl/lib/tile.clh, whose left operand is gathered from the image.
 *
 * Activations NHWC; weights packed by conv2d_pack (cl/op/conv2d.cl): P[O/32][tap][C][32], which is
 * a right operand of depth tap * C + c. The host defines the tile, STRIDE, DGRAD=1 for the data
 * gradient (`in` is dy, the weights are transposed), EVEN_C, EVEN_O: whether C, OC are multiples of
 * 4, so that four neighbours share a tap and are aligned. */
#undef MMA
#define MMA 0
#include "lib/prelude.clh"
#include "lib/tile.clh"
#include "lib/conv_tile.clh"

#ifndef EVEN_C
#define EVEN_C 0
#endif

/* in at depth k of the pixel whose filter begins at (row, col); 0 outside. */
ALWAYS_INLINE float one_input(global const act_t *image, const struct place *at, int H, int W, int C,
                              const struct phase *f, int k)
{
    const int tap = k / C, y = at->row + f->down + tap / f->nx * TURN;
    const int x = at->col + f->right + tap % f->nx * TURN;
    return tap < f->ny * f->nx && (uint)y < (uint)H && (uint)x < (uint)W
               ? get_act(image + (y * W + x) * C + k - tap * C)
               : 0;
}

ALWAYS_INLINE float4 four_inputs(global const act_t *image, const struct place *at, int H, int W,
                                 int C, const struct phase *f, int k)
{
#if EVEN_C
    const int tap = k / C, y = at->row + f->down + tap / f->nx * TURN;
    const int x = at->col + f->right + tap % f->nx * TURN;
    return tap < f->ny * f->nx && (uint)y < (uint)H && (uint)x < (uint)W
               ? ACT_QUAD_AT(image + (y * W + x) * C + k - tap * C)
               : (float4)(0);
#else
    return (float4)(one_input(image, at, H, W, C, f, k), one_input(image, at, H, W, C, f, k + 1),
                    one_input(image, at, H, W, C, f, k + 2),
                    one_input(image, at, H, W, C, f, k + 3));
#endif
}

/* Depth k of this phase, counted in the packed weights, which hold all taps. */
ALWAYS_INLINE int packed_depth(const struct phase *f, int C, int KW, int k)
{
    if (STEP == 1)
        return k;
    int tap = k / C;
    return ((f->ky0 + tap / f->nx * STEP) * KW + f->kx0 + tap % f->nx * STEP) * C + k - tap * C;
}

/* out[N,OH,OW,OC] from in[N,H,W,C]: rows are the pixels of a phase, columns the out channels, the
 * depth is (tap, in channel). Groups (blocks of BN out channels, fastest, times blocks of BM
 * pixels; 1; phase): the first dimension alone may have more than 65,535 groups. */
kernel TILE_GROUP void conv2d_tile(global out_t *out, global const act_t *in, global const float *P,
                                   global const float *bias, int use_bias, float low, int N, int H,
                                   int W, int C, int OH, int OW, int OC, int KH, int KW, int pad)
{
    TILE_LOCALS;
    struct phase f;
    phase_here(&f, OH, OW, KH, KW, pad);
    const int lid = get_local_id(0), wide = (OC + BN - 1) / BN;
    const int m0 = get_group_id(0) / wide * BM, o0 = get_group_id(0) % wide * BN;
    const int K = f.ny * f.nx * C, deep = KH * KW * C;
    global const act_t *image[A_QUADS];
    struct place at[A_QUADS];
    float r[TM * TN];
    if (m0 >= N * f.PH * f.PW) /* the whole group */
        return;
#pragma unroll
    for (int i = 0; i < A_QUADS; i++) { /* the pixels whose inputs this work-item fetches */
        place_of(&at[i], &f, m0 + QUAD_ROW(lid, i), N, H, KH, pad);
        image[i] = in + (size_t)at[i].n * H * W * C;
    }
#define LOAD_A(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < A_QUADS; i++) qa[i] =                                    \
        four_inputs(image[i], &at[i], H, W, C, &f, (k) + QUAD_K(lid))
#define LOAD_B(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < B_QUADS; i++)                                            \
    {                                                                                              \
        const int kb = (k) + ACROSS_K(lid, BN, i), o = o0 + ACROSS_ROW(lid, BN);                   \
        const size_t from = ((size_t)(o / 32) * deep + packed_depth(&f, C, KW, kb)) * 32 + o % 32; \
        qb[i] = kb < K && o < OC ? FLOAT_QUAD_AT(P + from) : (float4)(0);                          \
    }
    TILE_PRODUCT(r, 0, K, LOAD_A, PUT_A_K, LOAD_B, PUT_B_ROWS)
    add_bias(r, use_bias ? bias : 0, low, o0, OC);
    store_pixels(out, r, &f, m0, o0, N, OH, OW, OC);
}

/* part[S][KH*KW*C][O]: rows are (tap, in channel), columns the out channels, the depth is the
 * pixels [split * per, (split + 1) * per). Groups (blocks of BN out channels, fastest, times blocks
 * of BM rows; 1; split). */
kernel TILE_GROUP void conv2d_tile_bwd_dw(global float *part, global const act_t *x,
                                          global const act_t *dy, int N, int H, int W, int C,
                                          int OH, int OW, int OC, int KH, int KW, int pad, int per)
{
    TILE_LOCALS;
    const int lid = get_local_id(0), K = KH * KW * C, split = get_group_id(2);
    const int wide = (OC + BN - 1) / BN, o0 = get_group_id(0) % wide * BN;
    const int m0 = get_group_id(0) / wide * BM, q1 = min(N * OH * OW, (split + 1) * per);
    const int m = m0 + ACROSS_ROW(lid, BM), o = o0 + ACROSS_ROW(lid, BN);
    int top[4], left[4], c[4]; /* tap and channel of the rows that this work-item fetches */
    float r[TM * TN];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        int tap = (m + j) / C;
        top[j] = m + j < K ? tap / KW - pad : H * STRIDE; /* below the image */
        left[j] = tap % KW - pad;
        c[j] = m + j - tap * C;
    }
#define ONE_X(j)                                                                                   \
    ((uint)(iy + top[j]) < (uint)H && (uint)(ix + left[j]) < (uint)W                               \
         ? get_act(image + ((iy + top[j]) * W + ix + left[j]) * C + c[j])                          \
         : 0)
#if EVEN_C
#define FOUR_X                                                                                     \
    ((uint)(iy + top[0]) < (uint)H && (uint)(ix + left[0]) < (uint)W                               \
         ? ACT_QUAD_AT(image + ((iy + top[0]) * W + ix + left[0]) * C + c[0])                      \
         : (float4)(0))
#else
#define FOUR_X ((float4)(ONE_X(0), ONE_X(1), ONE_X(2), ONE_X(3)))
#endif
#define LOAD_X(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < A_QUADS; i++)                                            \
    {                                                                                              \
        int q = (k) + ACROSS_K(lid, BM, i), n = q / (OH * OW), p = q - n * OH * OW;                \
        int iy = p / OW * STRIDE, ix = p % OW * STRIDE;                                            \
        global const act_t *image = x + (size_t)n * H * W * C;                                     \
        qa[i] = q < q1 ? FOUR_X : (float4)(0);                                                     \
    }
#define LOAD_DY(k)                                                                                 \
    _Pragma("unroll") for (int i = 0; i < B_QUADS; i++)                                            \
    {                                                                                              \
        int q = (k) + ACROSS_K(lid, BN, i);                                                        \
        qb[i] = q < q1 ? load_run(dy + (size_t)q * OC + o, EVEN_O, OC - o) : (float4)(0);          \
    }
    TILE_PRODUCT(r, split * per, q1, LOAD_X, PUT_A_ROWS, LOAD_DY, PUT_B_ROWS)
    store_weights(part + (size_t)split * K * OC, r, m0, o0, K, OC);
}
