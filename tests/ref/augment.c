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

static void resize(double *out, const unsigned char *image, size_t SW, size_t h, size_t w, size_t H,
                   size_t W, int cubic, double *wy, double *wx)
{
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < W; x++) {
            double *o = out + (y * W + x) * 3;
            weights(wy, y, h, H, cubic);
            weights(wx, x, w, W, cubic);
            o[0] = o[1] = o[2] = 0;
            for (size_t i = 0; i < h; i++)
                for (size_t j = 0; j < w && wy[i] != 0; j++)
                    for (int c = 0; c < 3 && wx[j] != 0; c++)
                        o[c] += wy[i] * wx[j] * image[(i * SW + j) * 3 + (size_t)c] / 255;
            for (int c = 0; c < 3; c++)
                o[c] = fmin(1, fmax(0, o[c]));
        }
}

/* ---- to other places ---- */

static void move(double *out, const double *in, size_t H, size_t W, int bits)
{
    for (size_t i = 0; i < H; i++)
        for (size_t j = 0; j < W; j++) {
            size_t y = bits & CTR_MOVE_TRANSPOSE ? j : i, x = bits & CTR_MOVE_TRANSPOSE ? i : j;
            y = bits & CTR_MOVE_FLIP_Y ? H - 1 - y : y;
            x = bits & CTR_MOVE_FLIP_X ? W - 1 - x : x;
            memcpy(out + (y * W + x) * 3, in + (i * W + j) * 3, 3 * sizeof *out);
        }
}

/* A pixel's value, 0 outside. */
static double at(const double *in, double y, double x, size_t H, size_t W, size_t c)
{
    return y >= 0 && x >= 0 && y < (double)H && x < (double)W
               ? in[((size_t)y * W + (size_t)x) * 3 + c]
               : 0;
}

static void warp(double *out, const double *in, size_t H, size_t W, const float *m)
{
    const double cy = ((double)H - 1) / 2, cx = ((double)W - 1) / 2;
    for (size_t i = 0; i < H * W * 3; i++) {
        double dx = (double)(i / 3 % W) - cx, dy = (double)(i / 3 / W) - cy;
        double x = m[0] * dx + m[1] * dy + m[2] + cx, y = m[3] * dx + m[4] * dy + m[5] + cy;
        double l = floor(x), t = floor(y), u = x - l, v = y - t;
        out[i] =
            (1 - v) * ((1 - u) * at(in, t, l, H, W, i % 3) + u * at(in, t, l + 1, H, W, i % 3)) +
            v * ((1 - u) * at(in, t + 1, l, H, W, i % 3) + u * at(in, t + 1, l + 1, H, W, i % 3));
    }
}

/* ---- colour ---- */

static double gray(const double *p)
{
    return 0.2989 * p[0] + 0.587 * p[1] + 0.114 * p[2];
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

static void blend(double *image, size_t n, enum ctr_do op, double f)
{
    double mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += gray(image + i * 3) / (double)n;
    for (size_t i = 0; i < n; i++) {
        double *p = image + i * 3;
        double other = op == CTR_DO_BRIGHTNESS ? 0 : op == CTR_DO_CONTRAST ? mean : gray(p);
        for (int c = 0; c < 3; c++)
            p[c] = fmin(1, fmax(0, f * p[c] + (1 - f) * other));
    }
}

/* A block of Philox a pixel, four uniforms, by Box and Muller. */
static void noise(double *image, size_t n, const float *operand)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits[4];
        double u[4], normal[3];
        ctr_philox(bits, (uint32_t[]){(uint32_t)i, 0, 0, CTR_RNG_AUGMENT},
                   (uint32_t[]){(uint32_t)operand[1], (uint32_t)operand[2]});
        for (int k = 0; k < 4; k++)
            u[k] = (bits[k] >> 8) * 0x1p-24;
        normal[0] = sqrt(-2 * log(1 - u[0])) * cos(2 * M_PI * u[1]);
        normal[1] = sqrt(-2 * log(1 - u[0])) * sin(2 * M_PI * u[1]);
        normal[2] = sqrt(-2 * log(1 - u[2])) * cos(2 * M_PI * u[3]);
        for (size_t c = 0; c < 3; c++)
            image[i * 3 + c] = fmin(1, fmax(0, image[i * 3 + c] + operand[0] * normal[c]));
    }
}

static void rectangle(double *image, size_t H, size_t W, const float *operand)
{
    for (size_t i = 0; i < H * W * 3; i++) {
        float y = (float)(i / 3 / W), x = (float)(i / 3 % W);
        if (y >= operand[0] && x >= operand[1] && y < operand[2] && x < operand[3])
            image[i] = operand[4];
    }
}

static void autocontrast(double *image, size_t n)
{
    for (size_t c = 0; c < 3; c++) {
        double lo = image[c], hi = image[c];
        for (size_t i = 0; i < n; i++) {
            lo = fmin(lo, image[i * 3 + c]);
            hi = fmax(hi, image[i * 3 + c]);
        }
        for (size_t i = 0; i < n && hi > lo; i++)
            image[i * 3 + c] = (image[i * 3 + c] - lo) / (hi - lo);
    }
}

