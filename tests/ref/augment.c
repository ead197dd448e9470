/* augment.c -- augmentation in double, one image at a time, each operation a pass over the whole
 * image as torchvision has it. */
#include "ref/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* ---- resize ---- */

static double tap(double x, int cubic)
{
    x = fabs(x);
    if (!cubic)
        return fmax(0, 1 - x);
    if (x < 1)
        return 1.5 * x * x * x - 2.5 * x * x + 1;
    return x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
}

/* Weights of all `in` samples for output i. */
static void weights(double *w, size_t i, size_t in, size_t out, int cubic)
{
    double scale = (double)in / (double)out, total = 0;
    for (size_t s = 0; s < in; s++) {
        w[s] = tap(((double)s + 0.5 - scale * ((double)i + 0.5)) / fmax(scale, 1), cubic);
        total += w[s];
    }
    for (size_t s = 0; s < in; s++)
        w[s] /= total;
}

static double sample(const struct ref_images *s, const void *image, size_t i)
{
    return s->bytes == 1 ? ((const uint8_t *)image)[i] / 255.0 : ((const uint16_t *)image)[i] / 65535.0;
}

/* `from`: number of the rectangle's first sample. */
static void resize(double *out, const void *image, const struct ref_images *s, size_t from, size_t h,
                   size_t w, size_t H, size_t W, double *wy, double *wx)
{
    const size_t C = s->C;
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < W; x++) {
            double *o = out + (y * W + x) * C;
            weights(wy, y, h, H, s->cubic);
            weights(wx, x, w, W, s->cubic);
            memset(o, 0, C * sizeof *o);
            for (size_t i = 0; i < h; i++)
                for (size_t j = 0; j < w && wy[i] != 0; j++)
                    for (size_t c = 0; c < C && wx[j] != 0; c++)
                        o[c] += wy[i] * wx[j] * sample(s, image, from + (i * s->SW + j) * C + c);
            for (size_t c = 0; c < C; c++)
                o[c] = fmin(1, fmax(0, o[c]));
        }
}

/* ---- to other places ---- */

static void move(double *out, const double *in, size_t H, size_t W, size_t C, int bits)
{
    for (size_t i = 0; i < H; i++)
        for (size_t j = 0; j < W; j++) {
            size_t y = bits & CTR_MOVE_TRANSPOSE ? j : i, x = bits & CTR_MOVE_TRANSPOSE ? i : j;
            y = bits & CTR_MOVE_FLIP_Y ? H - 1 - y : y;
            x = bits & CTR_MOVE_FLIP_X ? W - 1 - x : x;
            memcpy(out + (y * W + x) * C, in + (i * W + j) * C, C * sizeof *out);
        }
}

/* A pixel's value, 0 outside. */
static double at(const double *in, double y, double x, size_t H, size_t W, size_t C, size_t c)
{
    return y >= 0 && x >= 0 && y < (double)H && x < (double)W
               ? in[((size_t)y * W + (size_t)x) * C + c]
               : 0;
}

static void warp(double *out, const double *in, size_t H, size_t W, size_t C, const float *m)
{
    const double cy = ((double)H - 1) / 2, cx = ((double)W - 1) / 2;
    for (size_t i = 0; i < H * W * C; i++) {
        const size_t c = i % C;
        double dx = (double)(i / C % W) - cx, dy = (double)(i / C / W) - cy;
        double x = m[0] * dx + m[1] * dy + m[2] + cx, y = m[3] * dx + m[4] * dy + m[5] + cy;
        double l = floor(x), t = floor(y), u = x - l, v = y - t;
        out[i] =
            (1 - v) * ((1 - u) * at(in, t, l, H, W, C, c) + u * at(in, t, l + 1, H, W, C, c)) +
            v * ((1 - u) * at(in, t + 1, l, H, W, C, c) + u * at(in, t + 1, l + 1, H, W, C, c));
    }
}

/* ---- colour ---- */

/* Of RGB; one channel is its own. */
static double gray(const double *p, size_t C)
{
    return C == 1 ? p[0] : 0.2989 * p[0] + 0.587 * p[1] + 0.114 * p[2];
}

