/* conv2d_thin.cl -- first layers on CPUs: few input channels, so that a filter row's KW * C inputs
 * are one contiguous run of an image row and the run, not the channel, is the inner loop.
 *
 * Formulas as in conv2d_cpu.cl. A work-item copies the input rows it needs, padded with zeros, into
 * local memory and then needs no test for borders. The host defines STRIDE, C and KW; COLS, the
 * pixels of a register tile in a row; RUN, how much of a run one register tile of the weight
 * gradient takes; POOL=1: the forward ends in 2x2 max pooling; GATE: which gradients count
 * (conv_pool.clh). */
#include "lib/prelude.clh"
#include "lib/lanes.clh"
#include "lib/conv_pool.clh"

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
#ifndef POOL
#define POOL 0
#endif
#ifndef COLS
#define COLS 4
#endif
#define ROWS (POOL ? 2 : 1) /* of output pixels in a register tile */
#define PIX  (ROWS * COLS)
#define SPAN (KW * C)     /* inputs of one filter row */
#define STEP (STRIDE * C) /* from one output pixel's run to the next */
#define PART (REG_ROWS == 8 ? PIX : PIX % REG_ROWS ? 1 : REG_ROWS) /* pixels at a time in registers */

/* rows[n][pitch] = image rows top .. top + n - 1, pad columns of zeros before each, zeros behind.
 */
inline void copy_rows(local float *rows, global const act_t *image, int top, int n, int pitch,
                      int H, int W, int pad)
{
    for (int i = 0; i < n * pitch; i++)
        rows[i] = 0;
    for (int r = 0; r < n; r++) {
        int y = top + r, len = min(W * C, pitch - pad * C), i = 0;
        local float *to = rows + r * pitch + pad * C;
        if (y < 0 || y >= H)
            continue;
        global const act_t *from = image + (size_t)y * W * C;
        for (; i + 16 <= len; i += 16)
            store16_local(load_act16(from + i), 0, to + i);
        for (; i < len; i++)
            to[i] = get_act(from + i);
    }
}

/* Output pixels ox.. of row oy (a tile) to y and at, channels o0.. */
ALWAYS_INLINE void store_tile(global act_t *y, global uchar *at, const float16 *v, float low, int OW,
                       int O, int o, int ox, int stream)
{
    if (POOL) { /* OW: pixels of a pooled row */
#pragma unroll
        for (int j = 0; j < COLS; j += 2)
            if ((ox + j) / 2 < OW)
                store_max16(y + (ox + j) / 2 * O + o, at + (ox + j) / 2 * O + o, v[j], v[j + 1],
                            v[COLS + j], v[COLS + j + 1], 0, low, O - o);
        return;
    }
#pragma unroll
    for (int i = 0; i < COLS; i++)
        if (ox + i < OW)
            store_clamped(y + (ox + i) * O + o, v[i], low, O - o, stream);
}

/* y[N,OH,OW,O] and, with POOL, max_at, both pooled; work size (blocks of `high` output rows before
 * pooling, N). `pitch` floats a copied row: enough for OW rounded up to tiles.
 * `stream`: y is too large for the caches, O a multiple of 16. */
kernel ONE_ITEM void conv2d_thin(global act_t *y, global uchar *max_at, global const act_t *x,
                             global const float *P, global const float *bias, local float *rows,
                             int use_bias, float low, int H, int W, int OH, int OW, int O, int KH,
                             int pad, int high, int pitch, int stream)
{
    int y0 = get_group_id(0) * high, n = get_group_id(1), y1 = min(OH * ROWS, y0 + high);
    copy_rows(rows, x + (size_t)n * H * W * C, y0 * STRIDE - pad, (y1 - y0 - 1) * STRIDE + KH,
              pitch, H, W, pad);
    for (int o0 = 0; o0 < O; o0 += 32) {
        float16 b0 = use_bias ? load_lanes(bias + o0, O - o0) : (float16)(0);
        float16 b1 = use_bias ? load_lanes(bias + o0 + 16, O - o0 - 16) : (float16)(0);
        for (int oy = y0; oy < y1; oy += ROWS)
            for (int ox = 0; ox < OW * ROWS; ox += COLS) {
                float16 a[PIX], b[PIX];
#pragma unroll
                for (int i = 0; i < PIX; i++) {
                    a[i] = b0;
                    b[i] = b1;
                }
                for (int r = 0; r < PIX; r += PART)
                    for (int ky = 0; ky < KH; ky++) {
                        local const float *s = rows + ((oy - y0) * STRIDE + ky) * pitch + ox * STEP;
                        global const float *w = P + (size_t)(o0 * KH + ky * 32) * SPAN;
#pragma unroll 1
                        for (int k = 0; k < SPAN; k++, s++, w += 32) {
                            float16 w0 = vload16(0, w), w1 = vload16(1, w);
#pragma unroll
                            for (int i = r; i < r + PART; i++) {
                                float16 v = s[i / COLS * STRIDE * pitch + i % COLS * STEP];
                                a[i] = fma(v, w0, a[i]);
                                b[i] = fma(v, w1, b[i]);
                            }
                        }
                    }
                size_t to = ((size_t)n * OH + oy / ROWS) * OW * O;
                store_tile(y + to, max_at + to, a, low, OW, O, o0, ox, stream);
                if (o0 + 16 < O)
                    store_tile(y + to, max_at + to, b, low, OW, O, o0 + 16, ox, stream);
            }
    }
}

