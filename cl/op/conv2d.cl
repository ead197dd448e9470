/* conv2d.cl -- convolution: packed weights, masked gradients, second-stage sums, and the general
 * variant, an implicit GEMM with tiles in local memory.
 *
 * Activations NHWC, weights w[O][I][KH][KW] as in PyTorch. Packed: P[O/32][tap][I][32], zero where
 * o >= O, with I zeros behind (what a tap outside the image reads). The same P read as
 * [O/32][K = tap * I + i][32] is the right operand of the GEMM. DGRAD=1: the data gradient, where
 * `in` is dy and the packed weights are transposed; STRIDE is the convolution's. */
#include "lib/prelude.clh"
#include "lib/lanes.clh"
#include "lib/conv_pool.clh"

#ifndef STRIDE
#define STRIDE 1
#endif
#ifndef DGRAD
#define DGRAD 0
#endif
#define STEP (DGRAD ? STRIDE : 1)

/* w(o, i, tap) = w[o * so + i * si + tap]. An item is 16 out channels of one in channel. */
kernel void conv2d_pack(global float *P, global const float *w, int I, int O, int taps, int so,
                        int si)
{
    int blocks = (O + 31) / 32 * 2, item = get_global_id(0), o = item % blocks * 16;
    int i = item / blocks;
    float t[16];
    if (i >= I)
        return;
    for (int tap = 0; tap < taps; tap++) {
        for (int l = 0; l < 16; l++)
            t[l] = o + l < O ? w[(size_t)(o + l) * so + (size_t)i * si + tap] : 0;
        store16(vload16(0, t), 0, P + (((size_t)(o / 32) * taps + tap) * I + i) * 32 + (o & 16));
    }
    if (o == 0)
        P[(size_t)(blocks / 2) * taps * I * 32 + i] = 0;
}

/* dw[O][I][taps] = sum over s of part[s][taps][I][O], in this order. Items as above. */
kernel void conv2d_bwd_dw_sum(global float *dw, global const float *part, int S, int taps, int I,
                              int O)
{
    int blocks = (O + 15) / 16, o = get_global_id(0) % blocks * 16, i = get_global_id(0) / blocks;
    if (i >= I)
        return;
    for (int tap = 0; tap < taps; tap++) {
        float t[16];
        float16 sum = 0;
        for (int s = 0; s < S; s++)
            sum += load_lanes(part + (((size_t)s * taps + tap) * I + i) * O + o, O - o);
        vstore16(sum, 0, t);
        for (int l = 0; l < min(16, O - o); l++)
            dw[((size_t)(o + l) * I + i) * taps + tap] = t[l];
    }
}

/* db[O] = sum over s of part[s][O], which starts `at` floats into part. An item is 16 channels. */
kernel void conv2d_bwd_db_sum(global float *db, global const float *part, ulong at, int S, int O)
{
    int o = get_global_id(0) * 16;
    float16 sum = 0;
    if (o >= O)
        return;
    for (int s = 0; s < S; s++)
        sum += load_lanes(part + at + (size_t)s * O + o, O - o);
    store_lanes(db + o, sum, O - o);
}

/* out[rows][O] = dy where y > 0, else 0, when `mask`; part[blocks][O], `at` floats into out, = sums
 * of that over `per` rows, when `sums`. NaN stays NaN. An item is 16 channels of a block of rows.
 */
kernel void conv2d_bwd_mask(global float *out, global const float *dy, global const float *y,
                            ulong at, int mask, int sums, int rows, int O, int per)
{
    int wide = (O + 15) / 16, o = get_global_id(0) % wide * 16, block = get_global_id(0) / wide;
    float16 sum = 0;
    if (block * per >= rows)
        return;
    for (int r = block * per; r < min(rows, (block + 1) * per); r++) {
        size_t i = (size_t)r * O + o;
        float16 d = load_lanes(dy + i, O - o);
        if (mask) {
            d = select(d, (float16)(0), load_lanes(y + i, O - o) <= 0.0f);
            store_lanes(out + i, d, O - o);
        }
        sum += d;
    }
    if (sums)
        store_lanes(out + at + (size_t)block * O + o, sum, O - o);
}

/* y[N,OH/2,OW/2,O] and `at` from full[N,OH,OW,O], after bias and ReLU (`relu`: a maximum of 0 lets
 * no gradient pass). An item is 16 channels of a pooled row. */
