/* augment_draw.c -- the draws of augmentation on the host, in double. They compare against the
 * device's in fp32, so that what is rounded to whole pixels may differ where it lies half way
 * between two. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "ref/augment.h"

struct drawing {
    double *row;
    size_t SH, SW, H, W;
    uint32_t bits[4], view, block; /* block: where this stage's begin */
    uint32_t counter[4], key[2];
    double u[4];
    double top, left, height, width, attempts;
    int cut, move, count;
};

/* Fills bits and u from a block. */
static void roll(struct drawing *d, uint32_t block)
{
    d->counter[0] = d->block + block;
    ctr_philox(d->bits, d->counter, d->key);
    for (int i = 0; i < 4; i++)
        d->u[i] = (d->bits[i] >> 8) * 0x1p-24;
}

static double below(uint32_t bits, double n)
{
    return floor(bits * n * 0x1p-32);
}

static double between(double lo, double hi, double u)
{
    return lo + (hi - lo) * u;
}

static double *append(struct drawing *d, enum ctr_do code, double a)
{
    double *op = d->row + CTR_DRAW_FIRST + d->count++ * CTR_DO_FLOATS;
    op[0] = code;
    op[1] = a;
    return op;
}

static uint32_t own(int kind)
{
    return 32 + 16 * (uint32_t)kind;
}

/* ---- each transformation, v: its values ---- */

static void crop(struct drawing *d, const float *v)
{
    double h = d->height, w = d->width, h0 = h, w0 = w;
    d->cut = 1;
    d->attempts = 0;
    for (uint32_t k = 0; k < 10 && d->attempts == 0; k++) {
        roll(d, k);
        double area = h0 * w0 * between(v[0], v[1], d->u[0]);
        double ratio = exp(between(log(v[2]), log(v[3]), d->u[1]));
        w = rint(sqrt(area * ratio));
        h = rint(sqrt(area / ratio));
        if (w >= 1 && h >= 1 && w <= w0 && h <= h0)
            d->attempts = k + 1;
    }
    if (d->attempts == 0) {
        h = w0 / h0 < v[2] ? fmin(h0, rint(w0 / v[2])) : h0;
        w = w0 / h0 > v[3] ? fmin(w0, rint(h0 * v[3])) : w0;
    }
    d->top += d->attempts > 0 ? below(d->bits[2], h0 - h + 1) : floor((h0 - h) / 2);
    d->left += d->attempts > 0 ? below(d->bits[3], w0 - w + 1) : floor((w0 - w) / 2);
    d->height = h;
    d->width = w;
}

/* The views' cells are the first of a random order of all. */
static void patch(struct drawing *d, const float *v)
{
    unsigned n = (unsigned)v[0], cells = n * n, order[256], cell = 0;
    uint32_t turn = d->view % cells, stage = d->counter[3];
    for (unsigned i = 0; i < cells; i++)
        order[i] = i;
    d->counter[3] = CTR_RNG_AUGMENT | 0xffffffu << 8;
    for (uint32_t i = 0; i <= turn; i++) {
        uint32_t number = d->view - turn + i;
        roll(d, 512 + number / 4 % 128);
        unsigned at = (unsigned)below(d->bits[number % 4], cells - i);
        cell = order[at]; /* those left stay in rising order */
        memmove(order + at, order + at + 1, (cells - at - 1) * sizeof *order);
    }
    d->counter[3] = stage;
    double side = 1 / (n - (n - 1) * (double)v[1]), step = side * (1 - (double)v[1]);
    double h = fmax(1, rint(d->height * side)), w = fmax(1, rint(d->width * side));
    d->top += fmin(rint(cell / n * step * d->height), d->height - h);
    d->left += fmin(rint(cell % n * step * d->width), d->width - w);
    d->height = h;
    d->width = w;
    d->cut = 1;
}

static int moved(int was, int kind, int quarters)
{
    /* A quarter against the clock: the pixel at (y, x) goes to (side - 1 - x, y). */
    static const int turned[8] = {6, 4, 7, 5, 2, 0, 3, 1};
    while (kind == CTR_T_ROTATE90 && quarters-- > 0)
        was = turned[was];
    return kind == CTR_T_FLIP    ? was ^ CTR_MOVE_FLIP_X
           : kind == CTR_T_VFLIP ? was ^ CTR_MOVE_FLIP_Y
                                 : was;
}

