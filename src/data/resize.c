/* resize.c -- shorter side to the wanted size with an antialiased triangle filter, centre crop.
 * In: an image of any size. Out: size x size. Follows Pillow's Resample.c (filter support widened
 * by the scale, weights normalised per output pixel) and torchvision's Resize + CenterCrop
 * roundings; the intermediate is float, so results may differ from Pillow's by 1 of 255.
 * Invariants: only cropped pixels are computed; memory beside the result is that of the source rows
 * that one row of it needs; an axis that keeps its size is copied exactly. */
#include "data/image.h"
#include "base/mem.h"
#include "base/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Weights of one axis for output pixels [0, n) of the crop. */
struct axis {
    unsigned *first, *count;
    float *weight;       /* [n][taps], zeros from `count` on */
    unsigned taps, most; /* the greatest count */
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
        a->most = a->count[i] > a->most ? a->count[i] : a->most;
    }
    return 0;
}

/* Vectors of the compiler's own: SSE2 and NEON have them, elsewhere it makes scalars of them.
 * Values are added in the order of a scalar loop, so that the bits are the same. */
typedef float lanes4 __attribute__((vector_size(16)));
typedef int32_t whole4 __attribute__((vector_size(16)));
typedef uint16_t short8 __attribute__((vector_size(16)));
typedef uint8_t byte16 __attribute__((vector_size(16)));

#define PAD  16 /* floats behind a row that may be read or written with it */
#define ROWS 4  /* that go across at a time */

/* Bytes become numbers by zeros put between them. */
static void widen16(float *to, const uint8_t *from)
{
    byte16 b, none = {0};
    memcpy(&b, from, sizeof b);
    const byte16 half[2] = {
        __builtin_shufflevector(b, none, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23),
        __builtin_shufflevector(b, none, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15,
                                31)};
    for (int i = 0; i < 2; i++) {
        short8 s = (short8)half[i], zero = {0};
        whole4 low = (whole4)__builtin_shufflevector(s, zero, 0, 8, 1, 9, 2, 10, 3, 11);
        whole4 high = (whole4)__builtin_shufflevector(s, zero, 4, 12, 5, 13, 6, 14, 7, 15);
        lanes4 f[2] = {__builtin_convertvector(low, lanes4), __builtin_convertvector(high, lanes4)};
        memcpy(to + 8 * i, f, sizeof f);
    }
}

static void narrow16(uint8_t *to, const float *from)
{
    lanes4 f[4];
    short8 half[2];
    memcpy(f, from, sizeof f);
    for (int i = 0; i < 2; i++) {
        short8 low = (short8) __builtin_convertvector(f[2 * i], whole4);
        short8 high = (short8) __builtin_convertvector(f[2 * i + 1], whole4);
        half[i] = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    }
    byte16 b = __builtin_shufflevector((byte16)half[0], (byte16)half[1], 0, 2, 4, 6, 8, 10, 12, 14,
                                       16, 18, 20, 22, 24, 26, 28, 30);
    memcpy(to, &b, sizeof b);
}

/* n values of an image as floats. */
static void to_floats(float *to, const uint8_t *from, size_t n, unsigned bytes)
{
    size_t i = 0;
    for (; bytes == 1 && i + 16 <= n; i += 16)
        widen16(to + i, from + i);
    for (; i < n; i++)
        to[i] = bytes == 1 ? from[i] : ((const uint16_t *)from)[i];
}

/* And back, the fraction cut off. Weights are positive and their sum is one, so that nothing leaves
 * the range but by rounding errors, which reach 1 / 2 only in values of 16 bits. */
static void to_values(uint8_t *to, const float *from, size_t n, unsigned bytes)
{
    size_t i = 0;
    for (; bytes == 1 && i + 16 <= n; i += 16)
        narrow16(to + i, from + i);
    for (; bytes == 1 && i < n; i++)
        to[i] = (uint8_t)from[i];
    for (; i < n; i++)
        ((uint16_t *)to)[i] = (uint16_t)(from[i] > 65535 ? 65535 : from[i]);
}

/* Source rows as floats go across to dst[ROWS][pitch], n pixels each, channels four at a time. Each
 * pixel takes as many steps: beyond its own the weights are zero, and rows go on with numbers. */