kernel void conv2d_pool(global float *y, global uchar *at, global const float *full, int relu,
                        int N, int OH, int OW, int O)
{
    int wide = (O + 15) / 16, o = get_global_id(0) % wide * 16, row = get_global_id(0) / wide;
    int n = row / (OH / 2), left = O - o;
    if (n >= N)
        return;
    for (int q = 0; q < OW / 2; q++) {
        global const float *f =
            full + (((size_t)n * OH + (row - n * (OH / 2)) * 2) * OW + q * 2) * O + o;
        size_t to = ((size_t)row * (OW / 2) + q) * O + o;
        store_max16(y + to, at + to, load_lanes(f, left), load_lanes(f + O, left),
                    load_lanes(f + (size_t)OW * O, left),
                    load_lanes(f + (size_t)(OW + 1) * O, left), 0, relu ? 0.0f : -INFINITY, left);
    }
}

/* The reverse for gradients: out[N,OH,OW,O] = dy[N,OH/2,OW/2,O] where the maximum was, else 0;
 * part[blocks][O], `to` floats into out, = sums over `per` pooled pixels, when `sums`. An item is
 * 16 channels of a block of pooled pixels; the last of a row or column also zeroes what no window
 * covers. */
kernel void conv2d_bwd_unpool(global float *out, global const float *dy, global const uchar *at,
                              ulong to, int sums, int N, int OH, int OW, int O, int per)
{
    int wide = (O + 15) / 16, o = get_global_id(0) % wide * 16, block = get_global_id(0) / wide;
    int PH = OH / 2, PW = OW / 2, rows = N * PH * PW, left = O - o;
    float16 sum = 0;
    if (block * per >= rows)
        return;
    for (int r = block * per; r < min(rows, (block + 1) * per); r++) {
        int n = r / (PH * PW), p = r / PW % PH, q = r % PW;
        int h = p == PH - 1 ? OH - 2 * p : 2, w = q == PW - 1 ? OW - 2 * q : 2;
        float16 d = load_lanes(dy + (size_t)r * O + o, left);
        int16 corner = load_bytes16(at + (size_t)r * O + o, left);
        global float *f = out + (((size_t)n * OH + p * 2) * OW + q * 2) * O + o;
        for (int i = 0; i < h; i++)
            for (int j = 0; j < w; j++) {
                int16 here = i < 2 && j < 2 ? corner == i * 2 + j : (int16)(0);
                store_lanes(f + ((size_t)i * OW + j) * O, select((float16)(0), d, here), left);
            }
        sum += select((float16)(0), d, corner < 4);
    }
    if (sums)
        store_lanes(out + to + (size_t)block * O + o, sum, left);
}

/* ---- the general variant: 64 x 64 tiles, 16 x 16 work-items with 4 x 4 results each ---- */

#define BM    64
#define BK    16
#define GROUP __attribute__((reqd_work_group_size(16, 16, 1)))

/* r[4][4] += A[BK][4 of BM] B[BK][4 of BM]; this work-item's rows are ty + 16 i, columns tx + 16 j.
 */
inline void multiply(float *r, local const float *A, local const float *B, int tx, int ty)
{
    for (int k = 0; k < BK; k++) {
        float a[4], b[4];
#pragma unroll
        for (int i = 0; i < 4; i++) {
            a[i] = A[k * (BM + 1) + ty + 16 * i];
            b[i] = B[k * (BM + 1) + tx + 16 * i];
        }
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int j = 0; j < 4; j++)
                r[i * 4 + j] = fma(a[i], b[j], r[i * 4 + j]);
    }
}

/* out[N,OH,OW,OC] from in[N,H,W,C]: rows are the pixels of a phase (they share their taps), columns
 * the out channels, the depth is (tap, in channel). Groups (blocks of 64 out channels, fastest, times
 * blocks of 64 pixels; 1; phase): the first dimension alone may have more than 65,535 groups. */
