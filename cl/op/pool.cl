/* pool.cl -- windows of SIZE x SIZE: y = max or mean over the window, and their gradients as gathers.
 * x[N,H,W,C] -> y[N,P,Q,C], NHWC; at[N,P,Q,C]: where in its window (row * size + column) a maximum
 * lies, one byte. max sees -inf outside the image and keeps NaN; avg counts zeros there.
 * Grid: rows.clh, over the pixels of the output (forward, 2x2) or of the input (backward). */
#include "lib/prelude.clh"
#include "lib/rows.clh"

#define vuchar          CTR_CAT(uchar, VW)
#define convert_vint(v) CTR_CAT(convert_int, VW)(v)
#define convert_bytes(v) CTR_CAT(convert_uchar, VW)(v)

inline vint load_bytes(global const uchar *p, int n)
{
    uchar t[VW];
    if (n >= VW)
        return convert_vint(vload(0, p));
    for (int i = 0; i < VW; i++)
        t[i] = i < n ? p[i] : 0;
    return convert_vint(vload(0, t));
}

inline void store_bytes(global uchar *p, vint v, int n)
{
    uchar t[VW];
    if (n >= VW) {
        vstore(convert_bytes(v), 0, p);
        return;
    }
    vstore(convert_bytes(v), 0, t);
    for (int i = 0; i < n; i++)
        p[i] = t[i];
}

inline void keep_larger(vfloat *best, vint *at, vfloat v, int offset)
{
    vint take = isgreater(v, *best) | isnan(v);
    *best = select(*best, v, take);
    *at = select(*at, (vint)(offset), take);
}

kernel void pool_fwd_max(global float *y, global uchar *at, global const float *x, const uint per,
                         const int size, const int stride, const int pad, const uint N, const int H,
                         const int W, const uint C, const uint P, const uint Q)
{
    CTR_ROW_LOOP(i, (ulong)N * P * Q, per)
    {
        int top = (int)(i / Q % P) * stride - pad, left = (int)(i % Q) * stride - pad;
        int y_lo = max(0, -top), y_hi = min(size, H - top);
        int x_lo = max(0, -left), x_hi = min(size, W - left);
        global const float *image = x + i / ((size_t)P * Q) * H * W * C;
        CTR_LANE_LOOP(c, C)
        {
            vfloat best = -INFINITY;
            vint where = y_lo * size + x_lo;
            for (int ky = y_lo; ky < y_hi; ky++)
                for (int kx = x_lo; kx < x_hi; kx++) {
                    size_t pixel = (size_t)(top + ky) * W + left + kx;
                    keep_larger(&best, &where, load_part(image + pixel * C + c, C - c),
                                ky * size + kx);
                }
            store_part(y + i * C + c, best, C - c);
            store_bytes(at + i * C + c, where, C - c);
        }
    }
}

/* size 2, stride 2, no padding. */
kernel void pool_fwd_max_2x2(global float *y, global uchar *at, global const float *x,
                             const uint per, const uint N, const uint H, const uint W, const uint C)
{
    const uint P = H / 2, Q = W / 2;
    CTR_ROW_LOOP(i, (ulong)N * P * Q, per)
    {
        size_t q = i % Q, np = i / Q; /* row of the output, counted over all images */
        global const float *s = x + ((np / P * H + np % P * 2) * W + q * 2) * C;
        CTR_LANE_LOOP(c, C)
        {
            vfloat best = load_part(s + c, C - c);
            vint where = 0;
            keep_larger(&best, &where, load_part(s + C + c, C - c), 1);
            keep_larger(&best, &where, load_part(s + (size_t)W * C + c, C - c), 2);
            keep_larger(&best, &where, load_part(s + (size_t)W * C + C + c, C - c), 3);
            store_part(y + i * C + c, best, C - c);
            store_bytes(at + i * C + c, where, C - c);
        }
    }
}

/* Windows [lo, hi] along one side that hold position `at` of the padded input. */
#define FIRST_WINDOW(at) ((at) < size ? 0 : ((at) - size) / stride + 1)
#define LAST_WINDOW(at, count) min((at) / stride, (int)(count) - 1)

