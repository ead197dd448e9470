/* shapes.c -- a data set that needs no files: one drawn shape an image, the shape is the class.
 * Out: images of any size, the same for the same (seed, split, index, size).
 * Colours, background, place, size and a small rotation are random and tell nothing about the
 * class, so that raw pixels and untrained networks do badly, while a few epochs of training
 * suffice. Everything drawn comes from one Philox stream an image, in a fixed order (draw_scene).
 */
#include "base/rng.h"
#include "data/source.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what makes it easy or hard ---- */

#define N_TRAIN      5000
#define N_TEST       1000
#define SIDE         32    /* default image size */
#define RADIUS_MIN   0.24f /* of the circle around the shape, in image sides */
#define RADIUS_MAX   0.38f
#define SHIFT        0.18f /* centre off the image's centre, at most */
#define ROTATION     0.20f /* radians either way */
#define COLOUR       0.3f /* 0 greys .. 1 full colours, which training would tell images apart by */
#define CONTRAST_MIN 0.35f /* mean channel difference of shape and background, at least */
#define GRADIENT     0.25f /* the background's second colour, at most this far from the first */
#define WAVE         0.03f /* amplitude of the background's ripples */
#define WAVES_MIN    1.0f  /* ripples across the image */
#define WAVES_MAX    4.0f
#define NOISE        0.03f /* standard deviation of the pixel noise */
#define SUBSAMPLES   4     /* a side, for smooth edges */

#define PI 3.14159265358979f

/* Shapes inside the unit circle, y down. */
static int in_disc(float x, float y)
{
    return x * x + y * y < 0.81f;
}

static int in_ring(float x, float y)
{
    float r = x * x + y * y;
    return r < 0.90f && r > 0.30f;
}

static int in_square(float x, float y)
{
    return fabsf(x) < 0.72f && fabsf(y) < 0.72f;
}

static int in_triangle(float x, float y)
{
    return y < 0.6f && 1.732f * fabsf(x) < y + 1.0f;
}

static int in_cross(float x, float y)
{
    x = fabsf(x);
    y = fabsf(y);
    return (x < 0.27f && y < 0.95f) || (y < 0.27f && x < 0.95f);
}

static int in_star(float x, float y)
{
    const float tenth = PI / 5, inner = 0.42f;
    float angle = fmodf(atan2f(x, -y) + 2 * PI, 2 * tenth), r = sqrtf(x * x + y * y);
    angle = angle > tenth ? 2 * tenth - angle : angle;
    /* inside the edge from the tip (1, 0) to the notch at the inner radius */
    float px = r * cosf(angle), py = r * sinf(angle);
    float qx = inner * cosf(tenth), qy = inner * sinf(tenth);
    return (qx - 1) * py - qy * (px - 1) > 0;
}

static int in_crescent(float x, float y)
{
    float dx = x - 0.45f;
    return x * x + y * y < 0.90f && dx * dx + y * y > 0.55f;
}

static int in_bars(float x, float y)
{
    y = fabsf(y);
    return fabsf(x) < 0.75f && (y < 0.16f || (y > 0.42f && y < 0.74f));
}

static int in_ell(float x, float y)
{
    return (x > -0.65f && x < -0.15f && fabsf(y) < 0.75f) ||
           (y > 0.25f && y < 0.75f && x > -0.65f && x < 0.65f);
}

static int in_heart(float x, float y)
{
    x *= 1.25f;
    y = -1.25f * y + 0.1f;
    float a = x * x + y * y - 1;
    return a * a * a - x * x * y * y * y < 0;
}

static const struct {
    const char *name;
    int (*inside)(float x, float y);
} shapes[] = {
    {"bars", in_bars}, {"crescent", in_crescent}, {"cross", in_cross}, {"disc", in_disc},
    {"ell", in_ell},   {"heart", in_heart},       {"ring", in_ring},   {"square", in_square},
    {"star", in_star}, {"triangle", in_triangle},
};
#define N_CLASSES (sizeof shapes / sizeof *shapes)

struct scene {
    float fore[3], back[3], other[3]; /* 0..1; background runs from back to other */
    float x, y, radius, cosine, sine; /* in image sides */
    float along_x, along_y;           /* direction of the gradient */
    float wave_x, wave_y, phase;      /* ripples: radians per image side */
};

static float between(struct ctr_rng *rng, float lo, float hi)
{
    return lo + (hi - lo) * ctr_rng_uniform(rng);
}

/* Nearly normal, from the bytes of one number: no libm in the innermost loop. */
static float noise(struct ctr_rng *rng)
{
    uint32_t u = ctr_rng_u32(rng), sum = (u & 255) + (u >> 8 & 255) + (u >> 16 & 255) + (u >> 24);
    return ((float)sum - 510.0f) * (1 / 147.8f);
}

/* A grey of any lightness, tinted. */
static void draw_colour(float colour[3], struct ctr_rng *rng)
{
    float grey = ctr_rng_uniform(rng);
    for (int c = 0; c < 3; c++)
        colour[c] = grey + COLOUR * (ctr_rng_uniform(rng) - grey);
}

