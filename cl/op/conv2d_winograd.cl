/* conv2d_winograd.cl -- 3x3 convolution of stride 1 on CPUs by F(4x4, 3x3): Lavin and Gray, "Fast
 * algorithms for convolutional neural networks", 2016. Y = At [ (G g Gt) . (Bt d B) ] A per tile.
 *
 * Forward, data gradient (the forward of dy with turned, transposed weights) and weight gradient
 * dg = Gt [ sum over tiles (Bt d B) . (A dY At) ] G. One work-item (local size 1) does everything
 * for a block of tiles: transformed inputs and products stay in local memory, its private scratch.
 * Activations NHWC, channels multiples of 32. Tiles 4 x 4 outputs, numbered over (image, row, column).
 * Groups: see groups.clh. The host defines T (tiles of a block, a multiple of 8), HALVES (1: groups of
 * 32 in halves) and GATE (which gradients count, conv_pool.clh); KC (in channels at a time, 32 or 64)
 * and POOL (1: it ends in 2x2 max pooling) for the forward; CI, CO (channel block) and SOLE (1: there
 * is but one part) for the weight gradient. */
#ifndef VW
#define VW 16 /* a CPU's */
#endif
#include "lib/prelude.clh"
#include "lib/lanes.clh"
#include "lib/conv_pool.clh"
#include "lib/groups.clh"
typedef float16 wino_t;
#include "lib/winograd.clh"

#ifndef T
#define T 8
#endif
#ifndef KC
#define KC 32
#endif
#ifndef CI
#define CI 32
#endif
#ifndef CO
#define CO 32
#endif
#ifndef POOL
#define POOL 0
#endif
#ifndef HALVES
#define HALVES 0
#endif
#define DEPTH (HALVES ? 16 : KC) /* in channels at a time of an out channel */
#ifndef SOLE
#define SOLE 0
#endif
#include "lib/transpose.clh"
#define PACK 4 /* in channels of a packed block, as in src/op/conv2d_winograd.c */
/* Floats from one of the 36 points to the next. A line is added, lest all points of a tile fall
 * into the same set of the nearest cache. */
#define LINE    16
#define V_POINT (KC * T + LINE)
#define M_POINT (32 * T + LINE)
#define X_POINT (CI * T + LINE)
#define E_POINT (CO * T + LINE)
#define D_ROWS  (HALVES ? 16 : CI)
#define D_POINT (D_ROWS * CO + LINE)

/* u[36] (each PACK * 32 floats from the last) = G w Gt of 16 out channels, `so` floats apart in w, taps in
 * reverse if `turn`. The rows of 9 taps are transposed, since gathering them one by one takes twice the
 * instructions; those of the next block, `ahead` floats from these, are asked for. */
inline void weight_tile(local float *u, global const float *w, int so, size_t ahead, int turn)
{
    float16 row[16], g[9], t[3][6], o[6];
#pragma unroll
    for (int n = 0; n < 16; n++) {
        global const float *from = w + (size_t)n * so;
        prefetch_line(from + ahead);
        if (n < 15) {
            row[n] = vload16(0, from);
        } else { /* nothing past the taps: w may end there */
            row[n].lo = vload8(0, from);
            row[n].hi = (float8)(from[8]);
        }
    }
    transpose(row);
#pragma unroll
    for (int tap = 0; tap < 9; tap++)
        g[tap] = turn ? row[8 - tap] : row[tap];
    for (int x = 0; x < 3; x++)
        MUL_G(t[x], g[x], g[3 + x], g[6 + x])
    for (int y = 0; y < 6; y++) {
        MUL_G(o, t[0][y], t[1][y], t[2][y])
        for (int x = 0; x < 6; x++)
            store16_local(o[x], 0, u + (y * 6 + x) * PACK * 32);
    }
}