kernel void pool_bwd_max(global float *dx, global const float *dy, global const uchar *at,
                         const uint per, const int size, const int stride, const int pad,
                         const uint N, const int H, const int W, const uint C, const uint P,
                         const uint Q)
{
    CTR_ROW_LOOP(i, (ulong)N * H * W, per)
    {
        int row = (int)(i / W % H) + pad, column = (int)(i % W) + pad;
        size_t image = i / ((size_t)H * W) * P * Q;
        CTR_LANE_LOOP(c, C)
        {
            vfloat sum = 0;
            for (int p = FIRST_WINDOW(row); p <= LAST_WINDOW(row, P); p++)
                for (int q = FIRST_WINDOW(column); q <= LAST_WINDOW(column, Q); q++) {
                    size_t from = (image + (size_t)p * Q + q) * C + c;
                    int offset = (row - p * stride) * size + column - q * stride;
                    sum += select((vfloat)(0), load_part(dy + from, C - c),
                                  load_bytes(at + from, C - c) == offset);
                }
            store_part(dx + i * C + c, sum, C - c);
        }
    }
}

kernel void pool_bwd_max_2x2(global float *dx, global const float *dy, global const uchar *at,
                             const uint per, const uint N, const uint H, const uint W, const uint C)
{
    const uint P = H / 2, Q = W / 2;
    CTR_ROW_LOOP(i, (ulong)N * P * Q, per)
    {
        size_t q = i % Q, np = i / Q;
        global float *d = dx + ((np / P * H + np % P * 2) * W + q * 2) * C;
        CTR_LANE_LOOP(c, C)
        {
            vfloat v = load_part(dy + i * C + c, C - c), zero = 0;
            vint where = load_bytes(at + i * C + c, C - c);
            store_part(d + c, select(zero, v, where == 0), C - c);
            store_part(d + C + c, select(zero, v, where == 1), C - c);
            store_part(d + (size_t)W * C + c, select(zero, v, where == 2), C - c);
            store_part(d + (size_t)W * C + C + c, select(zero, v, where == 3), C - c);
        }
    }
}

kernel void pool_fwd_avg(global float *y, global const float *x, const uint per, const int size,
                         const int stride, const int pad, const uint N, const int H, const int W,
                         const uint C, const uint P, const uint Q)
{
    const float scale = 1.0f / (float)(size * size);
    CTR_ROW_LOOP(i, (ulong)N * P * Q, per)
    {
        int top = (int)(i / Q % P) * stride - pad, left = (int)(i % Q) * stride - pad;
        global const float *image = x + i / ((size_t)P * Q) * H * W * C;
        CTR_LANE_LOOP(c, C)
        {
            vfloat sum = 0;
            for (int h = max(0, top); h < min(H, top + size); h++)
                for (int w = max(0, left); w < min(W, left + size); w++)
                    sum += load_part(image + ((size_t)h * W + w) * C + c, C - c);
            store_part(y + i * C + c, sum * scale, C - c);
        }
    }
}

kernel void pool_bwd_avg(global float *dx, global const float *dy, const uint per, const int size,
                         const int stride, const int pad, const uint N, const int H, const int W,
                         const uint C, const uint P, const uint Q)
{
    const float scale = 1.0f / (float)(size * size);
    CTR_ROW_LOOP(i, (ulong)N * H * W, per)
    {
        int row = (int)(i / W % H) + pad, column = (int)(i % W) + pad;
        size_t image = i / ((size_t)H * W) * P * Q;
        CTR_LANE_LOOP(c, C)
        {
            vfloat sum = 0;
            for (int p = FIRST_WINDOW(row); p <= LAST_WINDOW(row, P); p++)
                for (int q = FIRST_WINDOW(column); q <= LAST_WINDOW(column, Q); q++)
                    sum += load_part(dy + (image + (size_t)p * Q + q) * C + c, C - c);
            store_part(dx + i * C + c, sum * scale, C - c);
        }
    }
}

/* y[N,C] = mean of x[N,pixels,C] over the pixels. */
kernel void pool_fwd_global(global float *y, global const float *x, const uint per, const uint N,
                            const uint pixels, const uint C)
{
    CTR_ROW_LOOP(n, N, per)
    CTR_LANE_LOOP(c, C)
    {
        vfloat sum = 0;
        for (uint i = 0; i < pixels; i++)
            sum += load_part(x + (n * pixels + i) * C + c, C - c);
        store_part(y + n * C + c, sum / (float)pixels, C - c);
    }
}

kernel void pool_bwd_global(global float *dx, global const float *dy, const uint per, const uint N,
                            const uint pixels, const uint C)
{
    CTR_ROW_LOOP(i, (ulong)N * pixels, per)
    CTR_LANE_LOOP(c, C)
    store_part(dx + i * C + c, load_part(dy + i / pixels * C + c, C - c) / (float)pixels, C - c);
}
