/* conv2d_tile.cl -- convolution, any shape, as a product of matrices that are never written down: tiles of
 * cl/lib/tile.clh, whose left operand is gathered from the image.
 *
 * Activations NHWC; weights packed by conv2d_pack (cl/op/conv2d.cl): P[O/32][tap][C][32], which is a
 * right operand of depth tap * C + c. The host defines the tile, STRIDE, DGRAD=1 for the data gradient
 * (`in` is dy, the weights are transposed), EVEN_C, EVEN_O: whether C, OC are multiples of 4, so that
 * four neighbours share a tap and are aligned. */
#include "lib/prelude.clh"
#include "lib/tile.clh"

#ifndef STRIDE
#define STRIDE 1
#endif
#ifndef DGRAD
#define DGRAD 0
#endif
#ifndef EVEN_C
#define EVEN_C 0
#endif
#ifndef EVEN_O
#define EVEN_O 0
#endif
#define STEP (DGRAD ? STRIDE : 1) /* between the taps of a phase, and its pixels */

/* The taps of a phase: ny x nx of them from (ky0, kx0), STEP apart; the first one moves by (down,
 * right), and each further one by `turn`. */
struct taps {
    int ky0, kx0, nx, down, right;
};

/* in at depth k of the pixel whose filter begins at (row, col); 0 outside. */
TILE_INLINE value_t one_input(global const act_t *image, int row, int col, int H, int W, int C, int K,
                       const struct taps *t, int k)
{
    int tap = k / C, y = row + t->down, x = col + t->right;
    y += DGRAD ? -(tap / t->nx) : tap / t->nx;
    x += DGRAD ? -(tap % t->nx) : tap % t->nx;
    return k < K && (uint)y < (uint)H && (uint)x < (uint)W
               ? get_value(image + (y * W + x) * C + k - tap * C)
               : 0;
}

TILE_INLINE quad_t four_inputs(global const act_t *image, int row, int col, int H, int W, int C, int K,
                          const struct taps *t, int k)
{
#if EVEN_C
    int tap = k / C, y = row + t->down, x = col + t->right;
    y += DGRAD ? -(tap / t->nx) : tap / t->nx;
    x += DGRAD ? -(tap % t->nx) : tap % t->nx;
    return k < K && (uint)y < (uint)H && (uint)x < (uint)W
               ? ACT_QUAD_AT(image + (y * W + x) * C + k - tap * C)
               : (quad_t)(0);
#else
    return (quad_t)(one_input(image, row, col, H, W, C, K, t, k),
                    one_input(image, row, col, H, W, C, K, t, k + 1),
                    one_input(image, row, col, H, W, C, K, t, k + 2),
                    one_input(image, row, col, H, W, C, K, t, k + 3));
#endif
}

/* Depth k of this phase, counted in the packed weights, which hold all taps. */
TILE_INLINE int packed_depth(const struct taps *t, int C, int KW, int k)
{
    if (STEP == 1)
        return k;
    int tap = k / C;
    return ((t->ky0 + tap / t->nx * STEP) * KW + t->kx0 + tap % t->nx * STEP) * C + k - tap * C;
}

/* out[N,OH,OW,OC] from in[N,H,W,C]: rows are the pixels of a phase (they share their taps), columns
 * the out channels, the depth is (tap, in channel). Groups (blocks of BN out channels, fastest, times
 * blocks of BM pixels; 1; phase): the first dimension alone may have more than 65,535 groups. */
kernel TILE_GROUP void conv2d_tile(global out_t *out, global const act_t *in, global const packed_t *P,
                                  global const float *bias, int use_bias, float low, int N, int H,
                                  int W, int C, int OH, int OW, int OC, int KH, int KW, int pad)
{
    TILE_LOCALS;
    const int lid = get_local_id(0), py = get_group_id(2) / STEP, px = get_group_id(2) % STEP;
    const int wide = (OC + BN - 1) / BN, o0 = get_group_id(0) % wide * BN;
    const int PH = (OH - py + STEP - 1) / STEP, PW = (OW - px + STEP - 1) / STEP;
    const int total = N * PH * PW, m0 = get_group_id(0) / wide * BM;
    struct taps t = {DGRAD ? (py + pad) % STRIDE : 0, DGRAD ? (px + pad) % STRIDE : 0, 0, 0, 0};
    const int ny = max(0, (KH - t.ky0 + STEP - 1) / STEP);
    const int nx = max(0, (KW - t.kx0 + STEP - 1) / STEP);
    t.nx = max(1, nx);
    t.down = DGRAD ? (py + pad - t.ky0) / STRIDE : 0;
    t.right = DGRAD ? (px + pad - t.kx0) / STRIDE : 0;
    const int K = ny * nx * C, deep = KH * KW * C;
    global const act_t *image[A_QUADS];
    int row[A_QUADS], col[A_QUADS];
    float r[TM * TN];
    if (m0 >= total) /* the whole group */
        return;
#pragma unroll
    for (int i = 0; i < A_QUADS; i++) { /* the pixels whose inputs this work-item fetches */
        int q = m0 + QUAD_ROW(lid, i), n = min(q, total - 1) / (PH * PW), p = q - n * PH * PW;
        image[i] = in + (size_t)n * H * W * C;
        row[i] = q < total ? (DGRAD ? p / PW : p / PW * STRIDE - pad) : H + KH; /* outside */
        col[i] = DGRAD ? p % PW : p % PW * STRIDE - pad;
    }
#define LOAD_A(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < A_QUADS; i++) qa[i] = four_inputs(                       \
        image[i], row[i], col[i], H, W, C, K, &t, (k) + QUAD_K(lid))
