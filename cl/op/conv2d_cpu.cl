/* conv2d_cpu.cl -- direct convolution for CPUs: one work-item is one register tile, local size 1.
 *
 * Forward       y[n,oy,ox,o] = b[o] + sum x[n, oy S - p + ky, ox S - p + kx, c] w[o,c,ky,kx]
 * Data gradient dx[n,y,x,c]  = sum over (ky,kx) with (y + p - ky) and (x + p - kx) divisible by S
 * of dy[n, (y+p-ky)/S, (x+p-kx)/S, o] w[o,c,ky,kx]   (a gather) Activations NHWC; packed weights
 * P[blocks of 32 out][tap][in][32], `in` zeros behind them (conv2d_pack). The host defines STRIDE,
 * and DGRAD=1 for the gather. */
#include "lib/prelude.clh"
#include "lib/lanes.clh"

#ifndef STRIDE
#define STRIDE 1
#endif
#ifndef DGRAD
#define DGRAD 0
#endif
#define STEP (DGRAD ? STRIDE : 1)
#define PIX  8 /* pixels of a tile: 16 accumulators, which hides the FMA latency */
#define TILE __attribute__((reqd_work_group_size(1, 1, 1)))

/* The inner loops take inputs one value at a time. Where they are not fp32, a block of each pixel's
 * channels is widened first. */
#if ACT == 0
#define INPUT(i, c) s[i][c]
#else
#define BLOCK 64
#define INPUT(i, c) wide[i][(c) - c0]
CTR_ACT_VECTOR_(8)
inline void widen_block(float wide[PIX][BLOCK], global const act_t *const *s, int c0, int n)
{
#pragma unroll
    for (int i = 0; i < PIX; i++)
        for (int c = 0; c < n; c += 16)
            vstore16(load_act_lanes(s[i] + c0 + c, n - c), 0, &wide[i][c]);
}
#endif

/* What pixel q of a phase needs: offset of its image, its first row and column in the input. */
inline size_t locate(int *row, int *col, int q, int PH, int PW, int H, int W, int C, int pad)
{
    int n = q / (PH * PW), r = q - n * PH * PW;
    *row = DGRAD ? r / PW : r / PW * STRIDE - pad;
    *col = DGRAD ? r % PW : r % PW * STRIDE - pad;
    return (size_t)n * H * W * C;
}

/* out[N,OH,OW,OC] from in[N,H,W,C], bias added if `use_bias`, clamped from below at `low`.
 * Work size (pixel blocks of a chunk, blocks of 32 out, chunks * phases): a chunk's input stays in
 * cache while it meets all out channels. The pixels of a phase share their taps, so that a phase of
 * the gather is a plain convolution. `stream`: out is too large for the caches, OC a multiple
 * of 16. */
