/* augment_draw.cl -- draws[v][n][ROW] <- Philox(seed; epoch, sample, view): what is to be done to each
 * view, as src/data/augment.h describes the table. Each view walks its pipeline and appends what was
 * drawn. Distributions are those of torchvision's classes of the same names.
 *
 * Grid: 1-D, a work-item for each of V*N rows. Host defines N V (images, views), SH SW H W (source,
 * view), ROW, KINDS (bits of the transformations that occur), PIPELINES, STAGES. */
#include "lib/prelude.clh"
#include "lib/rng.clh"
#include "lib/draws.clh"

/* For a syntax check alone; the host gives all of them. */
#ifndef N
#define N         1
#define V         2
#define SH        32
#define SW        32
#define H         32
#define W         32
#define ROW       256
#define KINDS     0xffffffffu
#define PIPELINES 1
#define STAGES    16
#endif
#define STAGE_FLOATS 9

/* Blocks of a view's stream. They are fixed for each kind, so that no transformation moves the draws of
 * another; a second one of its kind takes those 1024 further on. */
enum { BLOCK_CROP = 0, BLOCK_CHOICE = 10, BLOCK_JITTER = 11, BLOCK_BLUR = 12, BLOCK_CROP_CHOICE = 13,
       BLOCK_KINDS = 32, BLOCK_PATCH = 512, BLOCK_AGAIN = 1024 };
#define OWN(kind)    (BLOCK_KINDS + 16 * (kind))
#define CHOICE(kind) (OWN(kind) + 15)
/* For what the views of an image decide together. */
#define VIEW_SHARED 0xffffffu

/* The row being written, its stream, and what is known of the view so far. */
struct drawing {
    global float *row;
    uint count; /* of operations */
    uint4 counter;
    uint2 key;
    uint first_block, view;
    int top, left, height, width, attempts, cut; /* cut: a crop or patch was taken */
    uint move;
};

inline uint4 draw_bits(struct drawing *d, uint block)
{
    d->counter.s0 = d->first_block + block;
    return ctr_philox(d->counter, d->key);
}

inline float4 draw_uniform(struct drawing *d, uint block)
{
    return ctr_uniform4(draw_bits(d, block));
}

inline global float *append(struct drawing *d, uint code, float a, float b)
{
    global float *op = d->row + D_FIRST + d->count++ * DO_FLOATS;
    op[0] = code;
    op[1] = a;
    op[2] = b;
    for (int i = 3; i < DO_FLOATS; i++)
        op[i] = 0.0f;
    return op;
}

/* ---- what is cut out ---- */

/* RandomResizedCrop.get_params: ten attempts, then the largest centred crop whose aspect is in range. */
inline void draw_crop(struct drawing *d, global const float *v)
{
    const int h0 = d->height, w0 = d->width;
    d->cut = 1;
    for (uint attempt = 0; attempt < 10; attempt++) {
        const uint4 bits = draw_bits(d, BLOCK_CROP + attempt);
        const float4 u = ctr_uniform4(bits);
        const float area = (float)h0 * w0 * mix(v[0], v[1], u.s0);
        const float ratio = exp(mix(v[2], v[3], u.s1));
        const float w = rint(sqrt(area * ratio)), h = rint(sqrt(area / ratio));
        if (w > 0.0f && w <= w0 && h > 0.0f && h <= h0) {
            d->height = h;
            d->width = w;
            d->top += ctr_below(bits.s2, h0 - d->height + 1);
            d->left += ctr_below(bits.s3, w0 - d->width + 1);
            d->attempts = attempt + 1;
            return;
        }
    }
    const float lo = exp(v[2]), hi = exp(v[3]), aspect = (float)w0 / h0;
    if (aspect < lo)
        d->height = clamp((int)rint(w0 / lo), 1, h0);
    if (aspect > hi)
        d->width = clamp((int)rint(h0 * hi), 1, w0);
    d->top += (h0 - d->height) / 2;
    d->left += (w0 - d->width) / 2;
    d->attempts = 0;
}

