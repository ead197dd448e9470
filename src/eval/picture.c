/* picture.c -- see picture.h. In: pixels. Out: coarse vectors, grey pictures, scores of pairs.
 * Invariant: results depend on the two pictures alone, and hardly on which is first. */
#include "eval/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/mem.h"
#include "base/os.h"
#include "data/image.h"

#define SIDE   CTR_PICTURE_SIDE
#define COARSE 8 /* fields a side */
#define FINE   16
#define LEAST  24  /* side of the smallest window */
#define BORDER 2   /* fields */
#define STEP   2   /* of windows in the first stage */
#define BLANK  0.5 /* deviation in levels of grey below which there is nothing to compare */

/* ---- reading ---- */

struct reading {
    struct ctr_pictures *to;
    const struct ctr_data_info *info;
    const uint8_t *images; /* of the chunk */
    size_t at;             /* of its first in `to` */
    int failed;
    ctr_data_progress_fn *progress;
    void *user;
};

/* Removes the mean and brings to length one; 0 where the deviation is below BLANK. */
static double standardise(float *v, size_t n)
{
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; i++)
        mean += (double)v[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        v[i] -= (float)mean;
        square += (double)v[i] * (double)v[i];
    }
    if (square < BLANK * BLANK * (double)n) {
        memset(v, 0, n * sizeof *v);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(v[i] / sqrt(square));
    return 1;
}

static void coarse_vector(float *v, const struct ctr_image *image)
{
    const unsigned C = image->pixel.channels, field = SIDE / COARSE;
    memset(v, 0, (size_t)CTR_PICTURE_FIELDS * C * sizeof *v);
    for (unsigned y = 0; y < SIDE; y++)
        for (unsigned x = 0; x < SIDE; x++)
            for (unsigned c = 0; c < C; c++)
                v[(y / field * COARSE + x / field) * C + c] +=
                    (float)image->pixels[(y * SIDE + x) * C + c] / (float)(field * field);
    standardise(v, (size_t)CTR_PICTURE_FIELDS * C);
}

static void describe(void *ctx, size_t i)
{
    struct reading *r = ctx;
    struct ctr_pictures *p = r->to;
    const size_t bytes = ctr_data_image_bytes(r->info), k = r->at + i;
    struct ctr_image image = {0};
    struct ctr_pixel pixel = {.channels = r->info->channels, .bytes = 1};
    XXH128_hash_t hash = XXH3_128bits(r->images + i * bytes, bytes);
    p->hash[k][0] = hash.low64;
    p->hash[k][1] = hash.high64;
    int rc = ctr_image_alloc(&image, r->info->width, r->info->height, pixel);
    if (rc == 0) {
        memcpy(image.pixels, r->images + i * bytes, bytes);
        rc = ctr_image_fit(&image, SIDE);
    }
    if (rc == 0) {
        coarse_vector(p->coarse + k * p->D, &image);
        rc = ctr_pixel_converts(pixel, 1) ? ctr_image_convert(&image, 1, 1) : 0;
    }
    for (size_t y = 0; rc == 0 && y < CTR_PICTURE_BYTES; y++) /* of other channels the first */
        p->grey[k * CTR_PICTURE_BYTES + y] = image.pixels[y * image.pixel.channels];
    if (rc != 0)
        r->failed = 1;
    ctr_image_free(&image);
}

static int take_chunk(void *user, const uint8_t *images, size_t at, size_t n, size_t done,
                      size_t total)
{
    struct reading *r = user;
    r->images = images;
    r->at = at;
    ctr_parallel(0, n, describe, r);
    if (r->failed)
        return ctr_fail(CTR_E_FAIL, "out of host memory");
    return r->progress ? r->progress(r->user, done, total) : 0;
}

int ctr_pictures_read(struct ctr_pictures *out, struct ctr_data *data,
                      ctr_data_progress_fn *progress, void *user)
{
    const struct ctr_data_info *info = ctr_data_info(data);
    struct ctr_pictures p = {.D = (size_t)CTR_PICTURE_FIELDS * info->channels};
    p.coarse = ctr_alloc(info->n, p.D * sizeof *p.coarse);
    p.grey = ctr_alloc(info->n, CTR_PICTURE_BYTES);
    p.hash = ctr_alloc(info->n, sizeof *p.hash);
    struct reading r = {.to = &p, .info = info, .progress = progress, .user = user};
    int rc = p.coarse && p.grey && p.hash ? ctr_data_each(data, take_chunk, &r) : CTR_E_FAIL;
    p.n = info->n; /* bad images are gone */
    if (rc == 0)
        *out = p;
    else
        ctr_pictures_free(&p);
    return rc;
}

void ctr_pictures_free(struct ctr_pictures *p)
{
    free(p->coarse);
    free(p->grey);
    free(p->hash);
    *p = (struct ctr_pictures){0};
}

/* ---- windows ---- */

/* Sums of all values above and left of a corner. */
struct sums {
    float at[SIDE + 1][SIDE + 1];
};

static void sum_up(struct sums *s, const uint8_t *grey)
{
    memset(s->at[0], 0, sizeof s->at[0]);
    for (unsigned y = 0; y < SIDE; y++) {
        float row = 0;
        s->at[y + 1][0] = 0;
        for (unsigned x = 0; x < SIDE; x++) {
            row += grey[y * SIDE + x];
            s->at[y + 1][x + 1] = s->at[y][x + 1] + row;
        }
    }
}

