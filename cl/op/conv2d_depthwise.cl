/* conv2d_depthwise.cl -- depthwise convolution: each channel has a filter of its own.
 *
 * Forward       y[n,oy,ox,c] = b[c] + sum x[n, oy S - p + ky, ox S - p + kx, c] w[c,ky,kx]
 * Data gradient dx[n,y,x,c]  = sum over (ky,kx) with (y + p - ky) and (x + p - kx) divisible by S
 * of dy[n, (y+p-ky)/S, (x+p-kx)/S, c] w[c,ky,kx]   (a gather)
 * Activations NHWC; packed weights P[blocks of 32 channels][tap][32] (conv2d_pack). The host defines
 * STRIDE, DGRAD=1 for the gather, EVEN=1 when the channels are a multiple of 16, PIX (pixels of a
 * register tile) and RUN (taps of a filter row that meet a pixel of dy at once). */
#include "lib/prelude.clh"
#include "lib/lanes.clh"

#ifndef STRIDE
#define STRIDE 1
#define DGRAD  0
#define EVEN   0
#define PIX    8
#define RUN    3
#endif
#define IN_STEP    (DGRAD ? 1 : STRIDE)
#define OUT_STEP   (DGRAD ? STRIDE : 1)
#define LOAD(p, n) (EVEN ? load_act16(p) : load_act_lanes(p, n))

/* Adds a tap: a[i] += w s[x + i IN_STEP] where that lies in the row s of W pixels. Always inlined, or
 * the sums would live in memory. */
ALWAYS_INLINE void add_tap(float16 *a, global const act_t *s, float16 w,
                                                   int x, int W, int C, int left)
{
    if (x >= 0 && x + (PIX - 1) * IN_STEP < W) {
        s += x * C;
#pragma unroll
        for (int i = 0; i < PIX; i++)
            a[i] = fma(LOAD(s + i * IN_STEP * C, left), w, a[i]);
        return;
    }
#pragma unroll
    for (int i = 0; i < PIX; i++)
        if ((uint)(x + i * IN_STEP) < (uint)W)
            a[i] = fma(LOAD(s + (x + i * IN_STEP) * C, left), w, a[i]);
}

/* out[N,OH,OW,C] from in[N,H,W,C], bias added if `use_bias`, clamped from below at `low`. Work size
 * (rows x parts of the channels, phases); an item is `per` blocks of 16 channels of a row of a phase,
 * whose pixels share their taps. `stream`: out is too large for the caches, C a multiple of 16. */
kernel void conv2d_depthwise(global act_t *out, global const act_t *in, global const float *P,
                             global const float *bias, int use_bias, float low, int N, int H, int W,
                             int OH, int OW, int C, int KH, int KW, int pad, int per, int stream)
{
    const int blocks = (C + 15) / 16, parts = (blocks + per - 1) / per;
    const int py = (int)get_global_id(1) / OUT_STEP, px = (int)get_global_id(1) % OUT_STEP;
    const int PH = (OH - py + OUT_STEP - 1) / OUT_STEP, PW = (OW - px + OUT_STEP - 1) / OUT_STEP;
    const int row = get_global_id(0) / parts, first = get_global_id(0) % parts * per;
    if (row >= N * PH)
        return;
    const int n = row / PH, r = row - n * PH, last = min(first + per, blocks);
    global const act_t *image = in + (size_t)n * H * W * C;
    global act_t *to = out + (((size_t)n * OH + r * OUT_STEP + py) * OW + px) * C;
    for (int q0 = 0; q0 < PW; q0 += PIX)
        for (int block = first; block < last; block++) {
            const int c = block * 16, left = C - c;
            global const float *w = P + (size_t)(block / 2) * KH * KW * 32 + block % 2 * 16;
            float16 a[PIX];
#pragma unroll
            for (int i = 0; i < PIX; i++)
                a[i] = use_bias ? load_lanes(bias + c, left) : (float16)(0);
            for (int ky = DGRAD ? (py + pad) % STRIDE : 0; ky < KH; ky += OUT_STEP) {
                const int y = r * IN_STEP + (DGRAD ? (py + pad - ky) / STRIDE : ky - pad);
                if ((uint)y >= (uint)H)
                    continue;
                for (int kx = DGRAD ? (px + pad) % STRIDE : 0; kx < KW; kx += OUT_STEP) {
                    const int x = DGRAD ? (px + pad - kx) / STRIDE : kx - pad;
                    add_tap(a, image + (size_t)y * W * C + c, vload16(0, w + (ky * KW + kx) * 32),
                            q0 * IN_STEP + x, W, C, left);
                }
            }
#pragma unroll
            for (int i = 0; i < PIX; i++)
                if (q0 + i < PW)
                    store_clamped(to + (size_t)(q0 + i) * OUT_STEP * C + c, a[i], low, left,
                                  stream);
        }
}

/* part[splits][KH*KW][C]: images [split * per, (split + 1) * per) of
 * dw[ky,kx,c] = sum x[n, oy S - p + ky, ox S - p + kx, c] dy[n,oy,ox,c].
 * An item is RUN taps of a filter row of 16 channels of a split. */
kernel void conv2d_depthwise_bwd_dw(global float *part, global const act_t *x,
                                    global const act_t *dy, int N, int H, int W, int OH, int OW,
                                    int C, int KH, int KW, int pad, int per)
{
    const int blocks = (C + 15) / 16, runs = (KW + RUN - 1) / RUN;
    const int c = get_global_id(0) % blocks * 16, item = get_global_id(0) / blocks, left = C - c;
    const int kx0 = item % runs * RUN, ky = item / runs % KH, split = item / runs / KH;
    float16 a[RUN];
    if (split * per >= N)
        return;
#pragma unroll
    for (int j = 0; j < RUN; j++)
        a[j] = 0;
    for (int n = split * per; n < min(N, (split + 1) * per); n++)
        for (int oy = 0; oy < OH; oy++) {
            const int y = oy * STRIDE + ky - pad;
            if ((uint)y >= (uint)H)
                continue;
            global const act_t *s = x + ((size_t)n * H + y) * W * C + c;
            global const act_t *t = dy + ((size_t)n * OH + oy) * OW * C + c;
            for (int ox = 0; ox < OW; ox++, t += C) {
                const int left_x = ox * STRIDE + kx0 - pad;
                const float16 d = LOAD(t, left);
                if (left_x >= 0 && left_x + RUN <= W) {
#pragma unroll
                    for (int j = 0; j < RUN; j++)
                        a[j] = fma(LOAD(s + (left_x + j) * C, left), d, a[j]);
                    continue;
                }
#pragma unroll
                for (int j = 0; j < RUN; j++)
                    if ((uint)(left_x + j) < (uint)W)
                        a[j] = fma(LOAD(s + (left_x + j) * C, left), d, a[j]);
            }
        }
    for (int j = 0; j < RUN && kx0 + j < KW; j++)
        store_lanes(part + (((size_t)split * KH + ky) * KW + kx0 + j) * C + c, a[j], left);
}
