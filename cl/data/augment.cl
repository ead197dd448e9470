/* augment.cl -- SimCLR's augmentations as drawn: bytes in, fp32 views in [0,1] out.
 *
 *   augment_view   out[v][n][H][W][3] <- crop, flip, jitter, gray, blur as drawn: one work-group each
 *   augment_plain  out[n][H][W][3] <- centred crop of the output's shape, resized, nothing random
 *
 * A view is worked on as three planes [H][PITCH] in scratch, PITCH = W rounded up to VW, so that all
 * that is pointwise runs on whole vectors; lanes beyond W are 0 and stay 0 until contrast. Scratch is
 * local memory where it fits (AUG_LOCAL), else one slice of a buffer for each work-group, and
 * groups walk over the views with a stride. SINGLE (CPUs): one work-item does a view, resizing by
 * rows; else LSIZE items, a power of two, share it.
 *
 * Host defines: SH SW H W (source, output), N V (images, views), BLUR_R (radius, 0 for none),
 * CUBIC, SINGLE, STREAM (images[] is the batch itself, else images[index[n]]), AUG_LOCAL, LSIZE, and for
 * SINGLE the tap bounds TAPS_X, TAPS_Y. SCRATCH below must agree with scratch_floats() of
 * src/data/augment.c. Resize follows PyTorch's antialiased interpolate (PIL's support scaling),
 * colour torchvision's float tensors. */
#include "lib/prelude.clh"
#include "lib/colour.clh"
#include "lib/draws.clh"

/* For a syntax check alone; the host gives all of them. */
#ifndef N
#define N         1
#define V         2
#define SH        32
#define SW        32
#define H         32
#define W         32
#define BLUR_R    1
#define CUBIC     0
#define SINGLE    CTR_CPU
#define STREAM    0
#define AUG_LOCAL 1
#define LSIZE     1
#define TAPS_X    2
#define TAPS_Y    2
#endif
#define PITCH  ((W + VW - 1) / VW * VW)
#define PLANE  (H * PITCH)
#define ROW_V  (PITCH / VW)

#if SINGLE
#define LID     0
#define BARRIER (void)0
/* Planes, horizontal weights, first taps, vertical weights, then rows: one blended source row with
 * slack for zero-weight taps, or three output rows with the blur's margins. */
#define ROW_CROP (3 * SW + 3 * TAPS_X + 4)
#define ROW_BLUR (PITCH + 2 * BLUR_R + VW)
#define ROWS     (ROW_CROP > 3 * ROW_BLUR ? ROW_CROP : 3 * ROW_BLUR)
#define SCRATCH  (3 * PLANE + W * (TAPS_X + 1) + TAPS_Y + (2 * BLUR_R + 1) + ROWS)
#else
#define LID     ((int)get_local_id(0))
/* Planes twice when there is a blur. */
#define SCRATCH ((BLUR_R > 0 ? 6 : 3) * PLANE)
#endif
#if AUG_LOCAL
#define scr local
#if !SINGLE
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#endif
#else
#define scr global
#if !SINGLE
#define BARRIER barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#endif
#endif

/* ---- crop and resize ---- */

inline float tap(float x)
{
    x = fabs(x);
#if CUBIC
    /* Keys' cubic with a = -0.5, as PyTorch and PIL take it when antialiasing. */
    if (x < 1.0f)
        return (1.5f * x - 2.5f) * x * x + 1.0f;
    return x < 2.0f ? ((-0.5f * x + 2.5f) * x - 4.0f) * x + 2.0f : 0.0f;
#else
    return max(0.0f, 1.0f - x);
#endif
}
#define HALF_TAPS (CUBIC ? 2.0f : 1.0f)

/* Taps of output i when `in` samples become `out`: from *first on, *n of them; a tap at s has weight
 * tap((s + 0.5 - *centre) * *inverse), not yet normalised. */
