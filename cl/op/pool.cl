/* pool.cl -- windows of SIZE x SIZE: y = max or mean over the window, and their gradients as gathers.
 * x[N,H,W,C] -> y[N,P,Q,C], NHWC; at[N,P,Q,C]: where in its window (row * size + column) a maximum
 * lies, one byte. max sees -inf outside the image and keeps NaN; avg counts zeros there.
 * Grid: rows.clh, over the pixels of the output (forward, 2x2) or of the input (backward). */
#include "lib/prelude.clh"
#include "lib/rows.clh"

#define convert_vint(v) CTR_CAT(convert_int, VW)(v)
#define convert_bytes(v) CTR_CAT(convert_uchar, VW)(v)

ALWAYS_INLINE vint load_bytes(global const uchar *p, int n)
{
    uchar t[VW];
    if (WHOLE || n >= VW)
        return convert_vint(load_whole_bytes(p));
    for (int i = 0; i < VW; i++)
        t[i] = i < n ? p[i] : 0;
    return convert_vint(vload(0, t));
}

ALWAYS_INLINE void store_bytes(global uchar *p, vint v, int n)
{
    uchar t[VW];
    if (WHOLE || n >= VW) {
        store_whole_bytes(convert_bytes(v), p);
        return;
    }
    vstore(convert_bytes(v), 0, t);
    for (int i = 0; i < n; i++)
        p[i] = t[i];
}

ALWAYS_INLINE void keep_larger(vfloat *best, vint *at, vfloat v, int offset)
{
    vint take = isgreater(v, *best) | isnan(v);
    *best = select(*best, v, take);
    *at = select(*at, (vint)(offset), take);
}

kernel void pool_fwd_max(global act_t *y, global uchar *at, global const act_t *x, const uint per,
                         const int size, const int stride, const int pad, const uint N, const int H,
                         const int W, const uint C, const uint P, const uint Q)
{
    CTR_ROW_LOOP(i, N * P * Q, per)
    {
        const uint np = (uint)i / Q, n = np / P; /* row of the output, over all images */
        int top = (int)(np - n * P) * stride - pad, left = (int)((uint)i - np * Q) * stride - pad;
        int y_lo = max(0, -top), y_hi = min(size, H - top);
        int x_lo = max(0, -left), x_hi = min(size, W - left);
        global const act_t *image = x + (size_t)n * H * W * C;
        CTR_LANE_LOOP(c, C)
        {
            vfloat best = -INFINITY;
            vint where = y_lo * size + x_lo;
            for (int ky = y_lo; ky < y_hi; ky++)
                for (int kx = x_lo; kx < x_hi; kx++) {
                    size_t pixel = (size_t)(top + ky) * W + left + kx;
                    keep_larger(&best, &where, load_act_part(image + pixel * C + c, C - c),
                                ky * size + kx);
                }
            store_act_part(y + i * C + c, best, C - c);
            store_bytes(at + i * C + c, where, C - c);
        }
    }
}

/* size 2, stride 2, no padding. */
kernel void pool_fwd_max_2x2(global act_t *y, global uchar *at, global const act_t *x,
                             const uint per, const uint N, const uint H, const uint W, const uint C)
{
    const uint P = H / 2, Q = W / 2;
    CTR_ROW_LOOP(i, N * P * Q, per)
    {
        const uint np = (uint)i / Q, q = (uint)i - np * Q; /* np: row, over all images */
        global const act_t *s = x + ((size_t)np * 2 * W + q * 2) * C; /* H = 2 P */
        CTR_LANE_LOOP(c, C)
        {
            vfloat best = load_act_part(s + c, C - c);
            vint where = 0;
            keep_larger(&best, &where, load_act_part(s + C + c, C - c), 1);
            keep_larger(&best, &where, load_act_part(s + (size_t)W * C + c, C - c), 2);
            keep_larger(&best, &where, load_act_part(s + (size_t)W * C + C + c, C - c), 3);
            store_act_part(y + i * C + c, best, C - c);
            store_bytes(at + i * C + c, where, C - c);
        }
    }
}

/* The first and the last of `count` windows along one side that hold position `at` of the padded input. */
inline int first_window(int at, int size, int stride)
{
    return at < size ? 0 : (at - size) / stride + 1;
}

inline int last_window(int at, int stride, int count)
{
    return min(at / stride, count - 1);
}

kernel void pool_bwd_max(global act_t *dx, global const act_t *dy, global const uchar *at,
                         const uint per, const int size, const int stride, const int pad,
                         const uint N, const int H, const int W, const uint C, const uint P,
                         const uint Q)
{
    CTR_ROW_LOOP(i, N * H * W, per)
    {
        const uint nh = (uint)i / W, n = nh / H; /* row of the input, over all images */
        int row = (int)(nh - n * H) + pad, column = (int)((uint)i - nh * W) + pad;
        size_t image = (size_t)n * P * Q;
        const int p_lo = first_window(row, size, stride), p_hi = last_window(row, stride, P);
        const int q_lo = first_window(column, size, stride), q_hi = last_window(column, stride, Q);
        CTR_LANE_LOOP(c, C)
        {
            vfloat sum = 0;
            for (int p = p_lo; p <= p_hi; p++)
                for (int q = q_lo; q <= q_hi; q++) {
                    size_t from = (image + (size_t)p * Q + q) * C + c;
                    int offset = (row - p * stride) * size + column - q * stride;
                    sum += select((vfloat)(0), load_act_part(dy + from, C - c),
                                  load_bytes(at + from, C - c) == offset);
                }
            store_act_part(dx + i * C + c, sum, C - c);
        }
    }
}

