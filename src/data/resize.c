/* resize.c -- shorter side to the wanted size with an antialiased triangle filter, centre crop.
 * In: an image of any size. Out: size x size. Follows Pillow's Resample.c (filter support widened
 * by the scale, weights normalised per output pixel) and torchvision's Resize + CenterCrop
 * roundings; the intermediate is float, so results may differ from Pillow's by 1 of 255.
 * A row of the result is a sum of source rows, which goes across then: sums of rows are vectors
 * from end to end, and what is shrunk goes across in fewer rows. Invariants: only cropped pixels
 * are computed, of source columns that they need; memory beside the result is four rows; an axis
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
    float *weight;       /* [n][taps], zeros from `count` on */
    unsigned taps, most; /* the greatest count */
};

static void axis_free(struct axis *a)
{
    free(a->first);
    free(a->count);
    free(a->weight);
}

/* An axis of `in` pixels of an image whose shorter side is `side`: `full` pixels after resizing, of
 * which [at, at + size) are wanted. torchvision rounds (full - size) / 2 half to even. */
struct span {
    unsigned in;
    unsigned long long full, at;
};

static struct span span_of(unsigned in, unsigned side, unsigned size)
{
    struct span s = {in, (unsigned long long)size * in / side, 0};
    unsigned long long gap = s.full - size;
    s.at = gap / 2 + (gap % 4 == 3);
    return s;
}

/* Source pixels under the filter of wanted pixel i. */
struct reach {
    double center, support;
    unsigned first, end;
};

static struct reach reach_of(const struct span *s, unsigned i)
{
    struct reach r;
    double scale = (double)s->in / (double)s->full;
    r.support = scale > 1 ? scale : 1;
    r.center = ((double)(s->at + i) + 0.5) * scale;
    double lo = floor(r.center - r.support + 0.5), hi = floor(r.center + r.support + 0.5);
    r.first = lo > 0 ? (unsigned)lo : 0;
    r.end = hi < s->in ? (unsigned)hi : s->in;
    return r;
}

static int axis_init(struct axis *a, unsigned in, unsigned side, unsigned n)
{
    const struct span span = span_of(in, side, n);
    unsigned long long taps = 2 * (unsigned long long)ceil(reach_of(&span, 0).support) + 1;
    a->taps = (unsigned)(taps < in ? taps : in);
    a->first = ctr_alloc(n, sizeof *a->first);
    a->count = ctr_alloc(n, sizeof *a->count);
    a->weight = ctr_alloc((size_t)n * a->taps, sizeof *a->weight);
    if (!a->first || !a->count || !a->weight)
        return CTR_E_FAIL;
    for (unsigned i = 0; i < n; i++) {
        const struct reach r = reach_of(&span, i);
        float *w = a->weight + (size_t)i * a->taps;
        double sum = 0;
        a->first[i] = r.first;
        for (unsigned x = r.first; x < r.end && x - r.first < a->taps; x++) {
            double t = 1 - fabs((x + 0.5 - r.center) / r.support);
            w[x - r.first] = (float)(t > 0 ? t : 0);
            sum += w[x - r.first];
            a->count[i] = x - r.first + 1;
        }
        for (unsigned k = 0; k < a->count[i]; k++)
            w[k] = (float)(w[k] / sum);
        a->most = a->count[i] > a->most ? a->count[i] : a->most;
    }
    return 0;
}

/* Loops over blocks of constant length become vectors. Where the loader can choose between versions
 * of a function there is one for longer vectors; it has no fused multiply-add, so that the bits are
 * the same. (It chooses before ThreadSanitizer is there, which ends the program.) */
#ifdef __has_feature
#if __has_feature(thread_sanitizer) /* clang's name for it */
#define __SANITIZE_THREAD__
#endif
#endif
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
#define LONG_VECTORS __attribute__((target_clones("avx2", "default")))
#else
#define LONG_VECTORS
#endif

#define BLOCK 32 /* values summed at a time */
#define ROWS  4  /* that go across at a time */
#define PAD   4  /* floats behind a row that may be read or written with it */

typedef float lanes4 __attribute__((vector_size(16)));

static inline float value(const void *from, size_t i, unsigned bytes)
{
    return bytes == 1 ? ((const uint8_t *)from)[i] : ((const uint16_t *)from)[i];
}

/* Values [x, x + block) of a sum of `count` rows, `pitch` values apart, each with its weight.
 * Inlined, so that `block` and `bytes` are constants. */
__attribute__((always_inline)) static inline void block_down(float *sum, const void *from, size_t x,
                                                             size_t pitch, const float *w,
                                                             unsigned count, const unsigned block,
                                                             const unsigned bytes)
{
    float s[BLOCK];
    for (unsigned j = 0; j < block; j++)
        s[j] = w[0] * value(from, x + j, bytes);
    for (unsigned k = 1; k < count; k++)
        for (unsigned j = 0; j < block; j++)
            s[j] += w[k] * value(from, k * pitch + x + j, bytes);
    for (unsigned j = 0; j < block; j++)
        sum[x + j] = s[j];
}

