/* resize.c -- shorter side to the wanted size with an antialiased triangle filter, centre crop.
 * In: an image of any size. Out: size x size. Follows Pillow's Resample.c (filter support widened by the
 * scale, weights normalised per output pixel) and torchvision's Resize + CenterCrop roundings; the
 * intermediate is float, so results may differ from Pillow's by 1 of 255.
 * Invariants: only cropped pixels are computed, memory is O(size * source rows needed); an axis
 * that keeps its size is copied exactly. */
#include "data/image.h"
#include "base/mem.h"
#include "base/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Weights of one axis for output pixels [0, n) of the crop. */
struct axis {
    unsigned *first, *count;
    float *weight; /* [n][taps] */
    unsigned taps;
};

static void axis_free(struct axis *a)
{
    free(a->first);
    free(a->count);
    free(a->weight);
}

/* `full` is the axis length after resizing, of which [at, at + n) is wanted. */
static int axis_init(struct axis *a, unsigned in, unsigned long long full, unsigned long long at,
                     unsigned n)
{
    double scale = (double)in / (double)full, support = scale > 1 ? scale : 1;
    unsigned long long taps = 2 * (unsigned long long)ceil(support) + 1;
    a->taps = (unsigned)(taps < in ? taps : in);
    a->first = ctr_alloc(n, sizeof *a->first);
    a->count = ctr_alloc(n, sizeof *a->count);
    a->weight = ctr_alloc((size_t)n * a->taps, sizeof *a->weight);
    if (!a->first || !a->count || !a->weight)
        return CTR_E_FAIL;
    for (unsigned i = 0; i < n; i++) {
        double center = ((double)(at + i) + 0.5) * scale, sum = 0;
        double lo = floor(center - support + 0.5), hi = floor(center + support + 0.5);
        unsigned first = lo > 0 ? (unsigned)lo : 0, end = hi < in ? (unsigned)hi : in;
        float *w = a->weight + (size_t)i * a->taps;
        a->first[i] = first;
        for (unsigned x = first; x < end && x - first < a->taps; x++) {
            double t = 1 - fabs((x + 0.5 - center) / support);
            w[x - first] = (float)(t > 0 ? t : 0);
            sum += w[x - first];
            a->count[i] = x - first + 1;
        }
        for (unsigned k = 0; k < a->count[i]; k++)
            w[k] = (float)(w[k] / sum);
    }
    return 0;
}

/* One source row to n pixels of floats. Compiled for RGB of 8 bits, and for anything else. */
static inline __attribute__((always_inline)) void across_of(float *dst, const uint8_t *row,
                                                            const struct axis *a, unsigned n,
                                                            unsigned channels, unsigned bytes)
{
    for (unsigned i = 0; i < n; i++, dst += channels) {
        const size_t at = (size_t)a->first[i] * channels;
        const float *w = a->weight + (size_t)i * a->taps;
        float sum[CTR_CHANNELS_MAX] = {0};
        for (unsigned k = 0; k < a->count[i]; k++)
#pragma GCC unroll 3
            for (unsigned c = 0; c < channels; c++) {
                const size_t from = at + (size_t)k * channels + c;
                sum[c] += w[k] * (bytes == 1 ? row[from] : ((const uint16_t *)row)[from]);
            }
        memcpy(dst, sum, channels * sizeof *dst);
    }
}

static void row_across(float *dst, const struct ctr_image *image, unsigned y, const struct axis *a,
                       unsigned n)
{
    const struct ctr_pixel p = image->pixel;
    const uint8_t *row = image->pixels + (size_t)y * image->width * p.channels * p.bytes;
    if (p.channels == 3 && p.bytes == 1)
        across_of(dst, row, a, n, 3, 1);
    else
        across_of(dst, row, a, n, p.channels, p.bytes);
}

static void rows_down(struct ctr_image *to, const float *rows, const struct axis *a, unsigned y0,
                      unsigned i)
{
    const unsigned n = to->width * to->pixel.channels;
    const float full = to->pixel.bytes == 1 ? 255 : 65535;
    const float *w = a->weight + (size_t)i * a->taps;
    const float *p = rows + (size_t)(a->first[i] - y0) * n;
    for (unsigned x = 0; x < n; x++) {
        float v = 0.5f;
        for (unsigned k = 0; k < a->count[i]; k++)
            v += w[k] * p[(size_t)k * n + x];
        v = v < 0 ? 0 : v > full ? full : v;
        if (to->pixel.bytes == 1)
            to->pixels[(size_t)i * n + x] = (uint8_t)v;
        else
            ((uint16_t *)to->pixels)[(size_t)i * n + x] = (uint16_t)v;
    }
}

int ctr_image_fit(struct ctr_image *image, unsigned size)
{
    unsigned w = image->width, h = image->height, side = w < h ? w : h;
    unsigned long long full_w = (unsigned long long)size * w / side;
    unsigned long long full_h = (unsigned long long)size * h / side;
    /* torchvision rounds (full - size) / 2 half to even */
    unsigned long long gap_w = full_w - size, gap_h = full_h - size;
    unsigned long long at_x = gap_w / 2 + (gap_w % 4 == 3), at_y = gap_h / 2 + (gap_h % 4 == 3);
    if (w == size && h == size)
        return 0;
    struct axis across = {0}, down = {0};
    struct ctr_image to = {0};
    float *rows = NULL;
    size_t row = (size_t)size * image->pixel.channels;
    int rc = 0;
    CTR_TRY(ctr_image_alloc(&to, size, size, image->pixel));
    CTR_TRY(axis_init(&across, w, full_w, at_x, size));
    CTR_TRY(axis_init(&down, h, full_h, at_y, size));
    unsigned y0 = down.first[0], y1 = down.first[size - 1] + down.count[size - 1];
    rows = ctr_alloc((size_t)(y1 - y0) * row, sizeof *rows);
    if (!rows)
        CTR_TRY(CTR_E_FAIL);
    for (unsigned y = y0; y < y1; y++)
        row_across(rows + (size_t)(y - y0) * row, image, y, &across, size);
    for (unsigned i = 0; i < size; i++)
        rows_down(&to, rows, &down, y0, i);
    ctr_image_free(image);
    *image = to;
    to.pixels = NULL;
out:
    ctr_image_free(&to);
    free(rows);
    axis_free(&across);
    axis_free(&down);
    return rc;
}
