/* conv2d_thin.cl -- first layers on CPUs: few input channels, so that a filter row's KW * C inputs
 * are one contiguous run of an image row and the run, not the channel, is the inner loop.
 *
 * Formulas as in conv2d_cpu.cl. A work-item copies the input rows it needs, padded with zeros, into
 * local memory and then needs no test for borders. The host defines STRIDE, C and KW, and RUN: how
 * much of a run one register tile of the weight gradient takes. MASK=1: dy counts where y > 0. */
#include "lib/prelude.clh"
#include "lib/lanes.clh"

#ifndef STRIDE
#define STRIDE 1
#endif
#ifndef C
#define C 3
#endif
#ifndef KW
#define KW 3
#endif
#ifndef RUN
#define RUN 9
#endif
#ifndef MASK
#define MASK 0
#endif
#define PIX  8
#define SPAN (KW * C)     /* inputs of one filter row */
#define STEP (STRIDE * C) /* from one output pixel's run to the next */
#define TILE __attribute__((reqd_work_group_size(1, 1, 1)))

/* rows[n][pitch] = image rows top .. top + n - 1, pad columns of zeros before each, zeros behind.
 */
inline void copy_rows(local float *rows, global const float *image, int top, int n, int pitch,
                      int H, int W, int pad)
{
    for (int i = 0; i < n * pitch; i++)
        rows[i] = 0;
    for (int r = 0; r < n; r++) {
        int y = top + r, len = min(W * C, pitch - pad * C), i = 0;
        local float *to = rows + r * pitch + pad * C;
        global const float *from = image + (size_t)y * W * C;
        if (y < 0 || y >= H)
            continue;
        for (; i + 16 <= len; i += 16)
            store16_local(vload16(0, from + i), 0, to + i);
        for (; i < len; i++)
            to[i] = from[i];
    }
}

/* y[N,OH,OW,O]; work size (blocks of `high` output rows, N). `pitch` floats a copied row: enough
 * for OW rounded up to PIX pixels. */
kernel TILE void conv2d_thin(global float *y, global const float *x, global const float *P,
                             global const float *bias, local float *rows, int use_bias, float low,
                             int H, int W, int OH, int OW, int O, int KH, int pad, int high,
                             int pitch)
{
    int y0 = get_group_id(0) * high, n = get_group_id(1), y1 = min(OH, y0 + high);
    copy_rows(rows, x + (size_t)n * H * W * C, y0 * STRIDE - pad, (y1 - y0 - 1) * STRIDE + KH,
              pitch, H, W, pad);
    for (int o0 = 0; o0 < O; o0 += 32) {
        float16 b0 = use_bias ? load_lanes(bias + o0, O - o0) : (float16)(0);
        float16 b1 = use_bias ? load_lanes(bias + o0 + 16, O - o0 - 16) : (float16)(0);
        for (int oy = y0; oy < y1; oy++)
            for (int ox = 0; ox < OW; ox += PIX) {
                float16 a[PIX], b[PIX];
#pragma unroll
                for (int i = 0; i < PIX; i++) {
                    a[i] = b0;
                    b[i] = b1;
                }
                for (int ky = 0; ky < KH; ky++) {
                    local const float *s = rows + ((oy - y0) * STRIDE + ky) * pitch + ox * STEP;
                    global const float *w = P + (size_t)(o0 * KH + ky * 32) * SPAN;
#pragma unroll
                    for (int k = 0; k < SPAN; k++) {
                        float16 w0 = vload16(2 * k, w), w1 = vload16(2 * k + 1, w);
#pragma unroll
                        for (int i = 0; i < PIX; i++) {
                            a[i] = fma((float16)(s[i * STEP + k]), w0, a[i]);
                            b[i] = fma((float16)(s[i * STEP + k]), w1, b[i]);
                        }
                    }
                }
                global float *out = y + (((size_t)n * OH + oy) * OW + ox) * O + o0;
                for (int i = 0; i < PIX && ox + i < OW; i++, out += O) {
                    store_lanes(out, select(a[i], (float16)(low), a[i] < low), O - o0);
                    store_lanes(out + 16, select(b[i], (float16)(low), b[i] < low), O - o0 - 16);
                }
            }
    }
}

