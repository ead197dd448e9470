/* augment.c -- SimCLR's augmentations, in double, one image at a time, each operation a pass over
 * the whole image as torchvision has it. Draws compare against the device's in fp32, so that a crop
 * may differ by a pixel where a side lies half way between two. */
#include "ref/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* ---- draws ---- */

static void uniforms(double u[4], uint32_t bits[4], uint32_t block, uint32_t sample, uint32_t epoch,
                     uint32_t view, uint64_t seed)
{
    const uint32_t counter[4] = {block, sample, epoch, CTR_RNG_AUGMENT | view << 8};
    ctr_philox(bits, counter, (uint32_t[]){(uint32_t)seed, (uint32_t)(seed >> 32)});
    for (int i = 0; i < 4; i++)
        u[i] = (bits[i] >> 8) * 0x1p-24;
}

static void set_crop(double *d, double top, double left, double h, double w, double attempts)
{
    d[CTR_DRAW_TOP] = top;
    d[CTR_DRAW_LEFT] = left;
    d[CTR_DRAW_HEIGHT] = h;
    d[CTR_DRAW_WIDTH] = w;
    d[CTR_DRAW_ATTEMPTS] = attempts;
}

static void fallback_crop(double *d, const struct ctr_augment_params *p, double SH, double SW)
{
    double h = SH, w = SW;
    if (SW / SH < p->aspect_min)
        h = fmin(SH, rint(SW / p->aspect_min));
    else if (SW / SH > p->aspect_max)
        w = fmin(SW, rint(SH * p->aspect_max));
    set_crop(d, floor((SH - h) / 2), floor((SW - w) / 2), h, w, 0);
}

void ref_augment_draw(double d[CTR_DRAWS], const struct ctr_augment_params *p, uint64_t seed,
                      uint32_t epoch, uint32_t sample, uint32_t view, size_t SH, size_t SW)
{
    double u[4];
    uint32_t bits[4];
    memset(d, 0, CTR_DRAWS * sizeof *d);
    fallback_crop(d, p, (double)SH, (double)SW);
    for (uint32_t k = 0; k < 10; k++) {
        uniforms(u, bits, k, sample, epoch, view, seed);
        double area = (double)(SH * SW) * (p->area_min + (p->area_max - p->area_min) * u[0]);
        double lo = log(p->aspect_min), hi = log(p->aspect_max);
        double ratio = exp(lo + (hi - lo) * u[1]);
        double w = rint(sqrt(area * ratio)), h = rint(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > (double)SW || h > (double)SH)
            continue;
        set_crop(d, floor(bits[2] * ((double)SH - h + 1) * 0x1p-32),
                 floor(bits[3] * ((double)SW - w + 1) * 0x1p-32), h, w, k + 1);
        break;
    }
    uniforms(u, bits, 10, sample, epoch, view, seed);
    d[CTR_DRAW_FLIP] = u[0] < p->flip_p;
    d[CTR_DRAW_JITTER] = u[1] < p->jitter_p;
    d[CTR_DRAW_GRAY] = u[2] < p->gray_p;
    d[CTR_DRAW_ORDER] = floor(bits[3] * 24.0 * 0x1p-32);
    uniforms(u, bits, 11, sample, epoch, view, seed);
    d[CTR_DRAW_BRIGHTNESS] = fmax(0, 1 + p->brightness * (2 * u[0] - 1));
    d[CTR_DRAW_CONTRAST] = fmax(0, 1 + p->contrast * (2 * u[1] - 1));
    d[CTR_DRAW_SATURATION] = fmax(0, 1 + p->saturation * (2 * u[2] - 1));
    d[CTR_DRAW_HUE] = p->hue * (2 * u[3] - 1);
    uniforms(u, bits, 12, sample, epoch, view, seed);
    if (u[0] < p->blur_p)
        d[CTR_DRAW_SIGMA] = p->sigma_min + (p->sigma_max - p->sigma_min) * u[1];
}

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

static void flip(double *image, size_t H, size_t W)
{
    for (size_t y = 0; y < H; y++)
        for (size_t x = 0; x < W / 2; x++)
            for (size_t c = 0; c < 3; c++) {
                double *a = image + (y * W + x) * 3 + c, *b = image + (y * W + W - 1 - x) * 3 + c;
                double t = *a;
                *a = *b;
                *b = t;
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

static void jitter(double *image, size_t n, int op, double f)
{
    double mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += gray(image + i * 3) / (double)n;
    for (size_t i = 0; i < n; i++) {
        double *p = image + i * 3, other = op == 0 ? 0 : op == 1 ? mean : gray(p);
        if (op == 3)
            turn_hue(p, f);
        for (int c = 0; c < 3 && op < 3; c++)
            p[c] = fmin(1, fmax(0, f * p[c] + (1 - f) * other));
    }
}

/* The order-th permutation of 0..3 in lexicographic order. */
static void permutation(int ops[4], int order)
{
    int count = 0;
    for (int k = 0; k < 256; k++) {
        int a = k >> 6, b = k >> 4 & 3, c = k >> 2 & 3, e = k & 3;
        if (a != b && a != c && a != e && b != c && b != e && c != e && count++ == order)
            memcpy(ops, (int[]){a, b, c, e}, 4 * sizeof *ops);
    }
}

/* ---- blur ---- */

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

int ref_augment_apply(double *out, const float d[CTR_DRAWS], const unsigned char *image,
                      size_t source_h, size_t source_w, size_t H, size_t W, int radius, int cubic)
{
    double *scratch = malloc((H * W * 3 + source_h + source_w) * sizeof *scratch);
    if (!scratch)
        return CTR_E_FAIL;
    const size_t top = (size_t)d[CTR_DRAW_TOP], left = (size_t)d[CTR_DRAW_LEFT];
    resize(out, image + (top * source_w + left) * 3, source_w, (size_t)d[CTR_DRAW_HEIGHT],
           (size_t)d[CTR_DRAW_WIDTH], H, W, cubic, scratch, scratch + source_h);
    if (d[CTR_DRAW_FLIP] != 0)
        flip(out, H, W);
    int ops[4] = {0};
    permutation(ops, (int)d[CTR_DRAW_ORDER]);
    for (int k = 0; k < 4 && d[CTR_DRAW_JITTER] != 0; k++)
        jitter(out, H * W, ops[k], d[CTR_DRAW_BRIGHTNESS + ops[k]]);
    if (d[CTR_DRAW_GRAY] != 0)
        jitter(out, H * W, 2, 0);
    if (radius && d[CTR_DRAW_SIGMA] > 0) {
        memcpy(scratch, out, H * W * 3 * sizeof *out);
        blur(out, scratch, H, W, radius, d[CTR_DRAW_SIGMA]);
    }
    free(scratch);
    return 0;
}
