/* conv2d_grouped.cl -- convolution in groups: out channel o meets the in channels of its group only.
 *
 * Forward       y[n,oy,ox,o] = b[o] + sum x[n, oy S - p + ky, ox S - p + kx, c] w[o,c - first,ky,kx]
 * Data gradient dx[n,y,x,c]  = sum over (ky,kx) with (y + p - ky) and (x + p - kx) divisible by S
 * of dy[n, (y+p-ky)/S, (x+p-kx)/S, o] w[o,c - first,ky,kx]   (a gather)
 * Activations NHWC. The host defines STRIDE, DGRAD=1 for the gather, IG and OG (in and out channels of
 * a group, as the kernel sees them), WINDOW (in channels that 16 out channels meet at most) and PIX
 * (pixels of an item). Packed weights P[blocks of 16 out][tap][WINDOW][16], zero where groups differ,
 * with zeros behind. */
#include "lib/prelude.clh"
#include "lib/lanes.clh"

#ifndef STRIDE
#define STRIDE 1
#define DGRAD  0
#define IG     1
#define OG     1
#define WINDOW 16
#define PIX    8
#endif
#define STEP  (DGRAD ? STRIDE : 1)
#define CHUNK 8 /* in channels of an item of the weight gradient */

/* The in channels that out channels from o on, 16 or up to O, meet: [first_in, end_in). */
inline int first_in(int o)
{
    return o / OG * IG;
}

inline int end_in(int o, int O)
{
    return (min(o + 15, O - 1) / OG + 1) * IG;
}

/* w[K][channels of a group][taps], K being out channels or, with DGRAD, in channels. An item is one in
 * channel of 16 out channels. */
kernel void conv2d_grouped_pack(global float *P, global const float *w, int O, int taps)
{
    const int blocks = (O + 15) / 16, block = get_global_id(0) / WINDOW;
    const int j = get_global_id(0) % WINDOW;
    if (block >= blocks)
        return;
    for (int tap = 0; tap < taps; tap++)
        for (int l = 0; l < 16; l++) {
            const int o = block * 16 + l, c = first_in(block * 16) + j;
            const size_t row = DGRAD ? (size_t)c * OG + o % OG : (size_t)o * IG + c % IG;
            P[(((size_t)block * taps + tap) * WINDOW + j) * 16 + l] =
                o < O && o / OG == c / IG ? w[row * taps + tap] : 0;
        }
    if (block == 0)
        P[(size_t)blocks * taps * WINDOW * 16 + j] = 0;
}

/* out[N,OH,OW,OC] from in[N,H,W,C], bias added if `use_bias`, clamped from below at `low`. Work size
 * (blocks of PIX pixels x blocks of 16 out, phases): the pixels of a phase share their taps.
 * `stream`: out is too large for the caches, OC a multiple of 16. */
kernel void conv2d_grouped(global act_t *out, global const act_t *in, global const float *P,
                           global const float *bias, int use_bias, float low, int N, int H, int W,
                           int C, int OH, int OW, int OC, int KH, int KW, int pad, int stream)
{
    const int blocks = (OC + 15) / 16, block = get_global_id(0) % blocks, o0 = block * 16;
    const int py = (int)get_global_id(1) / STEP, px = (int)get_global_id(1) % STEP;
    const int PH = (OH - py + STEP - 1) / STEP, PW = (OW - px + STEP - 1) / STEP;
    const int total = N * PH * PW, q0 = get_global_id(0) / blocks * PIX;
    const int c_end = end_in(o0, OC) - first_in(o0);
    int row[PIX], col[PIX];
    global const act_t *image[PIX];
    float16 a[PIX];
    if (q0 >= total)
        return;
#pragma unroll
    for (int i = 0; i < PIX; i++) {
        const int q = min(q0 + i, total - 1), n = q / (PH * PW), r = q - n * PH * PW;
        row[i] = DGRAD ? r / PW : r / PW * STRIDE - pad;
        col[i] = DGRAD ? r % PW : r % PW * STRIDE - pad;
        image[i] = in + (size_t)n * H * W * C + first_in(o0);
        a[i] = use_bias ? load_lanes(bias + o0, OC - o0) : (float16)(0);
    }
    global const act_t *zeros = (global const act_t *)(P + (size_t)blocks * KH * KW * WINDOW * 16);
    for (int ky = DGRAD ? (py + pad) % STRIDE : 0; ky < KH; ky += STEP)
        for (int kx = DGRAD ? (px + pad) % STRIDE : 0; kx < KW; kx += STEP) {
            const int down = DGRAD ? (py + pad - ky) / STRIDE : ky;
            const int right = DGRAD ? (px + pad - kx) / STRIDE : kx;
            global const float *w = P + (((size_t)block * KH + ky) * KW + kx) * WINDOW * 16;
            global const act_t *s[PIX];
#pragma unroll
            for (int i = 0; i < PIX; i++) {
                const int y = row[i] + down, x = col[i] + right;
                const int inside = (uint)y < (uint)H && (uint)x < (uint)W;
                s[i] = inside ? image[i] + (size_t)(y * W + x) * C : zeros;
            }
            for (int c = 0; c < c_end; c++) {
                const float16 wc = vload16(c, w);
#pragma unroll
                for (int i = 0; i < PIX; i++)
                    a[i] = fma((float16)(get_act(s[i] + c)), wc, a[i]);
            }
        }
#pragma unroll
    for (int i = 0; i < PIX && q0 + i < total; i++) {
        const int q = q0 + i, n = q / (PH * PW), r = q - n * PH * PW;
        const int y = r / PW * STEP + py, x = r % PW * STEP + px;
        store_clamped(out + (((size_t)n * OH + y) * OW + x) * OC + o0, a[i], low, OC - o0, stream);
    }
}