/* Cell of the view: views draw without putting back, until none of `cells` is left. */
inline uint draw_cell(struct drawing *d, uint cells)
{
    uchar taken[256]; /* in rising order */
    const uint view = d->view, turn = d->view % cells, drawn_before = d->view - turn;
    uint cell = 0;
    d->counter.s3 = CTR_RNG_AUGMENT | VIEW_SHARED << 8;
    for (uint i = 0; i <= turn; i++) {
        const uint at = drawn_before + i;
        const uint4 bits = draw_bits(d, BLOCK_PATCH + at / 4 % 128);
        const uint lane = at % 4;
        cell = ctr_below(lane == 0 ? bits.s0 : lane == 1 ? bits.s1 : lane == 2 ? bits.s2 : bits.s3,
                         cells - i);
        uint k = 0;
        while (k < i && taken[k] <= cell)
            cell++, k++;
        for (uint j = i; j > k; j--)
            taken[j] = taken[j - 1];
        taken[k] = cell;
    }
    d->counter.s3 = CTR_RNG_AUGMENT | view << 8;
    return cell;
}

inline void draw_patch(struct drawing *d, global const float *v)
{
    const uint n = v[0], cell = draw_cell(d, n * n);
    const float part = 1.0f / (n - (n - 1) * v[1]), step = part * (1.0f - v[1]);
    const int height = max((int)rint(d->height * part), 1), width = max((int)rint(d->width * part), 1);
    d->top += min((int)rint(cell / n * step * d->height), d->height - height);
    d->left += min((int)rint(cell % n * step * d->width), d->width - width);
    d->height = height;
    d->width = width;
    d->cut = 1;
}

/* ---- where pixels go ---- */

/* One more symmetry: it joins the crop or the operation before where that moves pixels, too. */
inline uint moved(uint move, int kind, uint quarters)
{
    if (kind == T_FLIP)
        return move ^ MOVE_FLIP_X;
    if (kind == T_VFLIP)
        return move ^ MOVE_FLIP_Y;
    for (; quarters > 0; quarters--) /* against the clock */
        move = (~move & MOVE_TRANSPOSE) | (move & MOVE_FLIP_Y ? MOVE_FLIP_X : 0) |
               (move & MOVE_FLIP_X ? 0 : MOVE_FLIP_Y);
    return move;
}

inline void draw_move(struct drawing *d, int kind)
{
    const uint quarters = kind == T_ROTATE90 ? ctr_below(draw_bits(d, OWN(kind)).s0, 4) : 0;
    if (d->count == 0) {
        d->move = moved(d->move, kind, quarters);
        return;
    }
    global float *last = d->row + D_FIRST + (d->count - 1) * DO_FLOATS;
    if (last[0] != DO_MOVE)
        last = append(d, DO_MOVE, 0.0f, 0.0f);
    last[1] = moved((uint)last[1], kind, quarters);
}

/* Angle and shear in degrees, clockwise; the inverse of torchvision's matrix of affine(). */
inline void append_warp(struct drawing *d, float angle, float x, float y, float scale, float shear)
{
    const float turn = angle / 180.0f, lean = shear / 180.0f, slope = sinpi(lean) / cospi(lean);
    const float c = cospi(turn), s = sinpi(turn), inverse = 1.0f / scale;
    const float xx = (c - s * slope) * inverse, xy = (c * slope + s) * inverse;
    const float yx = -s * inverse, yy = c * inverse;
    global float *op = append(d, DO_WARP, xx, xy);
    op[3] = -xx * x - xy * y;
    op[4] = yx;
    op[5] = yy;
    op[6] = -yx * x - yy * y;
}

