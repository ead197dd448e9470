/* resize.c -- shorter side to the wanted size with an antialiased triangle filter, centre crop.
 * In: RGB of any size. Out: size x size. Follows Pillow's Resample.c (filter support widened by the
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

/* One source row to n floats x 3. */
static void row_across(float *dst, const uint8_t *src, const struct axis *a, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const uint8_t *p = src + (size_t)a->first[i] * 3;
        const float *w = a->weight + (size_t)i * a->taps;
        float r = 0, g = 0, b = 0;
        for (unsigned k = 0; k < a->count[i]; k++, p += 3) {
            r += w[k] * p[0];
            g += w[k] * p[1];
            b += w[k] * p[2];
        }
        dst[3 * i] = r;
        dst[3 * i + 1] = g;
        dst[3 * i + 2] = b;
    }
}

static void rows_down(uint8_t *dst, const float *rows, const struct axis *a, unsigned y0,
                      unsigned i, unsigned n3)
{
    const float *w = a->weight + (size_t)i * a->taps;
    const float *p = rows + (size_t)(a->first[i] - y0) * n3;
    for (unsigned x = 0; x < n3; x++) {
        float v = 0.5f;
        for (unsigned k = 0; k < a->count[i]; k++)
            v += w[k] * p[(size_t)k * n3 + x];
        dst[x] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    }
}

int ctr_image_fit(uint8_t *dst, const struct ctr_image *image, unsigned size)
{
    unsigned w = image->width, h = image->height, side = w < h ? w : h;
    unsigned long long full_w = (unsigned long long)size * w / side;
    unsigned long long full_h = (unsigned long long)size * h / side;
    /* torchvision rounds (full - size) / 2 half to even */
    unsigned long long gap_w = full_w - size, gap_h = full_h - size;
    unsigned long long at_x = gap_w / 2 + (gap_w % 4 == 3), at_y = gap_h / 2 + (gap_h % 4 == 3);
    if (w == size && h == size) {
        memcpy(dst, image->rgb, (size_t)w * h * 3);
        return 0;
    }
    struct axis across = {0}, down = {0};
    float *rows = NULL;
    int rc = 0;
    CTR_TRY(axis_init(&across, w, full_w, at_x, size));
    CTR_TRY(axis_init(&down, h, full_h, at_y, size));
    unsigned y0 = down.first[0], y1 = down.first[size - 1] + down.count[size - 1];
    rows = ctr_alloc((size_t)(y1 - y0) * size, 3 * sizeof *rows);
    if (!rows)
        CTR_TRY(CTR_E_FAIL);
    for (unsigned y = y0; y < y1; y++)
        row_across(rows + (size_t)(y - y0) * size * 3, image->rgb + (size_t)y * w * 3, &across,
                   size);
    for (unsigned i = 0; i < size; i++)
        rows_down(dst + (size_t)i * size * 3, rows, &down, y0, i, size * 3);
out:
    free(rows);
    axis_free(&across);
    axis_free(&down);
    return rc;
}