static void equalize(double *image, size_t n)
{
    for (size_t c = 0; c < 3; c++) {
        size_t count[256] = {0}, highest = 0, below[256] = {0};
        for (size_t i = 0; i < n; i++) {
            size_t level = (size_t)(image[i * 3 + c] * 255.999);
            count[level]++;
            highest = level > highest ? level : highest;
        }
        for (size_t k = 1; k < 256; k++)
            below[k] = below[k - 1] + count[k - 1];
        size_t step = (n - count[highest]) / 255;
        for (size_t i = 0; i < n; i++) {
            size_t level = (size_t)(image[i * 3 + c] * 255.999);
            size_t to = step ? (below[level] + step / 2) / step : level;
            image[i * 3 + c] = (double)(to < 255 ? to : 255) / 255;
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

static void blur(double *out, const double *in, size_t H, size_t W, int r, double sigma)
{
    double total = 0;
    for (int t = -r; t <= r; t++)
        total += exp(-0.5 * t * t / (sigma * sigma));
    for (size_t i = 0; i < H * W * 3; i++) {
        long y = (long)(i / 3 / W), x = (long)(i / 3 % W);
        out[i] = 0;
        for (int t = -r; t <= r; t++)
            for (int s = -r; s <= r; s++)
                out[i] += exp(-0.5 * (t * t + s * s) / (sigma * sigma)) / (total * total) *
                          in[(reflect(y + t, H) * W + reflect(x + s, W)) * 3 + i % 3];
    }
}

static double clamped(const double *in, long y, long x, size_t H, size_t W)
{
    y = y < 0 ? 0 : y >= (long)H ? (long)H - 1 : y;
    x = x < 0 ? 0 : x >= (long)W ? (long)W - 1 : x;
    return gray(in + ((size_t)y * W + (size_t)x) * 3);
}

static void sobel(double *out, const double *in, size_t H, size_t W)
{
    for (size_t i = 0; i < H * W; i++) {
        double gx = 0, gy = 0;
        for (long dy = -1; dy <= 1; dy++)
            for (long dx = -1; dx <= 1; dx++) {
                double v = clamped(in, (long)(i / W) + dy, (long)(i % W) + dx, H, W) / 4;
                gx += (double)(dx * (dy ? 1 : 2)) * v;
                gy += (double)(dy * (dx ? 1 : 2)) * v;
            }
        out[i * 3] = out[i * 3 + 1] = out[i * 3 + 2] = fmin(1, sqrt(gx * gx + gy * gy));
    }
}

/* ---- one operation, and all ---- */

static void point(double *p, size_t n, enum ctr_do op, double f)
{
    for (size_t i = 0; i < n; i++, p += 3) {
        if (op == CTR_DO_HUE)
            turn_hue(p, f);
        if (op == CTR_DO_GRAY)
            p[0] = p[1] = p[2] = gray(p);
        for (int c = 0; c < 3; c++) {
            if (op == CTR_DO_SOLARIZE && p[c] >= f)
                p[c] = 1 - p[c];
            if (op == CTR_DO_POSTERIZE)
                p[c] = fmin(floor(p[c] * f), f - 1) / f;
        }
    }
}

/* out <- the operation on `in`, which may be changed, too. */
static void operation(double *out, double *in, size_t H, size_t W, const float *op)
{
    const enum ctr_do code = (enum ctr_do)op[0];
    const int radius = (int)(H / 20 ? H / 20 : 1);
    memcpy(out, in, H * W * 3 * sizeof *out);
    if (code <= CTR_DO_SATURATION)
        blend(out, H * W, code, op[1]);
    else if (code <= CTR_DO_POSTERIZE)
        point(out, H * W, code, op[1]);
    else if (code == CTR_DO_RECT)
        rectangle(out, H, W, op + 1);
    else if (code == CTR_DO_NOISE)
        noise(out, H * W, op + 1);
    else if (code == CTR_DO_MOVE)
        move(out, in, H, W, (int)op[1]);
    else if (code == CTR_DO_WARP)
        warp(out, in, H, W, op + 1);
    else if (code == CTR_DO_BLUR)
        blur(out, in, H, W, radius, op[1]);
    else if (code == CTR_DO_SOBEL)
        sobel(out, in, H, W);
    else if (code == CTR_DO_AUTOCONTRAST)
        autocontrast(out, H * W);
    else
        equalize(out, H * W);
}

int ref_augment_apply(double *out, const float *row, const unsigned char *image, size_t source_h,
                      size_t source_w, size_t H, size_t W, int cubic)
{
    const size_t count = H * W * 3, top = (size_t)row[CTR_DRAW_TOP],
                 left = (size_t)row[CTR_DRAW_LEFT];
    double *scratch = malloc((count + source_h + source_w) * sizeof *scratch);
    if (!scratch)
        return CTR_E_FAIL;
    resize(scratch, image + (top * source_w + left) * 3, source_w, (size_t)row[CTR_DRAW_HEIGHT],
           (size_t)row[CTR_DRAW_WIDTH], H, W, cubic, scratch + count, scratch + count + source_h);
    move(out, scratch, H, W, (int)row[CTR_DRAW_MOVE]);
    for (int k = 0; k < (int)row[CTR_DRAW_COUNT]; k++) {
        memcpy(scratch, out, count * sizeof *out);
        operation(out, scratch, H, W, row + CTR_DRAW_FIRST + k * CTR_DO_FLOATS);
    }
    free(scratch);
    return 0;
}