inline void draw_warp(struct drawing *d, int kind, global const float *v)
{
    const float4 u = draw_uniform(d, OWN(kind)) * 2.0f - 1.0f;
    if (kind == T_ROTATE) {
        append_warp(d, v[0] * u.s0, 0.0f, 0.0f, 1.0f, 0.0f);
    } else if (kind == T_TRANSLATE) {
        append_warp(d, 0.0f, rint(v[0] * W * u.s0), rint(v[1] * H * u.s1), 1.0f, 0.0f);
    } else {
        const float shear = draw_uniform(d, OWN(kind) + 1).s0 * 2.0f - 1.0f;
        append_warp(d, v[0] * u.s0, rint(v[1] * W * u.s1), rint(v[2] * H * u.s2),
                    mix(v[3], v[4], 0.5f * u.s3 + 0.5f), v[5] * shear);
    }
}

/* ---- colours ---- */

/* The permutations of brightness, contrast, saturation, hue in lexicographic order; four nibbles each,
 * the first operation lowest. */
constant ushort orders[24] = {
    0x3210, 0x2310, 0x3120, 0x1320, 0x2130, 0x1230, 0x3201, 0x2301,
    0x3021, 0x0321, 0x2031, 0x0231, 0x3102, 0x1302, 0x3012, 0x0312,
    0x1032, 0x0132, 0x2103, 0x1203, 0x2013, 0x0213, 0x1023, 0x0123,
};

/* What would change nothing is left out. */
inline void draw_jitter(struct drawing *d, global const float *v)
{
    const float4 u = draw_uniform(d, BLOCK_JITTER) * 2.0f - 1.0f;
    const float value[4] = {max(0.0f, 1.0f + v[0] * u.s0), max(0.0f, 1.0f + v[1] * u.s1),
                            max(0.0f, 1.0f + v[2] * u.s2), v[3] * u.s3};
    const uint order = orders[ctr_below(draw_bits(d, BLOCK_CHOICE).s3, 24)];
    for (int k = 0; k < 4; k++) {
        const uint op = order >> (4 * k) & 15;
        if (value[op] != (op == DO_HUE ? 0.0f : 1.0f))
            append(d, op, value[op], 0.0f);
    }
}

/* ---- holes ---- */

inline void append_rect(struct drawing *d, int y, int x, int height, int width, float fill)
{
    global float *op = append(d, DO_RECT, max(y, 0), max(x, 0));
    op[3] = min(y + height, H);
    op[4] = min(x + width, W);
    op[5] = fill;
}

inline void draw_cutout(struct drawing *d, global const float *v)
{
    const uint4 bits = draw_bits(d, OWN(T_CUTOUT));
    const int side = rint(v[0] * H);
    append_rect(d, (int)ctr_below(bits.s0, H) - side / 2, (int)ctr_below(bits.s1, W) - side / 2, side,
                side, v[1]);
}

/* RandomErasing.get_params: ten attempts, then nothing. */
inline void draw_erase(struct drawing *d, global const float *v)
{
    for (uint attempt = 0; attempt < 10; attempt++) {
        const uint4 bits = draw_bits(d, OWN(T_ERASE) + attempt);
        const float4 u = ctr_uniform4(bits);
        const float area = (float)H * W * mix(v[0], v[1], u.s0), ratio = exp(mix(v[2], v[3], u.s1));
        const float h = rint(sqrt(area * ratio)), w = rint(sqrt(area / ratio));
        if (h < H && w < W) {
            append_rect(d, ctr_below(bits.s2, H - (uint)h + 1), ctr_below(bits.s3, W - (uint)w + 1), h,
                        w, v[4]);
            return;
        }
    }
}

/* ---- a view ---- */

inline float choice(struct drawing *d, int kind)
{
    const int together = kind == T_FLIP || kind == T_JITTER || kind == T_GRAY;
    const float4 u = draw_uniform(d, together              ? BLOCK_CHOICE
                                     : kind == T_BLUR      ? BLOCK_BLUR
                                     : kind == T_CROP      ? BLOCK_CROP_CHOICE
                                                           : CHOICE(kind));
    return kind == T_JITTER ? u.s1 : kind == T_GRAY ? u.s2 : u.s0;
}