/* dyl[tall * OW][32] = channels o0.. of output rows y0.., those that count; adds their sums to *s0,
 * *s1. dy and gate point to channel o0 of the image's first value. */
ALWAYS_INLINE void copy_dy(local float *dyl, float16 *s0, float16 *s1, global const act_t *dy,
                    global const gate_t *gate, int y0, int tall, int OW, int O, int left)
{
    const int shrink = GATE == 2;
    for (int i = 0; i < tall * OW; i++) {
        int y = y0 + i / OW, x = i % OW, corner = corner_of(y, x);
        size_t at = (size_t)((y >> shrink) * (OW >> shrink) + (x >> shrink)) * O;
        float16 a = gated_lanes(dy + at, gate + at, corner, left), b = 0;
        if (left > 16)
            b = gated_lanes(dy + at + 16, gate + at + 16, corner, left - 16);
        *s0 += a;
        *s1 += b;
        store16_local(a, 2 * i, dyl);
        store16_local(b, 2 * i + 1, dyl);
    }
}

/* A register tile of the weight gradient: for each of RUN inputs VECTORS of LANES out channels. */
#if REG_ROWS == 8
#define LANES   16
#define VECTORS 2
#else
#define LANES   8
#define VECTORS 1
#endif
#define WIDE (VECTORS * LANES)
typedef CTR_CAT(float, LANES) lanes_t;
typedef lanes_t __attribute__((aligned(4))) lanes_any;

/* d[RUN][32] += sum over `tall` output rows of OW pixels of s[RUN] times g[32], WIDE columns of it. */
ALWAYS_INLINE void add_run(local float *d, local const float *s, local const float *g, int tall, int OW,
                           int pitch)
{
    lanes_t a[VECTORS][RUN], v[VECTORS];
#pragma unroll
    for (int l = 0; l < VECTORS; l++)
#pragma unroll
        for (int k = 0; k < RUN; k++)
            a[l][k] = *(local const lanes_any *)(d + k * 32 + l * LANES);
    for (int oy = 0; oy < tall; oy++, s += STRIDE * pitch - OW * STEP)
        for (int ox = 0; ox < OW; ox++, s += STEP, g += 32) {
#pragma unroll
            for (int l = 0; l < VECTORS; l++)
                v[l] = *(local const lanes_any *)(g + l * LANES);
#pragma unroll
            for (int k = 0; k < RUN; k++)
#pragma unroll
                for (int l = 0; l < VECTORS; l++)
                    a[l][k] = fma((lanes_t)(s[k]), v[l], a[l][k]);
        }
#pragma unroll
    for (int l = 0; l < VECTORS; l++)
#pragma unroll
        for (int k = 0; k < RUN; k++)
            *(local lanes_any *)(d + k * 32 + l * LANES) = a[l][k];
}

/* part[S][KH*KW][C][O] and, behind them, part_b[S][O] = sum of dy: images [split * per, ...).
 * OH and OW are the sizes before pooling. Work size (blocks of 32 out, S).
 * acc[KH][SPAN rounded up to RUN][32]. */
kernel ONE_ITEM void conv2d_thin_bwd_dw(global float *part, global const act_t *x,
                                    global const act_t *dy, global const gate_t *gate,
                                    local float *rows, local float *dyl, local float *acc, int N,
                                    int H, int W, int OH, int OW, int O, int KH, int pad, int high,
                                    int pitch, int per)
{
    const int runs = (SPAN + RUN - 1) / RUN, shrink = GATE == 2;
    int o0 = get_group_id(0) * 32, split = get_group_id(1), S = get_num_groups(1);
    float16 s0 = 0, s1 = 0;
    for (int i = 0; i < KH * runs * RUN * 32; i += 16)
        store16_local((float16)(0), 0, acc + i);
    for (int n = split * per; n < min(N, (split + 1) * per); n++)
        for (int y0 = 0; y0 < OH; y0 += high) {
            int tall = min(high, OH - y0);
            size_t image = (size_t)n * (OH >> shrink) * (OW >> shrink) * O + o0;
            copy_rows(rows, x + (size_t)n * H * W * C, y0 * STRIDE - pad, (tall - 1) * STRIDE + KH,
                      pitch, H, W, pad);
            copy_dy(dyl, &s0, &s1, dy + image, gate + image, y0, tall, OW, O, O - o0);
            for (int t = 0; t < KH * runs; t++) {
                local const float *s = rows + t / runs * pitch + t % runs * RUN;
                for (int o = 0; o < 32; o += WIDE)
                    add_run(acc + t * RUN * 32 + o, s, dyl + o, tall, OW, pitch);
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