kernel TILE void conv2d_direct(global out_t *out, global const act_t *in, global const float *P,
                               global const float *bias, int use_bias, float low, int N, int H,
                               int W, int C, int OH, int OW, int OC, int KH, int KW, int pad,
                               int stream)
{
    int phase = get_group_id(2) % (STEP * STEP), py = phase / STEP, px = phase % STEP;
    int PH = (OH - py + STEP - 1) / STEP, PW = (OW - px + STEP - 1) / STEP, total = N * PH * PW;
    int q0 = (get_group_id(2) / (STEP * STEP) * get_num_groups(0) + get_group_id(0)) * PIX;
    int o0 = get_group_id(1) * 32, row[PIX], col[PIX];
    size_t image[PIX];
    if (q0 >= total)
        return;
    for (int i = 0; i < PIX; i++)
        image[i] = locate(&row[i], &col[i], min(q0 + i, total - 1), PH, PW, H, W, C, pad);
    float16 a[PIX], b[PIX];
#pragma unroll
    for (int i = 0; i < PIX; i++) {
        a[i] = use_bias ? load_lanes(bias + o0, OC - o0) : (float16)(0);
        b[i] = use_bias ? load_lanes(bias + o0 + 16, OC - o0 - 16) : (float16)(0);
    }
    global const float *zeros = P + (size_t)((OC + 31) / 32) * KH * KW * C * 32;
    for (int ky = DGRAD ? (py + pad) % STRIDE : 0; ky < KH; ky += STEP)
        for (int kx = DGRAD ? (px + pad) % STRIDE : 0; kx < KW; kx += STEP) {
            int down = DGRAD ? (py + pad - ky) / STRIDE : ky;
            int right = DGRAD ? (px + pad - kx) / STRIDE : kx;
            global const act_t *s[PIX];
#pragma unroll
            for (int i = 0; i < PIX; i++) {
                int y = row[i] + down, x = col[i] + right;
                int inside = (uint)y < (uint)H && (uint)x < (uint)W;
                s[i] = inside ? in + image[i] + (size_t)(y * W + x) * C
                              : (global const act_t *)zeros;
            }
            global const float *w = P + (((size_t)get_group_id(1) * KH + ky) * KW + kx) * C * 32;
#if ACT
            for (int c0 = 0; c0 < C; c0 += BLOCK) {
                float wide[PIX][BLOCK];
                const int end = min(C, c0 + BLOCK);
                widen_block(wide, s, c0, end - c0);
#else
            {
                const int c0 = 0, end = C;
#endif
                for (int c = c0; c < end; c++) {
                    float16 w0 = vload16(0, w + c * 32), w1 = vload16(0, w + c * 32 + 16);
#pragma unroll
                    for (int i = 0; i < PIX; i++) {
                        a[i] = fma((float16)(INPUT(i, c)), w0, a[i]);
                        b[i] = fma((float16)(INPUT(i, c)), w1, b[i]);
                    }
                }
            }
        }
    for (int i = 0; i < PIX && q0 + i < total; i++) {
        int q = q0 + i, n = q / (PH * PW), r = q - n * PH * PW;
        int y = r / PW * STEP + py, x = r % PW * STEP + px;
        global out_t *o = out + (((size_t)n * OH + y) * OW + x) * OC + o0;
        store_clamped(o, a[i], low, OC - o0, stream);
        if (OC - o0 > 16)
            store_clamped(o + 16, b[i], low, OC - o0 - 16, stream);
    }
}

/* part[S][KH*KW][C][O]: images [split * per, (split + 1) * per) of
 * dw[ky,kx,c,o] = sum x[n, oy S - p + ky, ox S - p + kx, c] dy[n,oy,ox,o]. C >= 8.
 * The sums acc[KH*KW][8][32] live in local memory while a few images (`pass`) meet all taps, so
 * that those images are read from cache. Work size (blocks of 8 in, blocks of 32 out, S). */
kernel TILE void conv2d_direct_bwd_dw(global float *part, global const act_t *x,
                                      global const act_t *dy, local float *acc, int N, int H, int W,
                                      int C, int OH, int OW, int OC, int KH, int KW, int pad,
                                      int per, int pass)
{
    int first = get_group_id(0) * 8, c0 = min(first, C - 8), o0 = get_group_id(1) * 32;
    int split = get_group_id(2), taps = KH * KW, n_end = min(N, (split + 1) * per);
    for (int i = 0; i < taps * 256; i += 16)
        store16_local((float16)(0), 0, acc + i);
    for (int n0 = split * per; n0 < n_end; n0 += pass)
        for (int tap = 0; tap < taps; tap++) {
            int top = tap / KW - pad, left = tap % KW - pad;
            /* outputs whose tap lies inside the image: 0 <= oy S + top < H, same for x */
            int y_lo = top < 0 ? (STRIDE - 1 - top) / STRIDE : 0;
            int x_lo = left < 0 ? (STRIDE - 1 - left) / STRIDE : 0;
            int y_hi = H > top ? min(OH, (H - 1 - top) / STRIDE + 1) : 0;
            int x_hi = W > left ? min(OW, (W - 1 - left) / STRIDE + 1) : 0;
            local float *d = acc + tap * 256;
            float16 a[8], b[8];
#pragma unroll
            for (int i = 0; i < 8; i++) {
                a[i] = vload16(2 * i, d);
                b[i] = vload16(2 * i + 1, d);
            }
            for (int n = n0; n < min(n_end, n0 + pass); n++)
                for (int oy = y_lo; oy < y_hi; oy++) {
                    size_t row = ((size_t)n * H + oy * STRIDE + top) * W;
                    global const act_t *xp = x + (row + x_lo * STRIDE + left) * C + c0;
                    global const act_t *yp = dy + (((size_t)n * OH + oy) * OW + x_lo) * OC + o0;
                    for (int ox = x_lo; ox < x_hi; ox++, xp += STRIDE * C, yp += OC) {
                        float16 y0 = load_act_lanes(yp, OC - o0),
                                y1 = load_act_lanes(yp + 16, OC - o0 - 16);
#if ACT
                        float v[8];
                        vstore8(load_act8(xp), 0, v);
#else
                        global const float *v = xp;
#endif
#pragma unroll
                        for (int i = 0; i < 8; i++) {
                            a[i] = fma((float16)(v[i]), y0, a[i]);
                            b[i] = fma((float16)(v[i]), y1, b[i]);
                        }
                    }
                }
#pragma unroll
            for (int i = 0; i < 8; i++) {
                store16_local(a[i], 2 * i, d);
                store16_local(b[i], 2 * i + 1, d);
            }
        }
    for (int tap = 0; tap < taps; tap++)
        for (int i = first - c0; i < 8; i++) {
            global float *o = part + (((size_t)split * taps + tap) * C + c0 + i) * OC + o0;
            store_lanes(o, vload16(2 * i, acc + tap * 256), OC - o0);
            store_lanes(o + 16, vload16(2 * i + 1, acc + tap * 256), OC - o0 - 16);
        }
}