/* part[splits][KH*KW][IG][O]: images [split * per, (split + 1) * per) of
 * dw[ky,kx,c,o] = sum x[n, oy S - p + ky, ox S - p + kx, c] dy[n,oy,ox,o].
 * An item is a tap of CHUNK in channels and 16 out channels of a split; of them those of one group
 * are stored. */
kernel void conv2d_grouped_bwd_dw(global float *part, global const act_t *x,
                                  global const act_t *dy, int N, int H, int W, int C, int OH,
                                  int OW, int OC, int KH, int KW, int pad, int per)
{
    const int taps = KH * KW, chunks = (WINDOW + CHUNK - 1) / CHUNK, blocks = (OC + 15) / 16;
    const int tap = get_global_id(0) % taps, item = get_global_id(0) / taps;
    const int o0 = item / chunks % blocks * 16, split = item / chunks / blocks;
    const int c0 = first_in(o0) + item % chunks * CHUNK, c_end = end_in(o0, OC);
    const int n_end = min(N, (split + 1) * per), left = OC - o0;
    const int top = tap / KW - pad, start = tap % KW - pad;
    /* outputs whose tap lies inside the image: 0 <= oy S + top < H, same for x */
    const int y_lo = top < 0 ? (STRIDE - 1 - top) / STRIDE : 0;
    const int x_lo = start < 0 ? (STRIDE - 1 - start) / STRIDE : 0;
    const int y_hi = H > top ? min(OH, (H - 1 - top) / STRIDE + 1) : 0;
    const int x_hi = W > start ? min(OW, (W - 1 - start) / STRIDE + 1) : 0;
    int offset[CHUNK];
    float16 a[CHUNK];
    if (split * per >= N || c0 >= c_end)
        return;
#pragma unroll
    for (int j = 0; j < CHUNK; j++) {
        offset[j] = min(c0 + j, c_end - 1) - c0;
        a[j] = 0;
    }
    for (int n = split * per; n < n_end; n++)
        for (int oy = y_lo; oy < y_hi; oy++) {
            const size_t row = ((size_t)n * H + oy * STRIDE + top) * W;
            global const act_t *xp = x + (row + x_lo * STRIDE + start) * C + c0;
            global const act_t *yp = dy + (((size_t)n * OH + oy) * OW + x_lo) * OC + o0;
            for (int ox = x_lo; ox < x_hi; ox++, xp += STRIDE * C, yp += OC) {
                const float16 d = load_act_lanes(yp, left);
#pragma unroll
                for (int j = 0; j < CHUNK; j++)
                    a[j] = fma((float16)(get_act(xp + offset[j])), d, a[j]);
            }
        }
    global float *to = part + ((size_t)split * taps + tap) * IG * OC + o0;
#pragma unroll
    for (int j = 0; j < CHUNK && c0 + j < c_end; j++) {
        float t[16];
        vstore16(a[j], 0, t);
        for (int l = 0; l < 16 && l < left; l++) {
            const int i = c0 + j - first_in(o0 + l);
            if (i >= 0 && i < IG)
                to[(size_t)i * OC + l] = t[l];
        }
    }
}