/* to[O][I][9]: what each out channel meets (groups.clh). An item is one of O x I. */
kernel void conv2d_winograd_order(global float *to, global const float *w, int O, int I, int IG, int OG,
                                   int transposed)
{
    const int o = get_global_id(0) / I, i = get_global_id(0) % I;
    if (o >= O)
        return;
    global const float *from = taps_of(w, o, i, I, IG, OG, 9, transposed);
    for (int tap = 0; tap < 9; tap++)
        to[(size_t)get_global_id(0) * 9 + tap] = from ? from[tap] : 0;
}

/* U[out/32][36][I][32] = G w Gt of the out channels from `first`; w(o, i, tap) = w[o * so + i * si +
 * tap], taps in reverse if `turn`. `stream`: past the caches, where lines 32 I floats apart would push
 * each other out. Work size (I / PACK, out channels / 32): a block passes through local memory, so that
 * PACK * 32 floats side by side are stored at a time. */
kernel ONE_ITEM void conv2d_winograd_pack(global float *U, global const float *w, int I, int first, int so,
                                      int si, int turn, int stream)
{
    local float block[36 * PACK * 32];
    const int i = get_group_id(0) * PACK, o = get_group_id(1) * 32;
    w += (size_t)(first + o) * so + (size_t)i * si;
    for (int half_of = 0; half_of < 32; half_of += 16)
        for (int k = 0; k < PACK; k++)
            weight_tile(block + k * 32 + half_of, w + (size_t)half_of * so + (size_t)k * si, so,
                        (size_t)si * PACK, turn);
    for (int point = 0; point < 36; point++) {
        local const float *from = block + point * PACK * 32;
        global float *to = U + ((size_t)(o / 32 * 36 + point) * I + i) * 32;
        for (int k = 0; k < PACK * 32; k += 16)
            if (stream)
                stream16(vload16(0, from + k), to + k);
            else
                store16(vload16(0, from + k), 0, to + k);
    }
}

/* Where the n x n values of a tile lie in an H x W image, -1 outside: at[n * n]. With shrink=1 the
 * image is kept at half the size and each of its values stands for 2 x 2. */
inline void place(int *at, int n, int y, int x, int H, int W, int C, int shrink, int live)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            int inside = live && (uint)(y + i) < (uint)H && (uint)(x + j) < (uint)W;
            int pixel = ((y + i) >> shrink) * (W >> shrink) + ((x + j) >> shrink);
            at[i * n + j] = inside ? pixel * C : -1;
        }
}

/* The same for what tile `tile` < `end` reads of x[N,H,W,C]; returns where its image begins. */
inline size_t input_place(int *at, int tile, int end, int H, int W, int C, int pad, int th, int tw,
                          int shrink)
{
    int n = tile / (th * tw), r = tile - n * th * tw;
    place(at, 6, r / tw * 4 - pad, r % tw * 4 - pad, H, W, C, shrink, tile < end);
    return (size_t)n * (H >> shrink) * (W >> shrink) * C;
}

/* v[36] (each `apart` floats from the last) = Bt d B of 16 channels. `odd`: whether row and column
 * of its first value are odd, which the gate of a pooled gradient must know. Meanwhile the values of
 * the next call, at next + next_at[36], are fetched. */
inline void input_tile(local float *v, int apart, global const act_t *x, global const gate_t *gate,
                       const int *at, int odd, int gated, global const act_t *next,
                       const int *next_at)
{
    float16 t[6][6], d[6], o[6];
#pragma unroll
    for (int j = 0; j < 6; j++) {
#pragma unroll
        for (int i = 0; i < 6; i++) {
            d[i] = gated ? gated16(x, gate, at[i * 6 + j], corner_of(i + odd, j + odd))
                         : load_act16_or_0(x, at[i * 6 + j]);
            prefetch_line(next + next_at[i * 6 + j]);
        }
        MUL_BT(t[j], d[0], d[1], d[2], d[3], d[4], d[5])
    }
#pragma unroll
    for (int i = 0; i < 6; i++) {
        MUL_BT(o, t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i])
#pragma unroll
        for (int j = 0; j < 6; j++)
            store16_local(o[j], 0, v + (i * 6 + j) * apart);
    }
}