inline void tap_range(int *first, int *n, float *centre, float *inverse, int i, float in, float out)
{
    const float scale = in / out, support = HALF_TAPS * max(scale, 1.0f);
    *centre = scale * (i + 0.5f);
    *inverse = 1.0f / max(scale, 1.0f);
    *first = max((int)(*centre - support + 0.5f), 0);
    *n = min((int)(*centre + support + 0.5f), (int)in) - *first;
}

#if SINGLE
/* Normalised weights of output i into w[count], those past the range 0; times `gain`. */
inline int tap_weights(scr float *w, int i, int in, int out, int count, float gain)
{
    int first, n;
    float centre, inverse, total = 0.0f;
    tap_range(&first, &n, &centre, &inverse, i, in, out);
    n = min(n, count);
    for (int t = 0; t < n; t++) {
        w[t] = tap((first + t - centre + 0.5f) * inverse);
        total += w[t];
    }
    for (int t = 0; t < n; t++)
        w[t] *= gain / total;
    for (int t = n; t < count; t++)
        w[t] = 0.0f;
    return first;
}

/* Bound on the taps of any output of this crop. */
inline int tap_count(int in, int out, int most)
{
    const int half_taps = CUBIC ? 2 : 1;
    return in <= out ? 2 * half_taps : min(most, 2 * half_taps * in / out + 2);
}

/* row[3 w] <- weighted sum of the n source rows from src on, 16 bytes at a time. */
inline void blend_rows(scr float *row, global const uchar *src, scr const float *w, int n, int width)
{
    int i = 0;
    while (i < width) {
        if (i + VW > width) {
            if (width < VW)
                break;
            i = width - VW; /* again over some of the last vector, rather than past the image */
        }
        vfloat sum = 0.0f;
        for (int t = 0; t < n; t++)
            sum += w[t] * CTR_CAT(convert_float, VW)(vload(0, src + (size_t)t * SW * 3 + i));
        vstore(sum, 0, row + i);
        i += VW;
    }
    for (; i < width; i++) {
        float sum = 0.0f;
        for (int t = 0; t < n; t++)
            sum += w[t] * src[(size_t)t * SW * 3 + i];
        row[i] = sum;
    }
}

/* Separable: each output row blends its source rows, then its pixels along the row. */
inline void crop_resize(scr float *plane, global const uchar *image, int top, int left, int height,
                        int width, int flip)
{
    scr float *weights = plane + 3 * PLANE, *firsts = weights + W * TAPS_X;
    scr float *wy = firsts + W, *row = wy + TAPS_Y + 2 * BLUR_R + 1;
    const int nx = tap_count(width, W, TAPS_X), ny = tap_count(height, H, TAPS_Y);
    for (int x = 0; x < W; x++)
        firsts[x] = as_float(3 * tap_weights(weights + x * nx, x, width, W, nx, 1.0f));
    for (int i = 3 * width; i < 3 * width + 3 * nx + 4; i++)
        row[i] = 0.0f;
    for (int y = 0; y < H; y++) {
        const int first = tap_weights(wy, y, height, H, ny, 1.0f / 255.0f);
        const int rows = min(ny, height - first);
        blend_rows(row, image + ((size_t)(top + first) * SW + left) * 3, wy, rows, 3 * width);
        for (int x = 0; x < W; x++) {
            scr const float *p = row + as_int(firsts[x]), *w = weights + x * nx;
            float4 sum = 0.0f;
            for (int t = 0; t < nx; t++)
                sum += w[t] * vload4(0, p + 3 * t);
            sum = clamp(sum, 0.0f, 1.0f);
            scr float *o = plane + y * PITCH + (flip ? W - 1 - x : x);
            o[0] = sum.s0;
            o[PLANE] = sum.s1;
            o[2 * PLANE] = sum.s2;
        }
        for (int x = W; x < PITCH; x++)
            plane[y * PITCH + x] = plane[PLANE + y * PITCH + x] = plane[2 * PLANE + y * PITCH + x] = 0.0f;
    }
}
#else
/* One output pixel straight from all its taps. */
inline float3 resize_pixel(global const uchar *image, int y, int x, int height, int width)
{
    int first_y, first_x, ny, nx;
    float centre_y, centre_x, inverse_y, inverse_x, total_y = 0.0f, total_x = 0.0f;
    tap_range(&first_y, &ny, &centre_y, &inverse_y, y, height, H);
    tap_range(&first_x, &nx, &centre_x, &inverse_x, x, width, W);
    float3 sum = 0.0f;
    for (int t = 0; t < ny; t++) {
        const float wy = tap((first_y + t - centre_y + 0.5f) * inverse_y);
        global const uchar *p = image + ((size_t)(first_y + t) * SW + first_x) * 3;
        float3 part = 0.0f;
        total_y += wy;
        total_x = 0.0f;
        for (int s = 0; s < nx; s++) {
            const float wx = tap((first_x + s - centre_x + 0.5f) * inverse_x);
            total_x += wx;
            part += wx * convert_float3(vload3(s, p));
        }
        sum += wy * part;
    }
    return clamp(sum / (255.0f * total_y * total_x), 0.0f, 1.0f);
}