static void turn_hue(double *p, double shift)
{
    double r = p[0], g = p[1], b = p[2];
    double v = fmax(r, fmax(g, b)), chroma = v - fmin(r, fmin(g, b));
    if (chroma == 0)
        return;
    double h = v == r ? (g - b) / chroma : v == g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
    h = h / 6 + shift;
    h = 6 * (h - floor(h));
    double s = chroma / v, f = h - floor(h);
    double a = v * (1 - s), q = v * (1 - s * f), t = v * (1 - s * (1 - f));
    const double table[6][3] = {{v, t, a}, {q, v, a}, {a, v, t}, {a, q, v}, {t, a, v}, {v, a, q}};
    memcpy(p, table[(int)floor(h) % 6], sizeof table[0]);
}

static void blend(double *image, size_t n, size_t C, enum ctr_do op, double f)
{
    double mean[CTR_CHANNELS_MAX] = {0};
    for (size_t i = 0; i < n * C; i++)
        mean[i % C] += (C == 3 ? gray(image + i / C * C, C) : image[i]) / (double)n;
    for (size_t i = 0; i < n; i++) {
        double *p = image + i * C, was = C == 3 ? gray(p, C) : 0;
        for (size_t c = 0; c < C; c++) {
            double other = op == CTR_DO_BRIGHTNESS ? 0 : op == CTR_DO_CONTRAST ? mean[c] : was;
            p[c] = fmin(1, fmax(0, f * p[c] + (1 - f) * other));
        }
    }
}

/* A block of Philox for three channels of a pixel, four uniforms, by Box and Muller. */
static void noise(double *image, size_t n, size_t C, const float *operand)
{
    for (size_t i = 0; i < n * C; i++) {
        uint32_t bits[4];
        double u[4], normal[3];
        ctr_philox(bits, (uint32_t[]){(uint32_t)(i / C), (uint32_t)(i % C / 3), 0, CTR_RNG_AUGMENT},
                   (uint32_t[]){(uint32_t)operand[1], (uint32_t)operand[2]});
        for (int k = 0; k < 4; k++)
            u[k] = (bits[k] >> 8) * 0x1p-24;
        normal[0] = sqrt(-2 * log(1 - u[0])) * cos(2 * M_PI * u[1]);
        normal[1] = sqrt(-2 * log(1 - u[0])) * sin(2 * M_PI * u[1]);
        normal[2] = sqrt(-2 * log(1 - u[2])) * cos(2 * M_PI * u[3]);
        image[i] = fmin(1, fmax(0, image[i] + operand[0] * normal[i % C % 3]));
    }
}

static void rectangle(double *image, size_t H, size_t W, size_t C, const float *operand)
{
    for (size_t i = 0; i < H * W * C; i++) {
        float y = (float)(i / C / W), x = (float)(i / C % W);
        if (y >= operand[0] && x >= operand[1] && y < operand[2] && x < operand[3])
            image[i] = operand[4];
    }
}

static void autocontrast(double *image, size_t n, size_t C)
{
    for (size_t c = 0; c < C; c++) {
        double lo = image[c], hi = image[c];
        for (size_t i = 0; i < n; i++) {
            lo = fmin(lo, image[i * C + c]);
            hi = fmax(hi, image[i * C + c]);
        }
        for (size_t i = 0; i < n && hi > lo; i++)
            image[i * C + c] = (image[i * C + c] - lo) / (hi - lo);
    }
}

static void equalize(double *image, size_t n, size_t C)
{
    for (size_t c = 0; c < C; c++) {
        size_t count[256] = {0}, highest = 0, below[256] = {0};
        for (size_t i = 0; i < n; i++) {
            size_t level = (size_t)(image[i * C + c] * 255.999);
            count[level]++;
            highest = level > highest ? level : highest;
        }
        for (size_t k = 1; k < 256; k++)
            below[k] = below[k - 1] + count[k - 1];
        size_t step = (n - count[highest]) / 255;
        for (size_t i = 0; i < n; i++) {
            size_t level = (size_t)(image[i * C + c] * 255.999);
            size_t to = step ? (below[level] + step / 2) / step : level;
            image[i * C + c] = (double)(to < 255 ? to : 255) / 255;
        }
    }
}

/* ---- with the neighbours ---- */

static size_t reflect(long i, size_t n)
{
    if (i < 0)
        i = -i;
    return (size_t)i < n ? (size_t)i : 2 * n - 2 - (size_t)i;
}