#define STEPS (T / REG_ROWS) /* for each of DEPTH channels */

/* Step `step` of STEPS DEPTH fetches its share of the 2 DEPTH lines at p: no condition on anything but `step`,
 * since a branch in the loop costs more than the fetching. */
inline void fetch_share(global const float *p, int step)
{
#if STEPS == 1
    prefetch_line(p + step * 32);
    prefetch_line(p + step * 32 + 16);
#else
    if (step % (STEPS / 2) == 0) {
        prefetch_line(p + step / (STEPS / 2) * 16);
    }
#endif
}

/* M[T][32] = (first ? 0 : M) + V[DEPTH/16][T][16] U[DEPTH][32], with HALVES the last 16 of 32 with V[1], not V[0].
 * The U of the next call, 2 DEPTH lines, is fetched meanwhile, evenly over the STEPS DEPTH steps. */
inline void multiply(local float *M, local const float *V, global const float *U,
                     global const float *next, int first)
{
    for (int t = 0; t < T; t += REG_ROWS) {
        float16 a[REG_ROWS], b[REG_ROWS];
#pragma unroll
        for (int i = 0; i < REG_ROWS; i++) {
            a[i] = first ? (float16)(0) : vload16(2 * (t + i), M);
            b[i] = first ? (float16)(0) : vload16(2 * (t + i) + 1, M);
        }
        for (int k = 0; k < DEPTH; k += 16) {
            local const float *v = V + k * T + t * 16;
            global const float *u = U + k * 32;
#pragma unroll 4
            for (int j = 0; j < 16; j++) {
                float16 u0 = vload16(2 * j, u), u1 = vload16(2 * j + 1, u);
                fetch_share(next, t / REG_ROWS * DEPTH + k + j);
#pragma unroll
                for (int i = 0; i < REG_ROWS; i++) {
                    a[i] = fma((float16)(v[i * 16 + j]), u0, a[i]);
                    b[i] = fma((float16)(v[HALVES * T * 16 + i * 16 + j]), u1, b[i]);
                }
            }
        }
#pragma unroll
        for (int i = 0; i < REG_ROWS; i++) {
            store16_local(a[i], 2 * (t + i), M);
            store16_local(b[i], 2 * (t + i) + 1, M);
        }
    }
}

/* y (rows `row` floats apart, nh x nw of 4 x 4 pixels, 2 x 2 with POOL) = At m A of 16 channels,
 * plus bias, clamped from below. m[36], each M_POINT floats from the last. */
inline void output_tile(global act_t *y, global uchar *at, local const float *m, float16 bias,
                        float low, int row, int C, int nh, int nw, int stream)
{
    float16 t[6][4], d[6], o[4][4];
#pragma unroll
    for (int j = 0; j < 6; j++) {
#pragma unroll
        for (int i = 0; i < 6; i++)
            d[i] = vload16(0, m + (i * 6 + j) * M_POINT);
        MUL_AT(t[j], d[0], d[1], d[2], d[3], d[4], d[5])
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        MUL_AT(o[i], t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i])
        if (!POOL && i < nh)
#pragma unroll
            for (int j = 0; j < 4; j++)
                if (j < nw)
                    store_clamped(y + i * row + j * C, o[i][j] + bias, low, 16, stream);
        if (POOL && i % 2 && i / 2 < nh)
#pragma unroll
            for (int j = 0; j < 4; j += 2)
                if (j / 2 < nw) {
                    int to = i / 2 * row + j / 2 * C;
                    store_max16(y + to, at + to, o[i - 1][j], o[i - 1][j + 1], o[i][j], o[i][j + 1],
                                bias, (float16)(low), 16);
                }
    }
}

