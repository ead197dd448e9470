/* conv2d.cl -- convolution: what its variants share: packed weights, masked gradients, pooling,
 * second-stage sums.
 *
 * Activations NHWC, weights w[O][I][KH][KW] as in PyTorch. Packed: P[O/32][tap][I][32], zero where
 * o >= O, with I zeros behind (what a tap outside the image reads). The same P read as
 * [O/32][K = tap * I + i][32] is the right operand of a matrix product. */
#include "lib/prelude.clh"
#include "lib/lanes.clh"
#include "lib/transpose.clh"
#include "lib/conv_pool.clh"
#include "lib/groups.clh"

/* P[blocks of 32 out][taps][I][32] and 2 I zeros; see taps_of. An item is 16 out channels of one in channel;
 * neighbours have neighbouring in channels, which share lines of w. */
kernel void conv2d_pack(global float *P, global const float *w, int I, int O, int IG, int OG, int taps,
                        int transposed)
{
    int blocks = (O + 31) / 32 * 2, o = get_global_id(0) / I * 16, i = get_global_id(0) % I;
    global const float *from[16];
    float t[16];
    if (o >= blocks * 16)
        return;
    for (int l = 0; l < 16; l++)
        from[l] = o + l < O ? taps_of(w, o + l, i, I, IG, OG, taps, transposed) : 0;
    for (int tap = 0; tap < taps; tap++) {
        for (int l = 0; l < 16; l++)
            t[l] = from[l] ? from[l][tap] : 0;
        store16(vload16(0, t), 0, P + (((size_t)(o / 32) * taps + tap) * I + i) * 32 + (o & 16));
    }
    for (int k = 0; o == 0 && k < 2; k++)
        P[(size_t)(blocks / 2) * taps * I * 32 + k * I + i] = 0;
}

#ifndef SUM_LANES
#define SUM_LANES 1
#endif
#ifndef EVEN_O /* whether out channels are a multiple of VW */
#define EVEN_O 0
#endif
#define SUM_ITEMS (64 / SUM_LANES) /* of a group, by the values they have, when lanes share them */

/* dw of VW rows from o, value j = i * taps + tap of each, summed over every SUM_LANES-th part from `lane` on. */
inline vfloat dw_sum(global const float *part, int lane, int S, int taps, int I, int O, int o, int j)
{
    const size_t plane = (size_t)taps * I * O;
    int i = j / taps, tap = j - i * taps;
    global const float *p = part + lane * plane + ((size_t)tap * I + i) * O + o;
    float t[VW];
    vfloat sum = 0;
    for (int s = lane; s < S; s += SUM_LANES, p += SUM_LANES * plane) {
        if (EVEN_O || O - o >= VW) {
            sum += EVEN_O ? load_vector(p) : vload(0, p);
            continue;
        }
        for (int l = 0; l < VW; l++)
            t[l] = o + l < O ? p[l] : 0;
        sum += vload(0, t);
    }
    return sum;
}

/* dw[O][I][taps] = sum over s of part[s][taps][I][O]. An item is VW values of each of VW rows of dw; of many
 * parts SUM_LANES work-items of a group add a share each, and the first of them adds these. */
#if SUM_LANES > 1
__attribute__((reqd_work_group_size(64, 1, 1)))
#endif
kernel void conv2d_bwd_dw_sum(global float *dw, global const float *part, int S, int taps, int I,
                              int O)
{
#if SUM_LANES > 1
    local vfloat shares[VW * 64];
    const int lid = get_local_id(0), lane = lid / SUM_ITEMS;
    const int item = get_group_id(0) * SUM_ITEMS + lid % SUM_ITEMS;
#else
    const int lane = 0, item = get_global_id(0);
#endif
    const int row = I * taps, blocks = (O + VW - 1) / VW;
    const int o = item % blocks * VW, j = item / blocks * VW;
    vfloat r[VW];
#pragma unroll
    for (int k = 0; k < VW; k++)
        r[k] = j < row ? dw_sum(part, lane, S, taps, I, O, o, min(j + k, row - 1)) : (vfloat)(0.0f);
#if SUM_LANES > 1
#pragma unroll
    for (int k = 0; k < VW; k++)
        shares[k * 64 + lid] = r[k];
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int k = 0; k < VW; k++)
        for (int n = 1; lane == 0 && n < SUM_LANES; n++)
            r[k] += shares[k * 64 + lid + n * SUM_ITEMS];
