/* conv2d_cpu.cl -- direct convolution for CPUs: one work-item is one register tile, local size 1.
 *
 * Forward       y[n,oy,ox,o] = b[o] + sum x[n, oy S - p + ky, ox S - p + kx, c] w[o,c,ky,kx]
 * Data gradient dx[n,y,x,c]  = sum over (ky,kx) with (y + p - ky) and (x + p - kx) divisible by S
 * of dy[n, (y+p-ky)/S, (x+p-kx)/S, o] w[o,c,ky,kx]   (a gather) Activations NHWC; packed weights
 * P[blocks of 32 out][tap][in][32], 2 `in` zeros behind them (conv2d_pack). Groups: see groups.clh. The host
 * defines STRIDE, DGRAD=1 for the gather, and HALVES=1 for groups of 32 in halves. */
#include "lib/prelude.clh"
#include "lib/lanes.clh"

#ifndef STRIDE
#define STRIDE 1
#endif
#ifndef DGRAD
#define DGRAD 0
#endif
#ifndef HALVES
#define HALVES 0
#endif
#define OTHER (16 * HALVES) /* from what the first 16 of 32 out channels meet to what the last do */
#define STEP (DGRAD ? STRIDE : 1)
#define PIX  8 /* pixels of a tile, REG_ROWS of them at a time in registers */

/* The inner loops take inputs one value at a time. Where they are not fp32, a block of each pixel's
 * channels is widened first. */
#if ACT == 0
#define INPUT(i, c)   s[i][c]
#define load_eight(p) vload8(0, p)
#else
#define BLOCK 64
#define INPUT(i, c) wide[i][(c) - c0]
CTR_ACT_VECTOR_(8)
#define load_eight(p) load_act8(p)
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

/* out[N,OH,OW,OC] from in[N,H,W,C], bias added if `use_bias`, clamped from below at `low`; IG and OG:
 * in and out channels of a group. Work size (pixel blocks of a chunk, blocks of 32 out, chunks *
 * phases): a chunk's input stays in cache while it meets all out channels. The pixels of a phase share
 * their taps, so that a phase of the gather is a plain convolution. `stream`: out is too large for the
 * caches, OC a multiple of 16. */
kernel ONE_ITEM void conv2d_direct(global out_t *out, global const act_t *in, global const float *P,
                               global const float *bias, int use_bias, float low, int N, int H,
                               int W, int C, int IG, int OH, int OW, int OC, int OG, int KH, int KW,
                               int pad, int stream)
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
    const int I = HALVES ? 16 : IG; /* in channels that an out channel meets */
    in += o0 / OG * IG;
    global const float *zeros = P + (size_t)((OC + 31) / 32) * KH * KW * I * 32;
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
            global const float *w = P + (((size_t)get_group_id(1) * KH + ky) * KW + kx) * I * 32;
#if ACT
            for (int c0 = 0; c0 < I; c0 += BLOCK) {
                float wide[PIX][BLOCK];
                const int end = min(I, c0 + BLOCK);
                widen_block(wide, s, c0, end - c0 + OTHER);
#else
            {
                const int c0 = 0, end = I;
#endif
                for (int r = 0; r < PIX; r += REG_ROWS)
                    for (int c = c0; c < end; c++) {
                        float16 w0 = vload16(0, w + c * 32), w1 = vload16(0, w + c * 32 + 16);
#pragma unroll
                        for (int i = 0; i < REG_ROWS; i++) {
                            a[r + i] = fma((float16)(INPUT(r + i, c)), w0, a[r + i]);
                            b[r + i] = fma((float16)(INPUT(r + i, c + OTHER)), w1, b[r + i]);
                        }
                    }
            }
        }
#pragma unroll /* an array that a variable indexes stays in memory, in the loops above too */
    for (int i = 0; i < PIX && q0 + i < total; i++) {
        int q = q0 + i, n = q / (PH * PW), r = q - n * PH * PW;
        int y = r / PW * STEP + py, x = r % PW * STEP + px;
        global out_t *o = out + (((size_t)n * OH + y) * OW + x) * OC + o0;
        store_clamped(o, a[i], low, OC - o0, stream);
        if (OC - o0 > 16)
            store_clamped(o + 16, b[i], low, OC - o0 - 16, stream);
    }
}

