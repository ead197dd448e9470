/* conv2d_winograd_gpu.cl -- 3x3 convolution of stride 1 on GPUs by F(4x4, 3x3) in three launches: transforms
 * of all tiles and of the weights (these kernels), 36 products of matrices (cl/op/gemm_gpu.cl), and
 * the transform back. Formulas and source: cl/op/conv2d_winograd.cl.
 *
 * Between launches, in fp32 however activations are stored: V[36][T][C] of inputs, U[36][C][O] of weights,
 * M[36][T][O] of products; a point's matrices lie behind one another. T tiles of 4 x 4 outputs, numbered
 * over (image, row, column). A work-item is one tile of one channel, neighbours have neighbouring channels:
 * every access of memory is of neighbours. */
#include "lib/prelude.clh"
typedef float wino_t;
#include "lib/winograd.clh"

/* U = G w Gt; w(o, i, tap) = w[o * so + i * si + tap], taps in reverse if `turn`. */
kernel void conv2d_winograd_gpu_pack(global float *U, global const float *w, int I, int O, int so,
                                     int si, int turn)
{
    const int o = get_global_id(0) % O, i = get_global_id(0) / O;
    float g[9], t[3][6], u[6];
    if (i >= I)
        return;
#pragma unroll
    for (int tap = 0; tap < 9; tap++)
        g[tap] = w[(size_t)o * so + (size_t)i * si + (turn ? 8 - tap : tap)];
#pragma unroll
    for (int x = 0; x < 3; x++)
        MUL_G(t[x], g[x], g[3 + x], g[6 + x])
#pragma unroll
    for (int y = 0; y < 6; y++) {
        MUL_G(u, t[0][y], t[1][y], t[2][y])
#pragma unroll
        for (int x = 0; x < 6; x++)
            U[((size_t)(y * 6 + x) * I + i) * O + o] = u[x];
    }
}

/* Where a tile begins: its image counted from `first`, and its row and column of outputs. */
struct place {
    size_t image;
    int y, x;
};

inline struct place place_of(int tile, int first, int th, int tw)
{
    const int n = tile / (th * tw), r = tile - n * th * tw;
    return (struct place){first + n, r / tw * 4, r % tw * 4};
}

/* V = Bt d B of the 6 x 6 inputs of each tile; x[N,H,W,C]. */
kernel void conv2d_winograd_gpu_in(global float *V, global const act_t *x, int first, int T, int H,
                                   int W, int C, int pad, int th, int tw)
{
    const int c = get_global_id(0) % C, tile = get_global_id(0) / C;
    if (tile >= T)
        return;
    const struct place at = place_of(tile, first, th, tw);
    const int y0 = at.y - pad, x0 = at.x - pad;
    float t[6][6], d[6], o[6];
    x += at.image * H * W * C + c;
#pragma unroll
    for (int j = 0; j < 6; j++) {
#pragma unroll
        for (int i = 0; i < 6; i++)
            d[i] = (uint)(y0 + i) < (uint)H && (uint)(x0 + j) < (uint)W
                       ? get_act(x + ((y0 + i) * W + x0 + j) * C)
                       : 0;
        MUL_BT(t[j], d[0], d[1], d[2], d[3], d[4], d[5])
    }
    V += (size_t)tile * C + c;
#pragma unroll
    for (int i = 0; i < 6; i++) {
        MUL_BT(o, t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i])
#pragma unroll
        for (int j = 0; j < 6; j++)
            V[(size_t)(i * 6 + j) * T * C] = o[j];
    }
}

/* out[N,H,W,O] = At M A (+ bias) (not below `low`). */
kernel void conv2d_winograd_gpu_out(global out_t *out, global const float *M,
                                    global const float *bias, int use_bias, float low, int first,
                                    int T, int H, int W, int O, int th, int tw)
{
    const int c = get_global_id(0) % O, tile = get_global_id(0) / O;
    if (tile >= T)
        return;
    const struct place at = place_of(tile, first, th, tw);
    const float b = use_bias ? bias[c] : 0;
    float t[6][4], o[4];
    M += (size_t)tile * O + c;
#pragma unroll
    for (int j = 0; j < 6; j++) {
        global const float *p = M + (size_t)j * T * O;
        const size_t row = (size_t)6 * T * O;
        MUL_AT(t[j], p[0], p[row], p[2 * row], p[3 * row], p[4 * row], p[5 * row])
    }
    out += ((at.image * H + at.y) * W + at.x) * O + c;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        MUL_AT(o, t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i])
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const float v = o[j] + b;
            if (at.y + i < H && at.x + j < W)
#if FULL
                out[(i * W + j) * O] = v < low ? low : v;
#else
                put_act(v < low ? low : v, out + (i * W + j) * O);
#endif
        }
    }
}

/* V = A dY At of the 4 x 4 gradients of each tile, for the weight gradient; dy[N,H,W,C]. */
kernel void conv2d_winograd_gpu_grad(global float *V, global const act_t *dy, int first, int T,
                                     int H, int W, int C, int th, int tw)
{
    const int c = get_global_id(0) % C, tile = get_global_id(0) / C;
    if (tile >= T)
        return;
    const struct place at = place_of(tile, first, th, tw);
    float t[4][6], d[4], o[6];
    dy += at.image * H * W * C + c;
#pragma unroll
    for (int j = 0; j < 4; j++) {
#pragma unroll
        for (int i = 0; i < 4; i++)
            d[i] = at.y + i < H && at.x + j < W ? get_act(dy + ((at.y + i) * W + at.x + j) * C) : 0;
        MUL_A(t[j], d[0], d[1], d[2], d[3])
    }
    V += (size_t)tile * C + c;
#pragma unroll
    for (int i = 0; i < 6; i++) {
        MUL_A(o, t[0][i], t[1][i], t[2][i], t[3][i])
#pragma unroll
        for (int j = 0; j < 6; j++)
            V[(size_t)(i * 6 + j) * T * C] = o[j];
    }
}

/* dw[O][C][9] = Gt (sum over parts of part[S][36][C][O], in this order) G. An item is one weight's taps. */
kernel void conv2d_winograd_gpu_dw(global float *dw, global const float *part, int S, int C, int O)
{
    const int o = get_global_id(0) % O, c = get_global_id(0) / O;
    const size_t plane = (size_t)C * O;
    float t[6][3], d[6], g[3];
    if (c >= C)
        return;
    part += (size_t)c * O + o;
#pragma unroll
    for (int j = 0; j < 6; j++) {
#pragma unroll
        for (int i = 0; i < 6; i++) {
            d[i] = 0;
            for (int s = 0; s < S; s++)
                d[i] += part[((size_t)s * 36 + i * 6 + j) * plane];
        }
        MUL_GT(t[j], d[0], d[1], d[2], d[3], d[4], d[5])
    }
    dw += ((size_t)o * C + c) * 9;
#pragma unroll
    for (int i = 0; i < 3; i++) {
        MUL_GT(g, t[0][i], t[1][i], t[2][i], t[3][i], t[4][i], t[5][i])
#pragma unroll
        for (int j = 0; j < 3; j++)
            dw[i * 3 + j] = g[j];
    }
}