#endif
    if (lane > 0 || j >= row)
        return;
    transpose(r);
#pragma unroll
    for (int l = 0; l < VW; l++) {
        float t[VW];
        global float *to = dw + (size_t)(o + l) * row + j;
        if (o + l < O && row - j >= VW)
            vstore(r[l], 0, to);
        vstore(r[l], 0, t);
        for (int k = 0; o + l < O && row - j < VW && k < row - j; k++)
            to[k] = t[k];
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

/* out[rows][O] = dy where y > 0, else 0, when `mask`; part[blocks][O] = sums of that over `per` rows,
 * when `sums`. NaN stays NaN. An item is 16 channels of a block of rows. */
kernel void conv2d_bwd_mask(global act_t *out, global float *part, global const act_t *dy,
                            global const act_t *y, int mask, int sums, int rows, int O, int per)
{
    int wide = (O + 15) / 16, o = get_global_id(0) % wide * 16, block = get_global_id(0) / wide;
    float16 sum = 0;
    if (block * per >= rows)
        return;
    for (int r = block * per; r < min(rows, (block + 1) * per); r++) {
        size_t i = (size_t)r * O + o;
        float16 d = load_act_lanes(dy + i, O - o);
        if (mask) {
            d = select(d, (float16)(0), load_act_lanes(y + i, O - o) <= 0.0f);
            store_act_lanes(out + i, d, O - o);
        }
        sum += d;
    }
    if (sums)
        store_lanes(part + (size_t)block * O + o, sum, O - o);
}

/* y[N,OH/2,OW/2,O] and `at` from full[N,OH,OW,O], after bias and ReLU (`relu`: a maximum of 0 lets
 * no gradient pass). An item is 16 channels of a pooled row. */
kernel void conv2d_pool(global act_t *y, global uchar *at, global const float *full, int relu,
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
 * part[blocks][O] = sums over `per` pooled pixels, when `sums`. An item is 16 channels of a block of
 * pooled pixels; the last of a row or column also zeroes what no window covers. */
kernel void conv2d_bwd_unpool(global act_t *out, global float *part, global const act_t *dy,
                              global const uchar *at, int sums, int N, int OH, int OW, int O,
                              int per)
{
    int wide = (O + 15) / 16, o = get_global_id(0) % wide * 16, block = get_global_id(0) / wide;
    int PH = OH / 2, PW = OW / 2, rows = N * PH * PW, left = O - o;
    float16 sum = 0;
    if (block * per >= rows)
        return;
    for (int r = block * per; r < min(rows, (block + 1) * per); r++) {
        int n = r / (PH * PW), p = r / PW % PH, q = r % PW;
        int h = p == PH - 1 ? OH - 2 * p : 2, w = q == PW - 1 ? OW - 2 * q : 2;
        float16 d = load_act_lanes(dy + (size_t)r * O + o, left);
        int16 corner = load_bytes16(at + (size_t)r * O + o, left);
        global act_t *f = out + (((size_t)n * OH + p * 2) * OW + q * 2) * O + o;
        for (int i = 0; i < h; i++)
            for (int j = 0; j < w; j++) {
                int16 here = i < 2 && j < 2 ? corner == i * 2 + j : (int16)(0);
                store_act_lanes(f + ((size_t)i * OW + j) * O, select((float16)(0), d, here), left);
            }
        sum += select((float16)(0), d, corner < 4);
    }
    if (sums)
        store_lanes(part + (size_t)block * O + o, sum, left);
}