static void blur(double *out, const double *in, size_t H, size_t W, size_t C, int r, double sigma)
{
    double total = 0;
    for (int t = -r; t <= r; t++)
        total += exp(-0.5 * t * t / (sigma * sigma));
    for (size_t i = 0; i < H * W * C; i++) {
        long y = (long)(i / C / W), x = (long)(i / C % W);
        out[i] = 0;
        for (int t = -r; t <= r; t++)
            for (int s = -r; s <= r; s++)
                out[i] += exp(-0.5 * (t * t + s * s) / (sigma * sigma)) / (total * total) *
                          in[(reflect(y + t, H) * W + reflect(x + s, W)) * C + i % C];
    }
}

static double clamped(const double *in, long y, long x, size_t H, size_t W, size_t C)
{
    y = y < 0 ? 0 : y >= (long)H ? (long)H - 1 : y;
    x = x < 0 ? 0 : x >= (long)W ? (long)W - 1 : x;
    return gray(in + ((size_t)y * W + (size_t)x) * C, C);
}

static void sobel(double *out, const double *in, size_t H, size_t W, size_t C)
{
    for (size_t i = 0; i < H * W; i++) {
        double gx = 0, gy = 0;
        for (long dy = -1; dy <= 1; dy++)
            for (long dx = -1; dx <= 1; dx++) {
                double v = clamped(in, (long)(i / W) + dy, (long)(i % W) + dx, H, W, C) / 4;
                gx += (double)(dx * (dy ? 1 : 2)) * v;
                gy += (double)(dy * (dx ? 1 : 2)) * v;
            }
        for (size_t c = 0; c < C; c++)
            out[i * C + c] = fmin(1, sqrt(gx * gx + gy * gy));
    }
}

/* ---- one operation, and all ---- */

static void point(double *p, size_t n, size_t C, enum ctr_do op, double f)
{
    for (size_t i = 0; i < n; i++, p += C) {
        if (op == CTR_DO_HUE)
            turn_hue(p, f);
        if (op == CTR_DO_GRAY)
            p[0] = p[1] = p[2] = gray(p, C);
        for (size_t c = 0; c < C; c++) {
            if (op == CTR_DO_SOLARIZE && p[c] >= f)
                p[c] = 1 - p[c];
            if (op == CTR_DO_POSTERIZE)
                p[c] = fmin(floor(p[c] * f), f - 1) / f;
        }
    }
}

/* out <- the operation on `in`, which may be changed, too. */
static void operation(double *out, double *in, size_t H, size_t W, size_t C, const float *op)
{
    const enum ctr_do code = (enum ctr_do)op[0];
    const int radius = (int)(H / 20 ? H / 20 : 1);
    memcpy(out, in, H * W * C * sizeof *out);
    if (code <= CTR_DO_SATURATION)
        blend(out, H * W, C, code, op[1]);
    else if (code <= CTR_DO_POSTERIZE)
        point(out, H * W, C, code, op[1]);
    else if (code == CTR_DO_RECT)
        rectangle(out, H, W, C, op + 1);
    else if (code == CTR_DO_NOISE)
        noise(out, H * W, C, op + 1);
    else if (code == CTR_DO_MOVE)
        move(out, in, H, W, C, (int)op[1]);
    else if (code == CTR_DO_WARP)
        warp(out, in, H, W, C, op + 1);
    else if (code == CTR_DO_BLUR)
        blur(out, in, H, W, C, radius, op[1]);
    else if (code == CTR_DO_SOBEL)
        sobel(out, in, H, W, C);
    else if (code == CTR_DO_AUTOCONTRAST)
        autocontrast(out, H * W, C);
    else
        equalize(out, H * W, C);
}

int ref_augment_apply(double *out, const float *row, const void *image, const struct ref_images *s,
                      size_t H, size_t W)
{
    const size_t C = s->C, count = H * W * C, top = (size_t)row[CTR_DRAW_TOP],
                 left = (size_t)row[CTR_DRAW_LEFT];
    double *scratch = malloc((count + s->SH + s->SW) * sizeof *scratch);
    if (!scratch)
        return CTR_E_FAIL;
    resize(scratch, image, s, (top * s->SW + left) * C, (size_t)row[CTR_DRAW_HEIGHT],
           (size_t)row[CTR_DRAW_WIDTH], H, W, scratch + count, scratch + count + s->SH);
    move(out, scratch, H, W, C, (int)row[CTR_DRAW_MOVE]);
    for (int k = 0; k < (int)row[CTR_DRAW_COUNT]; k++) {
        memcpy(scratch, out, count * sizeof *out);
        operation(out, scratch, H, W, C, row + CTR_DRAW_FIRST + k * CTR_DO_FLOATS);
    }
    free(scratch);
    return 0;
}