inline void crop_resize(scr float *plane, global const uchar *image, int top, int left, int height,
                        int width, int flip)
{
    image += ((size_t)top * SW + left) * 3;
    for (int i = LID; i < PLANE; i += LSIZE) {
        const int y = i / PITCH, x = i % PITCH;
        float3 pixel = 0.0f;
        if (x < W)
            pixel = resize_pixel(image, y, flip ? W - 1 - x : x, height, width);
        plane[i] = pixel.s0;
        plane[i + PLANE] = pixel.s1;
        plane[i + 2 * PLANE] = pixel.s2;
    }
}
#endif

/* ---- the way out ---- */

inline float lanes(vfloat x)
{
#if VW == 16
    const float8 a = x.lo + x.hi;
    const float4 c = a.lo + a.hi;
#else
    const float4 c = x;
#endif
    return (c.s0 + c.s1) + (c.s2 + c.s3);
}

inline void store_pixels(global float *out, int y, int x, vfloat r, vfloat g, vfloat b)
{
    out += ((size_t)y * W + x) * 3;
    if (x + VW > W) {
        float lane[3 * VW];
        vstore(r, 0, lane);
        vstore(g, 1, lane);
        vstore(b, 2, lane);
        for (int i = 0; i < W - x; i++)
            for (int c = 0; c < 3; c++)
                out[i * 3 + c] = lane[c * VW + i];
        return;
    }
#if VW == 16
    vstore((float16)(r.s0, g.s0, b.s0, r.s1, g.s1, b.s1, r.s2, g.s2, b.s2, r.s3, g.s3, b.s3, r.s4,
                     g.s4, b.s4, r.s5), 0, out);
    vstore((float16)(g.s5, b.s5, r.s6, g.s6, b.s6, r.s7, g.s7, b.s7, r.s8, g.s8, b.s8, r.s9, g.s9,
                     b.s9, r.sa, g.sa), 1, out);
    vstore((float16)(b.sa, r.sb, g.sb, b.sb, r.sc, g.sc, b.sc, r.sd, g.sd, b.sd, r.se, g.se, b.se,
                     r.sf, g.sf, b.sf), 2, out);
#else
    vstore((float4)(r.s0, g.s0, b.s0, r.s1), 0, out);
    vstore((float4)(g.s1, b.s1, r.s2, g.s2), 1, out);
    vstore((float4)(b.s2, r.s3, g.s3, b.s3), 2, out);
#endif
}

#if BLUR_R > 0
/* -1 -> 1, n -> n - 2: the edge itself is not repeated. */
inline int reflect(int i, int n)
{
    i = abs(i);
    return i < n ? i : 2 * n - 2 - i;
}

inline float bell(int t, float sigma)
{
    const float x = (t - BLUR_R) / sigma;
    return sigma > 0.0f ? exp(-0.5f * x * x) : t == BLUR_R;
}