static void draw_scene(struct scene *s, struct ctr_rng *rng)
{
    float contrast = 0, turn, angle, waves, step = between(rng, -GRADIENT, GRADIENT);
    draw_colour(s->back, rng);
    for (int c = 0; c < 3; c++)
        s->other[c] = s->back[c] + step;
    while (contrast < CONTRAST_MIN) {
        contrast = 0;
        draw_colour(s->fore, rng);
        for (int c = 0; c < 3; c++)
            contrast += fabsf(s->fore[c] - s->back[c] - 0.5f * step) / 3;
    }
    s->x = 0.5f + between(rng, -SHIFT, SHIFT);
    s->y = 0.5f + between(rng, -SHIFT, SHIFT);
    s->radius = between(rng, RADIUS_MIN, RADIUS_MAX);
    turn = between(rng, -ROTATION, ROTATION);
    s->cosine = cosf(turn);
    s->sine = sinf(turn);
    angle = between(rng, 0, 2 * PI);
    s->along_x = cosf(angle);
    s->along_y = sinf(angle);
    angle = between(rng, 0, 2 * PI);
    waves = 2 * PI * between(rng, WAVES_MIN, WAVES_MAX);
    s->wave_x = waves * cosf(angle);
    s->wave_y = waves * sinf(angle);
    s->phase = between(rng, 0, 2 * PI);
}

/* Share of the pixel at (px, py), in image sides, that the shape covers. */
static float cover(const struct scene *s, size_t class, float px, float py, float pixel)
{
    float dx = px - s->x, dy = py - s->y, reach = s->radius + pixel;
    int hits = 0;
    if (dx * dx + dy * dy > reach * reach)
        return 0;
    for (int j = 0; j < SUBSAMPLES; j++)
        for (int i = 0; i < SUBSAMPLES; i++) {
            float x = dx + pixel * (((float)i + 0.5f) / SUBSAMPLES - 0.5f);
            float y = dy + pixel * (((float)j + 0.5f) / SUBSAMPLES - 0.5f);
            hits += shapes[class].inside((x * s->cosine + y * s->sine) / s->radius,
                                         (y * s->cosine - x * s->sine) / s->radius);
        }
    return (float)hits / (SUBSAMPLES * SUBSAMPLES);
}

static void paint(uint8_t *rgb, const struct scene *s, struct ctr_rng *rng, size_t class,
                  unsigned n)
{
    for (unsigned row = 0; row < n; row++)
        for (unsigned col = 0; col < n; col++, rgb += 3) {
            float x = ((float)col + 0.5f) / (float)n, y = ((float)row + 0.5f) / (float)n;
            float a = cover(s, class, x, y, 1.0f / (float)n);
            float along = 0.5f + 0.7f * ((x - 0.5f) * s->along_x + (y - 0.5f) * s->along_y);
            float wave = WAVE * sinf(s->wave_x * x + s->wave_y * y + s->phase);
            for (int c = 0; c < 3; c++) {
                float back = s->back[c] + along * (s->other[c] - s->back[c]) + wave;
                float v = back + a * (s->fore[c] - back) + NOISE * noise(rng);
                rgb[c] = (uint8_t)(255.0f * (v < 0 ? 0 : v > 1 ? 1 : v) + 0.5f);
            }
        }
}

/* The split's images come first in "all", so train images are numbered alike in both. */
static int is_test(const struct ctr_source *s, size_t i)
{
    return s->split == CTR_SPLIT_TEST || i >= N_TRAIN;
}

static int shapes_open(struct ctr_source *s)
{
    int rc = 0;
    char name[64];
    size_t n = s->split == CTR_SPLIT_ALL    ? N_TRAIN + N_TEST
               : s->split == CTR_SPLIT_TEST ? N_TEST
                                            : N_TRAIN;
    if (s->split == CTR_SPLIT_UNLABELED)
        return ctr_source_no_split(s, "train, test, all");
    s->width = s->height = SIDE;
    s->pixel = (struct ctr_pixel){.channels = 3, .bytes = 1};
    s->has_test = 1;
    for (size_t c = 0; c < N_CLASSES; c++)
        CTR_TRY(ctr_source_add_class(s, shapes[c].name));
    for (size_t i = 0; i < n; i++) {
        size_t class = i % N_CLASSES;
        snprintf(name, sizeof name, "%s/%s-%05zu", is_test(s, i) ? "test" : "train",
                 shapes[class].name, i % N_TRAIN);
        /* the seed in place of a size in bytes: other pictures, other hash */
        CTR_TRY(ctr_source_add(s, name, s->seed, (int32_t) class));
    }
out:
    return rc;
}

static int shapes_decode(struct ctr_image *out, const struct ctr_source *s, size_t i, unsigned want)
{
    struct ctr_rng rng;
    struct scene scene;
    unsigned n = want ? want : SIDE;
    int rc = ctr_image_alloc(out, n, n, s->pixel);
    if (rc != 0)
        return rc;
    ctr_rng_init(&rng, s->seed, CTR_RNG_SHAPES, (uint32_t)(i % N_TRAIN), (uint32_t)is_test(s, i));
    draw_scene(&scene, &rng);
    paint(out->pixels, &scene, &rng, i % N_CLASSES, n);
    return 0;
}

const struct ctr_data_driver ctr_driver_shapes = {
    .name = "shapes",
    .text = "drawn shapes of 10 classes, no files: to try things out",
    .open = shapes_open,
    .decode = shapes_decode,
};