/* Means of n x n fields of a window, which need not end at whole pixels. */
static void fields(float *v, const struct sums *s, unsigned side, unsigned y0, unsigned x0,
                   unsigned n)
{
    float corner[2][FINE + 1];
    const float step = (float)side / (float)n, area = step * step;
    for (unsigned i = 0; i <= n; i++) {
        float y = (float)y0 + (float)i * step;
        unsigned yi = y >= SIDE ? SIDE - 1 : (unsigned)y;
        float fy = y - (float)yi;
        for (unsigned j = 0; j <= n; j++) {
            float x = (float)x0 + (float)j * step;
            unsigned xi = x >= SIDE ? SIDE - 1 : (unsigned)x;
            float fx = x - (float)xi;
            const float *up = &s->at[yi][xi], *down = &s->at[yi + 1][xi];
            corner[i & 1][j] = (1 - fy) * ((1 - fx) * up[0] + fx * up[1]) +
                               fy * ((1 - fx) * down[0] + fx * down[1]);
        }
        for (unsigned j = 0; i > 0 && j < n; j++)
            v[(i - 1) * n + j] = (corner[i & 1][j + 1] - corner[i & 1][j] - corner[~i & 1][j + 1] +
                                  corner[~i & 1][j]) /
                                 area;
    }
}

/* Takes the mean of 3 x 3 fields out of each. */
static void sharpen(float *v)
{
    float smooth[FINE][FINE];
    for (int y = 0; y < FINE; y++)
        for (int x = 0; x < FINE; x++) {
            float sum = 0;
            int n = 0;
            for (int i = y > 0 ? y - 1 : 0; i <= y + 1 && i < FINE; i++)
                for (int j = x > 0 ? x - 1 : 0; j <= x + 1 && j < FINE; j++, n++)
                    sum += v[i * FINE + j];
            smooth[y][x] = sum / (float)n;
        }
    for (int i = 0; i < FINE * FINE; i++)
        v[i] -= smooth[i / FINE][i % FINE];
}

static double dot(const float *a, const float *b, size_t n)
{
    float sum[8] = {0};
    for (size_t i = 0; i < n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += a[i + k] * b[i + k];
    return (double)((sum[0] + sum[4]) + (sum[1] + sum[5]) +
                    ((sum[2] + sum[6]) + (sum[3] + sum[7])));
}

/* ---- the two stages ---- */

static void align_to(struct ctr_alignment *best, const struct sums *of, const struct sums *whole,
                     int of_second)
{
    float want[COARSE * COARSE], have[COARSE * COARSE];
    fields(want, whole, SIDE, 0, 0, COARSE);
    standardise(want, COARSE * COARSE);
    for (unsigned side = SIDE; side >= LEAST; side -= STEP)
        for (unsigned y = 0; y + side <= SIDE; y += STEP)
            for (unsigned x = 0; x + side <= SIDE; x += STEP) {
                fields(have, of, side, y, x, COARSE);
                standardise(have, COARSE * COARSE);
                double r = dot(want, have, COARSE * COARSE);
                if (r > best->coarse)
                    *best = (struct ctr_alignment){of_second, side, y, x, r};
            }
}

void ctr_picture_align(struct ctr_alignment *out, const uint8_t *a, const uint8_t *b)
{
    struct sums sa, sb;
    sum_up(&sa, a);
    sum_up(&sb, b);
    *out = (struct ctr_alignment){.side = SIDE, .coarse = -1};
    align_to(out, &sa, &sb, 0);
    align_to(out, &sb, &sa, 1);
}

/* The fields without their border, n of them: what a frame around both pictures does not make
 * alike. */
static size_t inner(float *v, const float *from)
{
    size_t n = 0;
    for (unsigned y = BORDER; y < FINE - BORDER; y++, n += FINE - 2 * BORDER)
        memcpy(v + n, from + y * FINE + BORDER, (FINE - 2 * BORDER) * sizeof *v);
    return n;
}

/* Of sharpened fields: the lesser of the correlations with and without the border. */
static double correlation(const float *a, const float *b)
{
    float v[2][FINE * FINE];
    const float *from[2] = {a, b};
    double r = 2;
    for (int whole = 0; whole < 2; whole++) {
        size_t n = FINE * FINE;
        for (int k = 0; k < 2; k++) {
            if (whole)
                memcpy(v[k], from[k], sizeof v[k]);
            else
                n = inner(v[k], from[k]);
            if (!standardise(v[k], n))
                return 0;
        }
        r = fmin(r, dot(v[0], v[1], n));
    }
    return r;
}

double ctr_picture_score(const struct ctr_alignment *at, const uint8_t *a, const uint8_t *b)
{
    struct sums of, whole;
    float want[FINE * FINE], have[FINE * FINE];
    double best = 0;
    sum_up(&of, at->of_second ? b : a);
    sum_up(&whole, at->of_second ? a : b);
    fields(want, &whole, SIDE, 0, 0, FINE);
    sharpen(want);
    for (unsigned side = at->side - 1; side <= at->side + 1 && side <= SIDE; side++)
        for (unsigned y = at->y ? at->y - 1 : 0; y <= at->y + 1 && y + side <= SIDE; y++)
            for (unsigned x = at->x ? at->x - 1 : 0; x <= at->x + 1 && x + side <= SIDE; x++) {
                fields(have, &of, side, y, x, FINE);
                sharpen(have);
                best = fmax(best, correlation(want, have));
            }
    return best;
}
