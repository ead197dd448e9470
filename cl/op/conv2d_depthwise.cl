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

/* a[j] += s[x + j] d, for the x + j that lie in the row s of W pixels. */
ALWAYS_INLINE void add_pixel(float16 *a, global const act_t *s, float16 d, int x, int W, int C, int left)
{
    if (x >= 0 && x + RUN <= W) {
#pragma unroll
        for (int j = 0; j < RUN; j++)
            a[j] = fma(LOAD(s + (x + j) * C, left), d, a[j]);
        return;
    }
#pragma unroll
    for (int j = 0; j < RUN; j++)
        if ((uint)(x + j) < (uint)W)
            a[j] = fma(LOAD(s + (x + j) * C, left), d, a[j]);
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
            for (int ox = 0; ox < OW; ox++, t += C)
                add_pixel(a, s, LOAD(t, left), ox * STRIDE + kx0 - pad, W, C, left);
        }
#pragma unroll
    for (int j = 0; j < RUN; j++)
        if (kx0 + j < KW)
            store_lanes(part + (((size_t)split * KH + ky) * KW + kx0 + j) * C + c, a[j], left);
}

/* ---- weight gradient on CPUs ---- */

/* a[j] += the row t of dy, OW pixels, times what tap j meets in the row s of x, W pixels; tap 0 of pixel 0 is at
 * column x0. */
ALWAYS_INLINE void add_row(float16 *a, global const act_t *s, global const act_t *t, int x0, int W, int OW, int C,
                           int left)
{
    const int lo = min(OW, x0 < 0 ? (STRIDE - 1 - x0) / STRIDE : 0);        /* from this pixel on all taps lie in s, */
    const int hi = x0 + RUN > W ? 0 : min(OW, (W - RUN - x0) / STRIDE + 1); /* up to this one */
    int ox = 0;
    float16 b[RUN]; /* every other pixel's, so that an addition need not wait for the one before */
#pragma unroll
    for (int j = 0; j < RUN; j++)
        b[j] = 0;
    for (; ox < lo; ox++)
        add_pixel(a, s, LOAD(t + ox * C, left), x0 + ox * STRIDE, W, C, left);
    for (; ox + 1 < hi; ox += 2) {
        global const act_t *from = s + (x0 + ox * STRIDE) * C;
        const float16 d0 = LOAD(t + ox * C, left), d1 = LOAD(t + (ox + 1) * C, left);
#pragma unroll
        for (int j = 0; j < RUN; j++) {
            a[j] = fma(LOAD(from + j * C, left), d0, a[j]);
            b[j] = fma(LOAD(from + (STRIDE + j) * C, left), d1, b[j]);
        }
    }
    for (; ox < OW; ox++)
        add_pixel(a, s, LOAD(t + ox * C, left), x0 + ox * STRIDE, W, C, left);
#pragma unroll
    for (int j = 0; j < RUN; j++)
        a[j] += b[j];
}

/* Asks for n values from p + at on that are read soon, which in memory's order costs least. */
inline void prefetch_ahead(global const act_t *p, long at, int n)
{
    for (int i = 0; i < n; i += 16)
        prefetch_line(p + at + i);
}

/* The same sums. An item is `some` blocks of 16 channels of a split, row by row, so that rows are in near caches;
 * sums that others go before wait in part. Work size (splits, parts of the channels). */
kernel ONE_ITEM void conv2d_depthwise_bwd_dw_rows(global float *part, global const act_t *x,
                                                  global const act_t *dy, int N, int H, int W, int OH, int OW,
                                                  int C, int KH, int KW, int pad, int per, int some)
{
    const int split = get_group_id(0), first = get_group_id(1) * some * 16, end = min(C, first + some * 16);
    part += (size_t)split * KH * KW * C;
    for (int tap = 0; tap < KH * KW; tap++)
        for (int c = first; c < end; c += 16)
            store_lanes(part + tap * C + c, (float16)(0), C - c);
    for (int n = split * per; n < min(N, (split + 1) * per); n++)
        for (int oy = 0; oy < OH; oy++) {
            const int top = oy * STRIDE - pad; /* the row of x that filter row 0 meets */
            global const act_t *s = x + (long)(n * H + top) * W * C, *t = dy + ((size_t)n * OH + oy) * OW * C;
            for (int c = first; c < end; c += 16) {
                prefetch_ahead(s, (long)(KH - 1) * W * C + c * STRIDE * W, STRIDE * W * 16);
                prefetch_ahead(t, OW * C + c * OW, OW * 16);
                for (int ky = max(0, -top); ky < min(KH, H - top); ky++)
                    for (int kx = 0; kx < KW; kx += RUN) {
                        global float *to = part + (ky * KW + kx) * C + c;
                        float16 a[RUN];
#pragma unroll
                        for (int j = 0; j < RUN; j++)
                            a[j] = kx + j < KW ? load_lanes(to + j * C, C - c) : (float16)(0);
                        add_row(a, s + (size_t)ky * W * C + c, t + c, kx - pad, W, OW, C, C - c);
#pragma unroll
                        for (int j = 0; j < RUN; j++)
                            if (kx + j < KW)
                                store_lanes(to + j * C, a[j], C - c);
                    }
            }
        }
}