#if SINGLE
inline void blur_out(global float *out, scr float *plane, local float *part, float sigma)
{
    scr float *k = plane + 3 * PLANE + W * (TAPS_X + 1) + TAPS_Y, *rows = k + 2 * BLUR_R + 1;
    float total = 0.0f;
    for (int t = 0; t <= 2 * BLUR_R; t++)
        total += k[t] = bell(t, sigma);
    for (int t = 0; t <= 2 * BLUR_R; t++)
        k[t] /= total;
    for (int y = 0; y < H; y++) {
        for (int c = 0; c < 3; c++) {
            scr float *row = rows + c * ROW_BLUR;
            for (int x = 0; x < PITCH; x += VW) {
                vfloat sum = 0.0f;
                for (int t = 0; t <= 2 * BLUR_R; t++)
                    sum += k[t] * vload(0, plane + c * PLANE + reflect(y + t - BLUR_R, H) * PITCH + x);
                vstore(sum, 0, row + BLUR_R + x);
            }
            for (int i = 1; i <= BLUR_R; i++) {
                row[BLUR_R - i] = row[BLUR_R + i];
                row[BLUR_R + W - 1 + i] = row[BLUR_R + W - 1 - i];
            }
        }
        for (int x = 0; x < PITCH; x += VW) {
            vfloat r = 0.0f, g = 0.0f, b = 0.0f;
            for (int t = 0; t <= 2 * BLUR_R; t++) {
                r += k[t] * vload(0, rows + x + t);
                g += k[t] * vload(0, rows + ROW_BLUR + x + t);
                b += k[t] * vload(0, rows + 2 * ROW_BLUR + x + t);
            }
            store_pixels(out, y, x, r, g, b);
        }
    }
}
#else
/* Along rows into the second planes, then down the columns. */
inline void blur_out(global float *out, scr float *plane, local float *k, float sigma)
{
    for (int t = LID; t <= 2 * BLUR_R; t += LSIZE)
        k[t] = bell(t, sigma);
    BARRIER;
    float total = 0.0f;
    for (int t = 0; t <= 2 * BLUR_R; t++)
        total += k[t];
    const float inverse = 1.0f / total;
    for (int i = LID; i < 3 * PLANE; i += LSIZE) {
        const int x = i % PITCH;
        float sum = 0.0f;
        for (int t = 0; t <= 2 * BLUR_R && x < W; t++)
            sum += k[t] * plane[i - x + reflect(x + t - BLUR_R, W)];
        plane[3 * PLANE + i] = sum * inverse;
    }
    BARRIER;
    for (int i = LID; i < PLANE / VW; i += LSIZE) {
        const int y = i / ROW_V, x = i % ROW_V * VW;
        vfloat r = 0.0f, g = 0.0f, b = 0.0f;
        for (int t = 0; t <= 2 * BLUR_R; t++) {
            scr const float *p = plane + 3 * PLANE + reflect(y + t - BLUR_R, H) * PITCH + x;
            r += k[t] * vload(0, p);
            g += k[t] * vload(0, p + PLANE);
            b += k[t] * vload(0, p + 2 * PLANE);
        }
        store_pixels(out, y, x, r * inverse, g * inverse, b * inverse);
    }
}
#endif
#endif

/* ---- a whole view ---- */

/* Steps [from, to) of the jitter and then gray on all planes, in place or (last) out. Returns this
 * item's sum of grays, which is what contrast needs. */
inline float colour_pass(global float *out, scr float *plane, global const float *d, int ops, int from,
                         int to, float mean, int gray, int last)
{
    vfloat sum = 0.0f;
    for (int i = LID; i < PLANE / VW; i += LSIZE) {
        vfloat r = vload(i, plane), g = vload(i, plane + PLANE), b = vload(i, plane + 2 * PLANE);
        for (int k = from; k < to; k++) {
            const int op = ops >> (4 * k) & 15;
            jitter(&r, &g, &b, op, d[D_BRIGHTNESS + op], mean);
        }
        const vfloat y = gray_of(r, g, b);
        sum += y;
        if (gray)
            r = g = b = y;
        if (last) {
            store_pixels(out, i / ROW_V, i % ROW_V * VW, r, g, b);
            continue;
        }
        vstore(r, i, plane);
        vstore(g, i, plane + PLANE);
        vstore(b, i, plane + 2 * PLANE);
    }
    return lanes(sum);
}