kernel GROUP void conv2d_tile(global float *out, global const float *in, global const float *P,
                              global const float *bias, int use_bias, float low, int N, int H,
                              int W, int C, int OH, int OW, int OC, int KH, int KW, int pad)
{
    local float A[BK * (BM + 1)], B[BK * (BM + 1)];
    int tx = get_local_id(0), ty = get_local_id(1), lid = ty * 16 + tx;
    int py = get_group_id(2) / STEP, px = get_group_id(2) % STEP;
    int wide = (OC + BM - 1) / BM, o0 = get_group_id(0) % wide * BM;
    int PH = (OH - py + STEP - 1) / STEP, PW = (OW - px + STEP - 1) / STEP, total = N * PH * PW;
    int ky0 = DGRAD ? (py + pad) % STRIDE : 0, kx0 = DGRAD ? (px + pad) % STRIDE : 0;
    int ny = max(0, (KH - ky0 + STEP - 1) / STEP), nx = max(0, (KW - kx0 + STEP - 1) / STEP);
    int m0 = get_group_id(0) / wide * BM, K = ny * nx * C;
    size_t image[4];
    int row[4], col[4];
    float r[16];
    if (m0 >= total) /* the whole group */
        return;
    for (int i = 0; i < 16; i++)
        r[i] = 0;
    for (int i = 0; i < 4; i++) { /* the pixels whose inputs this work-item loads */
        int q = m0 + ty + 16 * i, n = min(q, total - 1) / (PH * PW), p = q - n * PH * PW;
        image[i] = (size_t)n * H * W * C;
        row[i] =
            q < total ? (DGRAD ? p / PW : p / PW * STRIDE - pad) : H + KH; /* beyond: outside */
        col[i] = DGRAD ? p % PW : p % PW * STRIDE - pad;
    }
    for (int k0 = 0; k0 < K; k0 += BK) {
        int k = k0 + tx, t = k / C, c = k - t * C;
        int ky = ky0 + t / nx * STEP, down = DGRAD ? (py + pad - ky) / STRIDE : ky;
        int kx = kx0 + t % nx * STEP, right = DGRAD ? (px + pad - kx) / STRIDE : kx;
        for (int i = 0; i < 4; i++) {
            int y = row[i] + down, x = col[i] + right;
            int inside = k < K && (uint)y < (uint)H && (uint)x < (uint)W;
            size_t at = image[i] + (size_t)(y * W + x) * C + c;
            A[tx * (BM + 1) + ty + 16 * i] = inside ? in[at] : 0;
        }
        for (int i = 0; i < 4; i++) {
            int o = o0 + lid % BM, kb = k0 + lid / BM + 4 * i, tb = kb / C;
            int tap = (ky0 + tb / nx * STEP) * KW + kx0 + tb % nx * STEP;
            size_t at = (((size_t)(o / 32) * KH * KW + tap) * C + kb - tb * C) * 32 + o % 32;
            B[(lid / BM + 4 * i) * (BM + 1) + lid % BM] = kb < K && o < OC ? P[at] : 0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply(r, A, B, tx, ty);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int i = 0; i < 4; i++) {
        int q = m0 + ty + 16 * i, n = q / (PH * PW), p = q - n * PH * PW;
        int y = p / PW * STEP + py, x = p % PW * STEP + px;
        for (int j = 0; j < 4; j++) {
            int o = o0 + tx + 16 * j;
            if (q < total && o < OC) {
                float v = r[i * 4 + j] + (use_bias ? bias[o] : 0);
                out[(((size_t)n * OH + y) * OW + x) * OC + o] = v < low ? low : v;
            }
        }
    }
}

/* part[S][KH*KW*C][O]: rows are (tap, in channel), columns the out channels, the depth is the
 * pixels [split * per, (split + 1) * per). Groups (64 out channels, 64 rows, S). */
kernel GROUP void conv2d_tile_bwd_dw(global float *part, global const float *x,
                                     global const float *dy, int N, int H, int W, int C, int OH,
                                     int OW, int OC, int KH, int KW, int pad, int per)
{
    local float A[BK * (BM + 1)], B[BK * (BM + 1)];
    int tx = get_local_id(0), ty = get_local_id(1), lid = ty * 16 + tx, K = KH * KW * C;
    int o0 = get_group_id(0) * BM, m0 = get_group_id(1) * BM, split = get_group_id(2);
    int q1 = min(N * OH * OW, (split + 1) * per), m = m0 + lid % BM, t = m / C;
    int top = t / KW - pad, left = t % KW - pad, o = o0 + lid % BM;
    float r[16];
    for (int i = 0; i < 16; i++)
        r[i] = 0;
    for (int q0 = split * per; q0 < q1; q0 += BK) {
        for (int i = 0; i < 4; i++) {
            int k = lid / BM + 4 * i, q = q0 + k, n = q / (OH * OW), p = q - n * OH * OW;
            int iy = p / OW * STRIDE + top, ix = p % OW * STRIDE + left;
            int inside = q < q1 && m < K && (uint)iy < (uint)H && (uint)ix < (uint)W;
            size_t at = (((size_t)n * H + iy) * W + ix) * C + m - t * C;
            A[k * (BM + 1) + lid % BM] = inside ? x[at] : 0;
            B[k * (BM + 1) + lid % BM] = q < q1 && o < OC ? dy[(size_t)q * OC + o] : 0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply(r, A, B, tx, ty);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            if (m0 + ty + 16 * i < K && o0 + tx + 16 * j < OC)
                part[((size_t)split * K + m0 + ty + 16 * i) * OC + o0 + tx + 16 * j] = r[i * 4 + j];
}