#define IS(k) ((KINDS >> (k) & 1) && kind == (k))

inline void draw_stage(struct drawing *d, int kind, global const float *v)
{
    if (IS(T_CROP))
        draw_crop(d, v);
    else if (IS(T_PATCH))
        draw_patch(d, v);
    else if (IS(T_FLIP) || IS(T_VFLIP) || IS(T_ROTATE90))
        draw_move(d, kind);
    else if (IS(T_ROTATE) || IS(T_TRANSLATE) || IS(T_AFFINE))
        draw_warp(d, kind, v);
    else if (IS(T_JITTER))
        draw_jitter(d, v);
    else if (IS(T_GRAY))
        append(d, DO_GRAY, 0.0f, 0.0f);
    else if (IS(T_SOLARIZE))
        append(d, DO_SOLARIZE, v[0], 0.0f);
    else if (IS(T_POSTERIZE))
        append(d, DO_POSTERIZE, 1 << (int)v[0], 0.0f);
    else if (IS(T_AUTOCONTRAST))
        append(d, DO_AUTOCONTRAST, 0.0f, 0.0f);
    else if (IS(T_EQUALIZE))
        append(d, DO_EQUALIZE, 0.0f, 0.0f);
    else if (IS(T_NOISE)) {
        const uint4 bits = draw_bits(d, OWN(T_NOISE));
        append(d, DO_NOISE, v[0], bits.s0 >> 8)[3] = bits.s1 >> 8;
    } else if (IS(T_BLUR))
        append(d, DO_BLUR, mix(v[0], v[1], draw_uniform(d, BLOCK_BLUR).s1), 0.0f);
    else if (IS(T_SOBEL))
        append(d, DO_SOBEL, 0.0f, 0.0f);
    else if (IS(T_CUTOUT))
        draw_cutout(d, v);
    else if (IS(T_ERASE))
        draw_erase(d, v);
}

/* Where nothing was cut: the largest centred crop of the view's shape. */
inline void whole(struct drawing *d)
{
    d->height = min(SH, max(1, SW * H / W));
    d->width = min(SW, max(1, SH * W / H));
    d->top = (SH - d->height) / 2;
    d->left = (SW - d->width) / 2;
}

/* step: seed lo, seed hi, epoch. stages[PIPELINES][STAGES]: kind, occurrence, probability, values. */
kernel void augment_draw(global float *draws, global const uint *index, global const uint *step,
                         global const float *stages, const uint first_view)
{
    const uint i = get_global_id(0);
    if (i >= N * V)
        return;
    const uint view = first_view + i / N;
    struct drawing d = {.row = draws + (size_t)i * ROW,
                        .counter = (uint4)(0, index[i % N], step[2], CTR_RNG_AUGMENT | view << 8),
                        .key = (uint2)(step[0], step[1]),
                        .view = view,
                        .height = SH,
                        .width = SW};
    global const float *stage = stages + i / N % PIPELINES * STAGES * STAGE_FLOATS;
    for (int k = 0; k < STAGES; k++, stage += STAGE_FLOATS) {
        d.first_block = BLOCK_AGAIN * (uint)stage[1];
        if (stage[0] >= 0.0f && choice(&d, (int)stage[0]) < stage[2])
            draw_stage(&d, (int)stage[0], stage + 3);
    }
    if (!d.cut)
        whole(&d);
    d.row[D_TOP] = d.top;
    d.row[D_LEFT] = d.left;
    d.row[D_HEIGHT] = d.height;
    d.row[D_WIDTH] = d.width;
    d.row[D_ATTEMPTS] = d.attempts;
    d.row[D_MOVE] = d.move;
    d.row[D_COUNT] = d.count;
    for (int k = D_RESERVED; k < D_FIRST; k++)
        d.row[k] = 0.0f;
    for (int k = D_FIRST + (int)d.count * DO_FLOATS; k < ROW; k++)
        d.row[k] = 0.0f;
}