/* n values of row i of the result, before they go across. The last block overlaps. */
LONG_VECTORS
static void row_down(float *sum, const void *from, size_t n, size_t pitch, const struct axis *a,
                     unsigned i, unsigned bytes)
{
    const float *w = a->weight + (size_t)i * a->taps;
    const unsigned count = a->count[i];
    for (size_t x = 0; n >= BLOCK && x < n; x += BLOCK) {
        const size_t at = x + BLOCK <= n ? x : n - BLOCK;
        if (bytes == 1)
            block_down(sum, from, at, pitch, w, count, BLOCK, 1);
        else
            block_down(sum, from, at, pitch, w, count, BLOCK, 2);
    }
    for (size_t x = 0; n < BLOCK && x < n; x++)
        block_down(sum, from, x, pitch, w, count, 1, bytes);
}

/* Rows go across to dst[ROWS][dst_pitch], n pixels each, channels four at a time, with 1 / 2 added.
 * Each pixel takes as many steps: beyond its own the weights are zero, and rows go on with
 * numbers. */
LONG_VECTORS
static void rows_across(float *dst, size_t dst_pitch, const float *rows, size_t pitch,
                        const struct axis *a, unsigned n, unsigned channels)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned c = 0; c < channels; c += 4) {
            const float *from = rows + (size_t)(a->first[i] - a->first[0]) * channels + c;
            const float *w = a->weight + (size_t)i * a->taps;
            const lanes4 half = {0.5f, 0.5f, 0.5f, 0.5f};
            lanes4 sum[ROWS] = {half, half, half, half};
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
                memcpy(dst + r * dst_pitch + (size_t)i * channels + c, &sum[r], sizeof sum[r]);
        }
}

/* n sums become values, the fraction cut off. Weights are positive and their sum is one, so that
 * nothing leaves the range but by rounding errors, which reach 1 / 2 only in values of 16 bits. */
LONG_VECTORS
static void to_values(void *restrict to, const float *restrict from, size_t n, unsigned bytes)
{
    size_t x = 0;
    for (uint8_t *restrict b = to; bytes == 1 && x + BLOCK <= n; x += BLOCK)
        for (unsigned j = 0; j < BLOCK; j++)
            b[x + j] = (uint8_t)(int)from[x + j];
    for (; bytes == 1 && x < n; x++)
        ((uint8_t *)to)[x] = (uint8_t)from[x];
    for (; x < n; x++)
        ((uint16_t *)to)[x] = (uint16_t)(from[x] > 65535 ? 65535 : from[x]);
}

/* Room for ROWS rows before and after they go across. */
struct strip {
    float *rows, *across;          /* [ROWS][pitch], [ROWS][across_pitch] */
    size_t n, pitch, across_pitch; /* n: values of a row that are needed */
};

static int strip_init(struct strip *s, const struct axis *across, unsigned size, unsigned channels)
{
    const unsigned end = across->first[size - 1] + across->count[size - 1];
    s->n = (size_t)(end - across->first[0]) * channels;
    s->pitch = s->n + (size_t)across->most * channels + PAD;
    s->across_pitch = (size_t)size * channels + PAD;
    s->rows = ctr_alloc(ROWS * s->pitch, sizeof *s->rows);
    s->across = ctr_alloc(ROWS * s->across_pitch, sizeof *s->across);
    return s->rows && s->across ? 0 : CTR_E_FAIL;
}

static void strip_free(struct strip *s)
{
    free(s->rows);
    free(s->across);
}

/* Rows [i, i + n) of the result, at most ROWS. */
static void make_rows(struct ctr_image *to, struct strip *s, const struct ctr_image *from,
                      const struct axis *across, const struct axis *down, unsigned i, unsigned n)
{
    const unsigned bytes = from->pixel.bytes, channels = from->pixel.channels;
    const size_t pitch = (size_t)from->width * channels, row = (size_t)to->width * channels;
    for (unsigned r = 0; r < n; r++) {
        const size_t at = down->first[i + r] * pitch + (size_t)across->first[0] * channels;
        row_down(s->rows + r * s->pitch, from->pixels + at * bytes, s->n, pitch, down, i + r,
                 bytes);
    }
    rows_across(s->across, s->across_pitch, s->rows, s->pitch, across, to->width, channels);
    for (unsigned r = 0; r < n; r++)
        to_values(to->pixels + (i + r) * row * bytes, s->across + r * s->across_pitch, row, bytes);
}

void ctr_image_fit_columns(unsigned *first, unsigned *end, unsigned width, unsigned height,
                           unsigned size)
{
    const struct span span = span_of(width, width < height ? width : height, size);
    *first = reach_of(&span, 0).first;
    *end = reach_of(&span, size - 1).end;
}

int ctr_image_fit(struct ctr_image *image, unsigned size)
{
    unsigned w = image->width, h = image->height, side = w < h ? w : h;
    if (w == size && h == size)
        return 0;
    struct axis across = {0}, down = {0};
    struct ctr_image to = {0};
    struct strip strip = {0};
    int rc = 0;
    CTR_TRY(ctr_image_alloc(&to, size, size, image->pixel));
    CTR_TRY(axis_init(&across, w, side, size));
    CTR_TRY(axis_init(&down, h, side, size));
    CTR_TRY(strip_init(&strip, &across, size, image->pixel.channels));
    for (unsigned i = 0; i < size; i += ROWS)
        make_rows(&to, &strip, image, &across, &down, i, size - i < ROWS ? size - i : ROWS);
    ctr_image_free(image);
    *image = to;
    to.pixels = NULL;
out:
    ctr_image_free(&to);
    strip_free(&strip);
    axis_free(&across);
    axis_free(&down);
    return rc;
}