/* ---- weight gradient ---- */

#ifndef CI
#define CI 8 /* in channels of a work-item, a multiple of 8, with HALVES 32 */
#endif
#define ROWS (HALVES ? 16 : CI) /* of them that an out channel meets */
#define SUM  256 /* values of a register tile: 8 in x 32 out channels */

/* What a pass reads: `rows` output rows from `top` on of `images` images, `high` input rows from `first` on. */
struct pass {
    int images, top, rows, first, high;
};

typedef float8 __attribute__((aligned(4))) float8_any;

/* xs[CI/8][images][high][W][8] = those rows of x, CI channels. Pixels a power of two apart would share few
 * places in the nearest cache. */
inline void copy_x(local float *xs, struct pass p, global const act_t *x, int H, int W, int C)
{
    const int plane = p.images * p.high * W * 8;
    for (int n = 0; n < p.images; n++) {
        global const act_t *from = x + ((size_t)n * H + p.first) * W * C;
        for (int i = 0; i < p.high * W; i++, xs += 8, from += C)
#pragma unroll
            for (int c = 0; c < CI; c += 8)
                *(local float8_any *)(xs + c / 8 * plane) = load_eight(from + c);
    }
}

/* ds[images][rows][OW][32] = those rows of dy, the first `left` of 32 channels. */
inline void copy_dy(local float *ds, struct pass p, global const act_t *dy, int OH, int OW, int OC, int left)
{
    for (int n = 0; n < p.images; n++) {
        global const act_t *from = dy + ((size_t)n * OH + p.top) * OW * OC;
        for (int i = 0; i < p.rows * OW; i++, ds += 32, from += OC) {
            store16_local(load_act_lanes(from, left), 0, ds);
            store16_local(load_act_lanes(from + 16, left - 16), 1, ds);
        }
    }
}

/* d[8][32] += sum over the pass of xs[.., 8] dy, one tap: `top` rows below and `left` columns right of an
 * output's place in what was copied. REG_ROWS of d stay in registers. The last 16 of 32 meet what lies `other`
 * values behind. */
inline void add_tap(local float *d, local const float *xs, int other, local const float *ds, struct pass p,
                    int top, int left, int W, int OW)
{
    /* outputs whose tap lies inside */
    int y_lo = top < 0 ? (STRIDE - 1 - top) / STRIDE : 0;
    int x_lo = left < 0 ? (STRIDE - 1 - left) / STRIDE : 0;
    int y_hi = p.high > top ? min(p.rows, (p.high - 1 - top) / STRIDE + 1) : 0;
    int x_hi = W > left ? min(OW, (W - 1 - left) / STRIDE + 1) : 0;
    for (int r = 0; r < 8; r += REG_ROWS, xs += REG_ROWS, d += REG_ROWS * 32) {
        float16 a[REG_ROWS], b[REG_ROWS];
#pragma unroll
        for (int i = 0; i < REG_ROWS; i++) {
            a[i] = vload16(2 * i, d);
            b[i] = vload16(2 * i + 1, d);
        }
        for (int n = 0; n < p.images; n++)
            for (int oy = y_lo; oy < y_hi; oy++) {
                local const float *v = xs + ((n * p.high + oy * STRIDE + top) * W + x_lo * STRIDE + left) * 8;
                local const float *g = ds + ((n * p.rows + oy) * OW + x_lo) * 32;
                for (int ox = x_lo; ox < x_hi; ox++, v += STRIDE * 8, g += 32) {
                    float16 y0 = load16_local(0, g), y1 = load16_local(1, g);
#pragma unroll
                    for (int i = 0; i < REG_ROWS; i++) {
                        a[i] = fma((float16)(v[i]), y0, a[i]);
                        b[i] = fma((float16)(v[i + other]), y1, b[i]);
                    }
                }
            }
#pragma unroll
        for (int i = 0; i < REG_ROWS; i++) {
            store16_local(a[i], 2 * i, d);
            store16_local(b[i], 2 * i + 1, d);
        }
    }
}