/* y[N,OH,OW,O], channels from `first`, from x[N,H,W,C]; for the data gradient x is dy, gated (GATE=2:
 * H and W are the sizes before pooling). I, OG: in and out channels of a group, of G out at most. Work size
 * (blocks of T tiles, groups of G out channels). V[36][V_POINT] holds [KC/16][T][16], M[G/32][36][M_POINT]
 * holds [T][32]; KC in channels at a time add to M. th x tw tiles an image. */
kernel ONE_ITEM void conv2d_winograd(global act_t *y, global uchar *max_at, global const act_t *x,
                                 global const gate_t *gate, global const float *U,
                                 global const float *bias, local float *V, local float *M,
                                 int use_bias, float low, int N, int H, int W, int C, int I,
                                 int OH, int OW, int O, int OG, int first, int pad, int th, int tw, int G,
                                 int stream)
{
    const int size = POOL ? 2 : 4, shrink = GATE == 2, end = N * th * tw;
    int t0 = get_group_id(0) * T, u0 = get_group_id(1) * G, o0 = first + u0, i0 = o0 / OG * I, at[2][36];
    const int depth = HALVES ? DEPTH : I; /* of U */
    for (int c0 = 0; c0 < I; c0 += KC) {
        size_t image = input_place(at[0], t0, end, H, W, C, pad, th, tw, shrink) + i0 + c0;
        for (int t = 0; t < T; t++) {
            int *here = at[t & 1], *there = at[~t & 1];
            size_t next = input_place(there, t0 + t + 1, end, H, W, C, pad, th, tw, shrink) + i0 + c0;
            for (int c = 0; c < KC; c += 16) {
                int last = c + 16 == KC;
                input_tile(V + c * T + t * 16, V_POINT, x + image + c, gate + image + c, here,
                           pad & 1, GATE, x + (last ? next : image + c + 16), last ? there : here);
            }
            image = next;
        }
        for (int g = 0; g < G; g += 32)
            for (int p = 0; p < 36; p++)
                multiply(M + (g / 32 * 36 + p) * M_POINT, V + p * V_POINT,
                         U + (((size_t)((u0 + g) / 32) * 36 + p) * depth + c0) * 32,
                         U + (((size_t)((u0 + g) / 32) * 36 + p + 1) * depth + c0) * 32, c0 == 0);
    }
    for (int t = 0; t < T; t++) {
        int n = (t0 + t) / (th * tw), r = t0 + t - n * th * tw;
        int oy = r / tw * size, ox = r % tw * size;
        if (n >= N)
            break;
        size_t to = (((size_t)n * OH + oy) * OW + ox) * O + o0;
        for (int g = 0; g < G; g += 16)
            output_tile(y + to + g, max_at + to + g, M + g / 32 * 36 * M_POINT + t * 32 + (g & 16),
                        use_bias ? vload16(0, bias + o0 + g) : (float16)(0), low, OW * O, O,
                        OH - oy, OW - ox, stream);
    }
}

/* Where the tile's gradients lie in dy[N,OH,OW,O]; returns where its image begins. */
inline size_t gradient_place(int *at, int tile, int end, int OH, int OW, int O, int th, int tw)
{
    const int shrink = GATE == 2;
    int n = tile / (th * tw), r = tile - n * th * tw;
    place(at, 4, r / tw * 4, r % tw * 4, OH, OW, O, shrink, tile < end);
    return (size_t)n * (OH >> shrink) * (OW >> shrink) * O;
}

/* v[36] (each `apart` floats from the last) = A dY At of 16 channels; returns the sum over the
 * tile. Fetches for the next call as input_tile does. */
inline float16 gradient_tile(local float *v, int apart, global const act_t *dy,
                             global const gate_t *gate, const int *at, global const act_t *next,
                             const int *next_at)
{
    float16 t[4][6], d[4], o[6], sum = 0;
#pragma unroll
    for (int j = 0; j < 4; j++) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            d[i] = gated16(dy, gate, at[i * 4 + j], corner_of(i, j));
            sum += d[i];
            prefetch_line(next + next_at[i * 4 + j]);
        }
        MUL_A(t[j], d[0], d[1], d[2], d[3])
    }