static void move(struct drawing *d, int kind)
{
    double *last = d->count ? d->row + CTR_DRAW_FIRST + (d->count - 1) * CTR_DO_FLOATS : NULL;
    roll(d, own(kind));
    int quarters = (int)below(d->bits[0], 4);
    if (!last)
        d->move = moved(d->move, kind, quarters);
    else if (last[0] == CTR_DO_MOVE)
        last[1] = moved((int)last[1], kind, quarters);
    else
        append(d, CTR_DO_MOVE, moved(0, kind, quarters));
}

static void warp(struct drawing *d, int kind, const float *v)
{
    double angle = 0, x = 0, y = 0, scale = 1, shear = 0, u[4];
    roll(d, own(kind));
    for (int i = 0; i < 4; i++)
        u[i] = 2 * d->u[i] - 1;
    if (kind == CTR_T_ROTATE)
        angle = v[0] * u[0];
    else if (kind == CTR_T_TRANSLATE)
        x = rint(v[0] * (double)d->W * u[0]), y = rint(v[1] * (double)d->H * u[1]);
    else {
        angle = v[0] * u[0];
        x = rint(v[1] * (double)d->W * u[1]);
        y = rint(v[2] * (double)d->H * u[2]);
        scale = between(v[3], v[4], d->u[3]);
        roll(d, own(kind) + 1);
        shear = v[5] * (2 * d->u[0] - 1);
    }
    /* The inverse of scale * turn * shear. */
    double turn = angle * M_PI / 180, slope = tan(shear * M_PI / 180);
    double a = scale * cos(turn), b = scale * (-cos(turn) * slope - sin(turn));
    double c = scale * sin(turn), e = scale * (-sin(turn) * slope + cos(turn)), det = a * e - b * c;
    double *op = append(d, CTR_DO_WARP, e / det);
    op[2] = -b / det;
    op[4] = -c / det;
    op[5] = a / det;
    op[3] = -op[1] * x - op[2] * y;
    op[6] = -op[4] * x - op[5] * y;
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

static void jitter(struct drawing *d, const float *v)
{
    int ops[4] = {0};
    double value[4];
    roll(d, 10);
    permutation(ops, (int)below(d->bits[3], 24));
    roll(d, 11);
    for (int i = 0; i < 4; i++)
        value[i] =
            i == CTR_DO_HUE ? v[i] * (2 * d->u[i] - 1) : fmax(0, 1 + v[i] * (2 * d->u[i] - 1));
    for (int k = 0; k < 4; k++)
        if (value[ops[k]] != (ops[k] == CTR_DO_HUE ? 0 : 1))
            append(d, (enum ctr_do)ops[k], value[ops[k]]);
}

static void rectangle(struct drawing *d, double y, double x, double h, double w, double fill)
{
    double *op = append(d, CTR_DO_RECT, fmax(y, 0));
    op[2] = fmax(x, 0);
    op[3] = fmin(y + h, (double)d->H);
    op[4] = fmin(x + w, (double)d->W);
    op[5] = fill;
}

static void cutout(struct drawing *d, const float *v)
{
    roll(d, own(CTR_T_CUTOUT));
    double side = rint(v[0] * (double)d->H), before = floor(side / 2);
    rectangle(d, below(d->bits[0], (double)d->H) - before, below(d->bits[1], (double)d->W) - before,
              side, side, v[1]);
}

static void erase(struct drawing *d, const float *v)
{
    for (uint32_t k = 0; k < 10; k++) {
        roll(d, own(CTR_T_ERASE) + k);
        double area = (double)(d->H * d->W) * between(v[0], v[1], d->u[0]);
        double ratio = exp(between(log(v[2]), log(v[3]), d->u[1]));
        double h = rint(sqrt(area * ratio)), w = rint(sqrt(area / ratio));
        if (h >= (double)d->H || w >= (double)d->W)
            continue;
        rectangle(d, below(d->bits[2], (double)d->H - h + 1),
                  below(d->bits[3], (double)d->W - w + 1), h, w, v[4]);
        return;
    }
}

static void noise(struct drawing *d, const float *v)
{
    double *op = append(d, CTR_DO_NOISE, v[0]);
    roll(d, own(CTR_T_NOISE));
    op[2] = d->bits[0] >> 8;
    op[3] = d->bits[1] >> 8;
}

/* ---- a view ---- */

static int happens(struct drawing *d, const struct ctr_stage *s)
{
    int lane = s->kind == CTR_T_JITTER ? 1 : s->kind == CTR_T_GRAY ? 2 : 0;
    switch (s->kind) {
    case CTR_T_FLIP:
    case CTR_T_JITTER:
    case CTR_T_GRAY:
        roll(d, 10);
        break;
    case CTR_T_BLUR:
        roll(d, 12);
        break;
    case CTR_T_CROP:
        roll(d, 13);
        break;
    default:
        roll(d, own(s->kind) + 15);
    }
    return d->u[lane] < s->p;
}

static void stage(struct drawing *d, const struct ctr_stage *s)
{
    const float *v = s->value;
    switch (s->kind) {
    case CTR_T_CROP:
        crop(d, v);
        break;
    case CTR_T_PATCH:
        patch(d, v);
        break;
    case CTR_T_FLIP:
    case CTR_T_VFLIP:
    case CTR_T_ROTATE90:
        move(d, s->kind);
        break;
    case CTR_T_ROTATE:
    case CTR_T_TRANSLATE:
    case CTR_T_AFFINE:
        warp(d, s->kind, v);
        break;
    case CTR_T_JITTER:
        jitter(d, v);
        break;
    case CTR_T_GRAY:
        append(d, CTR_DO_GRAY, 0);
        break;
    case CTR_T_SOLARIZE:
        append(d, CTR_DO_SOLARIZE, v[0]);
        break;
    case CTR_T_POSTERIZE:
        append(d, CTR_DO_POSTERIZE, exp2(v[0]));
        break;
    case CTR_T_AUTOCONTRAST:
        append(d, CTR_DO_AUTOCONTRAST, 0);
        break;
    case CTR_T_EQUALIZE:
        append(d, CTR_DO_EQUALIZE, 0);
        break;
    case CTR_T_NOISE:
        noise(d, v);
        break;
    case CTR_T_BLUR:
        append(d, CTR_DO_BLUR, between(v[0], v[1], d->u[1]));
        break; /* of happens() */
    case CTR_T_SOBEL:
        append(d, CTR_DO_SOBEL, 0);
        break;
    case CTR_T_CUTOUT:
        cutout(d, v);
        break;
    default:
        erase(d, v);
    }
}

void ref_augment_draw(double row[REF_AUGMENT_ROW], const struct ctr_augment_params *p,
                      uint64_t seed, uint32_t epoch, uint32_t sample, uint32_t view, size_t SH,
                      size_t SW, size_t H, size_t W)
{
    const struct ctr_pipeline *line = &p->pipeline[view % p->n];
    uint32_t number = p->first_view + view;
    struct drawing d = {.row = row,
                        .SH = SH,
                        .SW = SW,
                        .H = H,
                        .W = W,
                        .view = number,
                        .counter = {0, sample, epoch, CTR_RNG_AUGMENT | number << 8},
                        .key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                        .height = (double)SH,
                        .width = (double)SW};
    memset(row, 0, REF_AUGMENT_ROW * sizeof *row);
    for (unsigned i = 0; i < line->n; i++) {
        d.block = 1024 * line->stage[i].occurrence;
        if (happens(&d, &line->stage[i]))
            stage(&d, &line->stage[i]);
    }
    if (!d.cut) {
        d.height = fmin((double)SH, fmax(1, floor((double)(SW * H) / (double)W)));
        d.width = fmin((double)SW, fmax(1, floor((double)(SH * W) / (double)H)));
        d.top = floor(((double)SH - d.height) / 2);
        d.left = floor(((double)SW - d.width) / 2);
    }
    row[CTR_DRAW_TOP] = d.top;
    row[CTR_DRAW_LEFT] = d.left;
    row[CTR_DRAW_HEIGHT] = d.height;
    row[CTR_DRAW_WIDTH] = d.width;
    row[CTR_DRAW_ATTEMPTS] = d.attempts;
    row[CTR_DRAW_MOVE] = d.move;
    row[CTR_DRAW_COUNT] = d.count;
}