#if SINGLE
#define PART 1
#else
#define PART (LSIZE > 2 * BLUR_R + 1 ? LSIZE : 2 * BLUR_R + 1)
#endif

/* Sum over the work-group in a fixed order. */
inline float group_sum(local float *part, float x)
{
#if SINGLE
    return x;
#else
    part[LID] = x;
    for (int half_size = LSIZE / 2; half_size > 0; half_size /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (LID < half_size)
            part[LID] += part[LID + half_size];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    x = part[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return x;
#endif
}

/* Whether a stage that was not drawn may be skipped: on work-groups barriers are inside, so not. */
#if SINGLE
#define MAY_SKIP(drawn) (drawn)
#else
#define MAY_SKIP(drawn) 1
#endif

/* What was drawn, done to planes that hold the resized crop. */
inline void colour_and_blur(global float *out, scr float *plane, local float *part,
                            global const float *d)
{
    const int jittered = d[D_JITTER] != 0.0f, ops = orders[clamp((int)d[D_ORDER], 0, 23)];
    int contrast = 0;
    float mean = 0.0f;
    while (jittered && (ops >> (4 * contrast) & 15) != 1)
        contrast++;
    if (MAY_SKIP(jittered))
        mean = group_sum(part, colour_pass(out, plane, d, ops, 0, contrast, 0.0f, 0, 0)) / (H * W);
    const int blurred = BLUR_R > 0 && MAY_SKIP(d[D_SIGMA] > 0.0f);
    colour_pass(out, plane, d, ops, contrast, jittered ? 4 : 0, mean, d[D_GRAY] != 0.0f, !blurred);
    BARRIER;
#if BLUR_R > 0
    if (blurred)
        blur_out(out, plane, part, d[D_SIGMA]);
    BARRIER;
#endif
}

#if AUG_LOCAL
#define DECLARE_PLANE local float plane[SCRATCH]
#else
#define DECLARE_PLANE global float *plane = slices + get_group_id(0) * (size_t)SCRATCH
#endif

kernel __attribute__((reqd_work_group_size(LSIZE, 1, 1)))
void augment_view(global float *out, global float *slices, global const float *draws,
                  global const uchar *images, global const uint *index)
{
    DECLARE_PLANE;
    local float part[PART];
    for (uint v = get_group_id(0); v < N * V; v += get_num_groups(0)) {
        global const float *d = draws + (size_t)v * DRAWS;
        const size_t image = STREAM ? v % N : index[v % N];
        crop_resize(plane, images + image * SH * SW * 3, (int)d[D_TOP], (int)d[D_LEFT],
                    (int)d[D_HEIGHT], (int)d[D_WIDTH], d[D_FLIP] != 0.0f);
        BARRIER;
        colour_and_blur(out + (size_t)v * H * W * 3, plane, part, d);
    }
}

/* The largest centred crop of the output's aspect. */
kernel __attribute__((reqd_work_group_size(LSIZE, 1, 1)))
void augment_plain(global float *out, global float *slices, global const uchar *images,
                   global const uint *index)
{
    DECLARE_PLANE;
    const int height = min(SH, max(1, SW * H / W)), width = min(SW, max(1, SH * W / H));
    for (uint n = get_group_id(0); n < N; n += get_num_groups(0)) {
        const size_t image = STREAM ? n : index[n];
        crop_resize(plane, images + image * SH * SW * 3, (SH - height) / 2, (SW - width) / 2, height,
                    width, 0);
        BARRIER;
        global float *o = out + (size_t)n * H * W * 3;
        for (int i = LID; i < PLANE / VW; i += LSIZE)
            store_pixels(o, i / ROW_V, i % ROW_V * VW, vload(i, plane), vload(i, plane + PLANE),
                         vload(i, plane + 2 * PLANE));
        BARRIER;
    }
}