#pragma unroll
    for (int i = 0; i < 6; i++) {
        MUL_A(o, t[0][i], t[1][i], t[2][i], t[3][i])
#pragma unroll
        for (int j = 0; j < 6; j++)
            store16_local(o[j], 0, v + (i * 6 + j) * apart);
    }
    return sum;
}

/* D[D_ROWS][CO] += V[T][CI] transposed times E[T][CO], each half of both with HALVES. */
inline void multiply_dw(local float *D, local const float *V, local const float *E)
{
    for (int o = 0; o < CO; o += 32)
        for (int c = 0; c < D_ROWS; c += REG_ROWS) {
            local float *d = D + c * CO + o;
            float16 a[REG_ROWS], b[REG_ROWS];
#pragma unroll
            for (int i = 0; i < REG_ROWS; i++) {
                a[i] = vload16(0, d + i * CO);
                b[i] = vload16(1, d + i * CO);
            }
#pragma unroll 4
            for (int k = 0; k < T; k++) {
                local const float *v = V + c + k * CI, *e = E + o + k * CO;
                float16 e0 = vload16(0, e), e1 = vload16(1, e);
#pragma unroll
                for (int i = 0; i < REG_ROWS; i++) {
                    a[i] = fma((float16)(v[i]), e0, a[i]);
                    b[i] = fma((float16)(v[HALVES * 16 + i]), e1, b[i]);
                }
            }
#pragma unroll
            for (int i = 0; i < REG_ROWS; i++) {
                store16_local(a[i], 0, d + i * CO);
                store16_local(b[i], 1, d + i * CO);
            }
        }
}

#if SOLE
#define DW_SPACE          local
#define store_dw(v, i, p) store16_local(v, i, p)
#else
#define DW_SPACE          global
#define store_dw(v, i, p) store16(v, i, p)
#endif

/* dw (taps `tap` floats apart) = Gt d G of 16 channels; d[36], each D_POINT floats from the last.
 */
inline void filter_tile(DW_SPACE float *dw, size_t tap, local const float *m)
{
    float16 t[6][3], d[6], o[3];
#pragma unroll
    for (int j = 0; j < 6; j++) {
#pragma unroll
        for (int i = 0; i < 6; i++)
            d[i] = vload16(0, m + (i * 6 + j) * D_POINT);
        MUL_GT(t[j], d[0], d[1], d[2], d[3], d[4], d[5])
    }
#pragma unroll
    for (int i = 0; i < 3; i++) {
        MUL_GT(o, t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i])
#pragma unroll
        for (int j = 0; j < 3; j++)
            store_dw(o[j], 0, dw + (i * 3 + j) * tap);
    }
}

#if SOLE
/* 16 rows of dw, `row` floats apart: 16 in channels x 9 taps of 16 out channels, turned by way of
 * t[16 * 9][16]. */
inline void filter_rows(global float *dw, size_t row, local float *t, local const float *m)
{
    for (int i = 0; i < 16; i++)
        filter_tile(t + i * 9 * 16, 16, m + i * CO);
    for (int j = 0; j < 9; j++) {
        float16 r[16];
#pragma unroll
        for (int k = 0; k < 16; k++)
            r[k] = vload16(j * 16 + k, t);
        transpose(r);
#pragma unroll
        for (int o = 0; o < 16; o++)
            stream16(r[o], dw + o * row + j * 16);
    }
}
#endif

/* D[I][CO] = of the 16 in channels that a half of D has met the I of each out channel's group. */
inline void keep_groups(local float *D, int I)
{
    for (int p = 0; p < 36; p++)
        for (int i = 0; i < I; i++)
            for (int o = 0; o < CO; o++)
                D[p * D_POINT + i * CO + o] = D[p * D_POINT + (o % 16 / I * I + i) * CO + o];
}