kernel void pool_bwd_max_2x2(global act_t *dx, global const act_t *dy, global const uchar *at,
                             const uint per, const uint N, const uint H, const uint W, const uint C)
{
    const uint P = H / 2, Q = W / 2;
    CTR_ROW_LOOP(i, N * P * Q, per)
    {
        const uint np = (uint)i / Q, q = (uint)i - np * Q;
        global act_t *d = dx + ((size_t)np * 2 * W + q * 2) * C;
        CTR_LANE_LOOP(c, C)
        {
            vfloat v = load_act_part(dy + i * C + c, C - c), zero = 0;
            vint where = load_bytes(at + i * C + c, C - c);
            store_act_part(d + c, select(zero, v, where == 0), C - c);
            store_act_part(d + C + c, select(zero, v, where == 1), C - c);
            store_act_part(d + (size_t)W * C + c, select(zero, v, where == 2), C - c);
            store_act_part(d + (size_t)W * C + C + c, select(zero, v, where == 3), C - c);
        }
    }
}

kernel void pool_fwd_avg(global act_t *y, global const act_t *x, const uint per, const int size,
                         const int stride, const int pad, const uint N, const int H, const int W,
                         const uint C, const uint P, const uint Q)
{
    const float scale = 1.0f / (float)(size * size);
    CTR_ROW_LOOP(i, N * P * Q, per)
    {
        const uint np = (uint)i / Q, n = np / P; /* row of the output, over all images */
        int top = (int)(np - n * P) * stride - pad, left = (int)((uint)i - np * Q) * stride - pad;
        global const act_t *image = x + (size_t)n * H * W * C;
        CTR_LANE_LOOP(c, C)
        {
            vfloat sum = 0;
            for (int h = max(0, top); h < min(H, top + size); h++)
                for (int w = max(0, left); w < min(W, left + size); w++)
                    sum += load_act_part(image + ((size_t)h * W + w) * C + c, C - c);
            store_act_part(y + i * C + c, sum * scale, C - c);
        }
    }
}

kernel void pool_bwd_avg(global act_t *dx, global const act_t *dy, const uint per, const int size,
                         const int stride, const int pad, const uint N, const int H, const int W,
                         const uint C, const uint P, const uint Q)
{
    const float scale = 1.0f / (float)(size * size);
    CTR_ROW_LOOP(i, N * H * W, per)
    {
        const uint nh = (uint)i / W, n = nh / H; /* row of the input, over all images */
        int row = (int)(nh - n * H) + pad, column = (int)((uint)i - nh * W) + pad;
        size_t image = (size_t)n * P * Q;
        const int p_lo = first_window(row, size, stride), p_hi = last_window(row, stride, P);
        const int q_lo = first_window(column, size, stride), q_hi = last_window(column, stride, Q);
        CTR_LANE_LOOP(c, C)
        {
            vfloat sum = 0;
            for (int p = p_lo; p <= p_hi; p++)
                for (int q = q_lo; q <= q_hi; q++)
                    sum += load_act_part(dy + (image + (size_t)p * Q + q) * C + c, C - c);
            store_act_part(dx + i * C + c, sum * scale, C - c);
        }
    }
}

/* y[N,C] = mean of x[N,pixels,C] over the pixels. Eight pixels at a time meet all channels, so that x
 * is read nearly in order; y, which is fp32, holds the sums meanwhile. */
#define TILE 8
kernel void pool_fwd_global(global float *y, global const act_t *x, const uint per, const uint N,
                            const uint pixels, const uint C)
{
    CTR_ROW_LOOP(n, N, per)
    for (uint first = 0; first < pixels; first += TILE)
        CTR_LANE_LOOP(c, C)
        {
            global const act_t *p = x + (n * pixels + first) * C + c;
            vfloat sum = 0;
            if (first + TILE <= pixels) {
                #pragma unroll
                for (uint i = 0; i < TILE; i++)
                    sum += load_act_part(p + i * C, C - c);
            } else {
                for (uint i = 0; i < pixels - first; i++)
                    sum += load_act_part(p + i * C, C - c);
            }
            if (first > 0)
                sum += load_part(y + n * C + c, C - c);
            if (first + TILE >= pixels)
                sum /= (float)pixels;
            store_part(y + n * C + c, sum, C - c);
        }
}

kernel void pool_bwd_global(global act_t *dx, global const float *dy, const uint per, const uint N,
                            const uint pixels, const uint C)
{
    CTR_ROW_LOOP(i, N * pixels, per)
    CTR_LANE_LOOP(c, C)
    store_act_part(dx + i * C + c, load_part(dy + (uint)i / pixels * (size_t)C + c, C - c) / (float)pixels, C - c);
}