static void rows_across(float *const dst[ROWS], const float *rows, size_t pitch,
                        const struct axis *a, unsigned n, unsigned channels)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned c = 0; c < channels; c += 4) {
            const float *from = rows + (size_t)a->first[i] * channels + c;
            const float *w = a->weight + (size_t)i * a->taps;
            lanes4 sum[ROWS] = {{0}};
            for (unsigned k = 0; k < a->most; k++, from += channels)
#pragma GCC unroll 4
                for (unsigned r = 0; r < ROWS; r++) {
                    lanes4 v;
                    memcpy(&v, from + r * pitch, sizeof v);
                    sum[r] += w[k] * v;
                }
                /* what is beyond the pixel's channels is overwritten by what comes next */
#pragma GCC unroll 4
            for (unsigned r = 0; r < ROWS; r++)
                memcpy(dst[r] + (size_t)i * channels + c, &sum[r], sizeof sum[r]);
        }
}

/* Source rows that went across, as long as they are needed: row y stands at y % depth. */
struct window {
    float *rows, *source; /* [depth][pitch]; [ROWS][source_pitch] */
    const float **row;    /* [depth] those of one row of the result */
    size_t pitch, source_pitch, depth;
    unsigned next; /* source row */
};

/* The next ROWS rows of the source, of which there may be fewer. */
static void take_rows(struct window *in, const struct ctr_image *image, const struct axis *a,
                      unsigned n)
{
    const unsigned bytes = image->pixel.bytes;
    const size_t values = (size_t)image->width * image->pixel.channels;
    float *dst[ROWS];
    for (unsigned r = 0; r < ROWS; r++) {
        dst[r] = in->rows + (in->next + r) % in->depth * in->pitch;
        if (in->next + r < image->height)
            to_floats(in->source + r * in->source_pitch,
                      image->pixels + (in->next + r) * values * bytes, values, bytes);
    }
    rows_across(dst, in->source, in->source_pitch, a, n, image->pixel.channels);
    in->next += ROWS;
}

/* Row i of the result as floats, n of them. */
static void rows_down(float *dst, struct window *in, const struct axis *a, unsigned i, size_t n)
{
    const float *w = a->weight + (size_t)i * a->taps;
    const unsigned count = a->count[i];
    for (unsigned k = 0; k < count; k++)
        in->row[k] = in->rows + (a->first[i] + k) % in->depth * in->pitch;
    for (size_t x = 0; x < n; x += 16) {
        lanes4 sum[4] = {{0.5f, 0.5f, 0.5f, 0.5f},
                         {0.5f, 0.5f, 0.5f, 0.5f},
                         {0.5f, 0.5f, 0.5f, 0.5f},
                         {0.5f, 0.5f, 0.5f, 0.5f}};
        for (unsigned k = 0; k < count; k++) {
            lanes4 v[4];
            memcpy(v, in->row[k] + x, sizeof v);
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++)
                sum[j] += w[k] * v[j];
        }
        memcpy(dst + x, sum, sizeof sum);
    }
}

static int window_init(struct window *in, const struct ctr_image *image, const struct axis *across,
                       const struct axis *down, unsigned size)
{
    const unsigned channels = image->pixel.channels;
    in->pitch = (size_t)size * channels + PAD;
    in->source_pitch = ((size_t)image->width + across->most) * channels + PAD;
    in->depth = down->most + ROWS;
    in->next = down->first[0];
    in->rows = ctr_alloc(in->depth * in->pitch, sizeof *in->rows);
    in->source = ctr_alloc(ROWS * in->source_pitch, sizeof *in->source);
    in->row = ctr_alloc(in->depth, sizeof *in->row);
    return in->rows && in->source && in->row ? 0 : CTR_E_FAIL;
}

static void window_free(struct window *in)
{
    free(in->rows);
    free(in->source);
    free((void *)in->row);
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
    struct window in = {0};
    float *sum = NULL;
    const size_t row = (size_t)size * image->pixel.channels;
    int rc = 0;
    CTR_TRY(ctr_image_alloc(&to, size, size, image->pixel));
    CTR_TRY(axis_init(&across, w, full_w, at_x, size));
    CTR_TRY(axis_init(&down, h, full_h, at_y, size));
    CTR_TRY(window_init(&in, image, &across, &down, size));
    if (!(sum = ctr_alloc(row + PAD, sizeof *sum)))
        CTR_TRY(CTR_E_FAIL);
    for (unsigned i = 0; i < size; i++) {
        while (in.next < down.first[i] + down.count[i])
            take_rows(&in, image, &across, size);
        rows_down(sum, &in, &down, i, row);
        to_values(to.pixels + i * row * to.pixel.bytes, sum, row, to.pixel.bytes);
    }
    ctr_image_free(image);
    *image = to;
    to.pixels = NULL;
out:
    ctr_image_free(&to);
    window_free(&in);
    free(sum);
    axis_free(&across);
    axis_free(&down);
    return rc;
}