/* dyl[pixels][32] = channels o0.. of dy (masked by y); returns their sums in *s0, *s1. */
inline void copy_dy(local float *dyl, float16 *s0, float16 *s1, global const float *dy,
                    global const float *y, int pixels, int O, int left)
{
    for (int i = 0; i < pixels; i++, dy += O, y += O) {
        float16 a = load_lanes(dy, left), b = load_lanes(dy + 16, left - 16);
        if (MASK) {
            a = select(a, (float16)(0), load_lanes(y, left) <= 0.0f);
            b = select(b, (float16)(0), load_lanes(y + 16, left - 16) <= 0.0f);
        }
        *s0 += a;
        *s1 += b;
        store16_local(a, 2 * i, dyl);
        store16_local(b, 2 * i + 1, dyl);
    }
}

/* part[S][KH*KW][C][O] and, behind them, part_b[S][O] = sum of dy: images [split * per, ...).
 * Work size (blocks of 32 out, S). acc[KH][SPAN rounded up to RUN][32]. */
kernel TILE void conv2d_thin_bwd_dw(global float *part, global const float *x,
                                    global const float *dy, global const float *y,
                                    local float *rows, local float *dyl, local float *acc, int N,
                                    int H, int W, int OH, int OW, int O, int KH, int pad, int high,
                                    int pitch, int per)
{
    const int runs = (SPAN + RUN - 1) / RUN;
    int o0 = get_group_id(0) * 32, split = get_group_id(1), S = get_num_groups(1);
    float16 s0 = 0, s1 = 0;
    for (int i = 0; i < KH * runs * RUN * 32; i += 16)
        store16_local((float16)(0), 0, acc + i);
    for (int n = split * per; n < min(N, (split + 1) * per); n++)
        for (int y0 = 0; y0 < OH; y0 += high) {
            int tall = min(high, OH - y0);
            size_t at = (((size_t)n * OH + y0) * OW) * O + o0;
            copy_rows(rows, x + (size_t)n * H * W * C, y0 * STRIDE - pad, (tall - 1) * STRIDE + KH,
                      pitch, H, W, pad);
            copy_dy(dyl, &s0, &s1, dy + at, y + at, tall * OW, O, O - o0);
            for (int t = 0; t < KH * runs; t++) {
                local float *d = acc + t * RUN * 32;
                float16 a[RUN], b[RUN];
#pragma unroll
                for (int k = 0; k < RUN; k++) {
                    a[k] = vload16(2 * k, d);
                    b[k] = vload16(2 * k + 1, d);
                }
                for (int oy = 0; oy < tall; oy++) {
                    local const float *s = rows + (oy * STRIDE + t / runs) * pitch + t % runs * RUN;
                    local const float *g = dyl + oy * OW * 32;
                    for (int ox = 0; ox < OW; ox++, s += STEP, g += 32) {
                        float16 g0 = vload16(0, g), g1 = vload16(1, g);
#pragma unroll
                        for (int k = 0; k < RUN; k++) {
                            a[k] = fma((float16)(s[k]), g0, a[k]);
                            b[k] = fma((float16)(s[k]), g1, b[k]);
                        }
                    }
                }
#pragma unroll
                for (int k = 0; k < RUN; k++) {
                    store16_local(a[k], 2 * k, d);
                    store16_local(b[k], 2 * k + 1, d);
                }
            }
        }
    for (int ky = 0; ky < KH; ky++)
        for (int k = 0; k < SPAN; k++) {
            global float *o = part + (((size_t)split * KH + ky) * SPAN + k) * O + o0;
            local const float *d = acc + (ky * runs * RUN + k) * 32;
            store_lanes(o, vload16(0, d), O - o0);
            store_lanes(o + 16, vload16(1, d), O - o0 - 16);
        }
    global float *sums = part + (size_t)S * KH * SPAN * O + (size_t)split * O + o0;
    store_lanes(sums, s0, O - o0);
    store_lanes(sums + 16, s1, O - o0 - 16);
}