/* part[S][9][I][O] or, with SOLE=1 where S is 1, dw[O][I][9] itself; when use_sums, dy_sums[S][O] from
 * `sums_at` on. I, OG: in and out channels of a group; of groups of less than 16, SOLE is 0. Tiles
 * [split * per, (split + 1) * per) with per a multiple of T. OH and OW are the sizes before pooling. Work size
 * (S, C / CI, OG / CO or 1 with HALVES). V[36][X_POINT], E[36][E_POINT], D[36][D_POINT] hold [T][CI], [T][CO],
 * [D_ROWS][CO]. */
kernel ONE_ITEM void conv2d_winograd_bwd_dw(global float *part, global const act_t *x,
                                        global const act_t *dy, global const gate_t *gate,
                                        global float *dy_sums, ulong sums_at, int use_sums,
                                        local float *V, local float *E, local float *D, int N,
                                        int H, int W, int C, int I, int OH, int OW, int O, int OG,
                                        int pad, int th, int tw, int per)
{
    int split = get_group_id(0), end = min(N * th * tw, (split + 1) * per);
    int c0 = get_group_id(1) * CI, i0 = c0 % I, x_at[2][36], dy_at[2][16];
    int o0 = HALVES ? c0 : c0 / I * OG + get_group_id(2) * CO;
    float16 sums[CO / 16];
    for (int o = 0; o < CO / 16; o++)
        sums[o] = 0;
    for (int i = 0; i < 36 * D_POINT; i += 16)
        store16_local((float16)(0), 0, D + i);
    size_t xi = input_place(x_at[0], split * per, end, H, W, C, pad, th, tw, 0) + c0;
    size_t yi = gradient_place(dy_at[0], split * per, end, OH, OW, O, th, tw) + o0;
    for (int t0 = split * per; t0 < end; t0 += T) {
        for (int t = 0; t < T; t++) {
            int here = t & 1, there = !here;
            size_t xn = input_place(x_at[there], t0 + t + 1, end, H, W, C, pad, th, tw, 0) + c0;
            size_t yn = gradient_place(dy_at[there], t0 + t + 1, end, OH, OW, O, th, tw) + o0;
            for (int c = 0; c < CI; c += 16) {
                int last = c + 16 == CI;
                input_tile(V + t * CI + c, X_POINT, x + xi + c, gate, x_at[here], 0, 0,
                           x + (last ? xn : xi + c + 16), x_at[last ? there : here]);
            }
            for (int c = 0; c < CO; c += 16) {
                int last = c + 16 == CO;
                sums[c / 16] += gradient_tile(E + t * CO + c, E_POINT, dy + yi + c, gate + yi + c,
                                              dy_at[here], dy + (last ? yn : yi + c + 16),
                                              dy_at[last ? there : here]);
            }
            xi = xn;
            yi = yn;
        }
        for (int p = 0; p < 36; p++)
            multiply_dw(D + p * D_POINT, V + p * X_POINT, E + p * E_POINT);
    }
#if SOLE
    for (int o = 0; o < CO; o += 16)
        for (int i = 0; i < D_ROWS; i += 16)
            filter_rows(part + ((size_t)(o0 + o) * I + i0 + i) * 9, (size_t)I * 9, V, D + i * CO + o);
#else
    if (HALVES && I < 16)
        keep_groups(D, OWN_BOUND(I));
    for (int i = 0; i < min(I, D_ROWS); i++)
        for (int o = 0; o < CO; o += 16)
            filter_tile(part + ((size_t)split * 9 * I + i0 + i) * O + o0 + o, (size_t)I * O,
                        D + i * CO + o);
#endif
    if (use_sums && i0 == 0)
        for (int o = 0; o < CO / 16; o++)
            store16(sums[o], o, dy_sums + sums_at + (size_t)split * O + o0);
}