/* Where row i of a tap is in sums [2][taps][8][32]. */
#define SUM_AT(i) (((i) / 8 * taps + tap) * SUM + (i) % 8 * 32)

/* The first IG rows = of the 16 that each half of 32 out channels met those of its group. */
inline void keep_groups(local float *d, int taps, int IG)
{
    for (int tap = 0; tap < taps; tap++)
        for (int i = 0; i < IG; i++)
            for (int o = 0; o < 32; o++)
                d[SUM_AT(i) + o] = d[SUM_AT(o % 16 / IG * IG + i) + o];
}

/* part[S][KH*KW][IG][O]: images [split * per, (split + 1) * per) of
 * dw[ky,kx,c,o] = sum x[n, oy S - p + ky, ox S - p + kx, c] dy[n,oy,ox,o]. C >= CI; IG and OG: in and out channels
 * of a group.
 * A pass is `images` images, or `rows` output rows of one: its xs is copied once and meets `wide` out channels
 * in 32s, whose dy is copied to ds. acc[wide/32][ROWS/8][KH*KW][8][32] has the sums. Work size (blocks of CI
 * in, blocks of `wide` of OG or, with HALVES, 32 out channels, S). */
kernel ONE_ITEM void conv2d_direct_bwd_dw(global float *part, global const act_t *x,
                                      global const act_t *dy, local float *acc, local float *xs,
                                      local float *ds, int N, int H, int W, int C, int IG, int OH,
                                      int OW, int OC, int OG, int KH, int KW, int pad, int per, int images,
                                      int rows, int wide)
{
    const int first = get_group_id(0) * CI, c0 = min(first, C - CI);
    const int group = HALVES ? first : first / IG * OG; /* its first out channel */
    const int o0 = group + get_group_id(1) * wide, o_end = min(group + (HALVES ? 32 : OG), o0 + wide);
    const int split = get_group_id(2), taps = KH * KW, n_end = min(N, (split + 1) * per);
    for (int i = 0; i < (wide / 32) * (ROWS / 8) * taps * SUM; i += 16)
        store16_local((float16)(0), 0, acc + i);
    for (int n0 = split * per; n0 < n_end; n0 += images)
        for (int oy0 = 0; oy0 < OH; oy0 += rows) {
            struct pass p = {.images = min(images, n_end - n0), .top = oy0, .rows = min(rows, OH - oy0)};
            p.first = clamp(oy0 * STRIDE - pad, 0, H);
            p.high = max(0, min(H, (oy0 + p.rows - 1) * STRIDE - pad + KH) - p.first);
            copy_x(xs, p, x + (size_t)n0 * H * W * C + c0, H, W, C);
            const int plane = p.images * p.high * W * 8;
            for (int o = o0; o < o_end; o += 32) {
                local float *d = acc + (o - o0) / 32 * (ROWS / 8) * taps * SUM;
                copy_dy(ds, p, dy + (size_t)n0 * OH * OW * OC + o, OH, OW, OC, OC - o);
                for (int c = 0; c < ROWS / 8; c++)
                    for (int tap = 0; tap < taps; tap++, d += SUM)
                        add_tap(d, xs + c * plane, OTHER / 8 * plane, ds, p,
                                tap / KW - pad + oy0 * STRIDE - p.first, tap % KW - pad, W, OW);
            }
        }
    if (HALVES && IG < 16)
        keep_groups(acc, taps, OWN_BOUND(IG));
    for (int o = o0; o < o_end; o += 32)
        for (int tap = 0; tap < taps; tap++)
            for (int i = first - c0; i < min(IG, ROWS); i++) {
                global float *to = part + (((size_t)split * taps + tap) * IG + (c0 + i) % IG) * OC + o;
                local const float *d = acc + (((o - o0) / 32 * (ROWS / 8) + i / 8) * taps + tap) * SUM;
                store_lanes(to, vload16(i % 8 * 2, d), OC - o);
                store_lanes(to + 16, vload16(i % 8 * 2 + 1, d), OC - o - 16);
            }
}