#define LOAD_B(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < B_QUADS; i++)                                            \
    {                                                                                              \
        int kb = (k) + ACROSS_K(lid, BN, i), o = o0 + ACROSS_ROW(lid, BN);                         \
        size_t at = ((size_t)(o / 32) * deep + packed_depth(&t, C, KW, kb)) * 32 + o % 32;         \
        qb[i] = kb < K && o < OC ? PACKED_QUAD_AT(P + at) : (quad_t)(0);                           \
    }
    TILE_PRODUCT(r, 0, K, LOAD_A, PUT_A_K, LOAD_B, PUT_B_ROWS)
#pragma unroll
    for (int i = 0; i < TM; i++) {
        int q = m0 + TILE_ROW(i), n = q / (PH * PW), p = q - n * PH * PW;
        int y = p / PW * STEP + py, x = p % PW * STEP + px;
#pragma unroll
        for (int j = 0; j < TN; j += TILE_RUN) {
            const int o = o0 + TILE_COL(j);
            finish_out_run(out + (((size_t)n * OH + y) * OW + x) * OC + o, r + i * TN + j,
                           use_bias ? bias + o : 0, low, EVEN_O, q < total ? OC - o : 0);
        }
    }
}

/* part[S][KH*KW*C][O]: rows are (tap, in channel), columns the out channels, the depth is the
 * pixels [split * per, (split + 1) * per). Groups (blocks of BN out channels, fastest, times blocks of
 * BM rows; 1; split). */
kernel TILE_GROUP void conv2d_tile_bwd_dw(global float *part, global const act_t *x,
                                         global const act_t *dy, int N, int H, int W, int C, int OH,
                                         int OW, int OC, int KH, int KW, int pad, int per)
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
         ? get_value(image + ((iy + top[j]) * W + ix + left[j]) * C + c[j])                        \
         : 0)
#if EVEN_C
#define FOUR_X                                                                                     \
    ((uint)(iy + top[0]) < (uint)H && (uint)(ix + left[0]) < (uint)W                               \
         ? ACT_QUAD_AT(image + ((iy + top[0]) * W + ix + left[0]) * C + c[0])                          \
         : (quad_t)(0))
#else
#define FOUR_X ((quad_t)(ONE_X(0), ONE_X(1), ONE_X(2), ONE_X(3)))
#endif
#define LOAD_X(k)                                                                                  \
    _Pragma("unroll") for (int i = 0; i < A_QUADS; i++)                                            \
    {                                                                                              \
        int q = (k) + ACROSS_K(lid, BM, i), n = q / (OH * OW), p = q - n * OH * OW;                \
        int iy = p / OW * STRIDE, ix = p % OW * STRIDE;                                            \
        global const act_t *image = x + (size_t)n * H * W * C;                                     \
        qa[i] = q < q1 ? FOUR_X : (quad_t)(0);                                                     \
    }
#define LOAD_DY(k)                                                                                 \
    _Pragma("unroll") for (int i = 0; i < B_QUADS; i++)                                            \
    {                                                                                              \
        int q = (k) + ACROSS_K(lid, BN, i);                                                        \
        qb[i] = q < q1 ? load_run(dy + (size_t)q * OC + o, EVEN_O, OC - o) : (quad_t)(0);          \
    }
    TILE_PRODUCT(r, split * per, q1, LOAD_X, PUT_A_ROWS, LOAD_DY, PUT_B_ROWS)
#pragma unroll
    for (int i = 0; i < TM; i++) {
        const int row = m0 + TILE_ROW(i);
#pragma unroll
        for (int j = 0; j < TN; j += TILE_RUN) {
            const int to = o0 + TILE_COL(j);
            finish_run(part + ((size_t)split * K + row) * OC + to, r + i * TN + j, 0, -INFINITY, EVEN_O,
                       row < K ? OC - to : 0);
        }
    }
}
