/* augment.cl -- augmentation as drawn: samples of 8 or 16 bits in, fp32 views in [0,1] out.
 *
 *   augment_view   out[v][n][H][W][C] <- a crop, and then operations as drawn: one work-group each
 *   augment_plain  out[n][H][W][C] <- centred crop of the output's shape, resized, nothing random
 *
 * A view is worked on as planes in scratch (view.clh); groups walk over the views with a stride. What
 * looks at one pixel alone is done in one pass, as far as the next operation that needs more: the mean,
 * neighbours, other places.
 *
 * Host defines: C SAMPLE (channels; uchar or ushort), SH SW H W (source, output), N V (images,
 * views), BLUR_R (radius, 0 for none), CUBIC, SINGLE, STREAM (images[] is the batch itself, else
 * images[index[n]]), AUG_LOCAL, LSIZE, for SINGLE the tap bounds TAPS_X, TAPS_Y, ROW (floats of a row
 * of draws), OPS (bits of the operations that occur), SECOND (1: some need planes twice). */
#include "lib/prelude.clh"

/* For a syntax check alone; the host gives all of them. */
#ifndef N
#define N         1
#define V         2
#define C         3
#define SAMPLE    uchar
#define SH        32
#define SW        32
#define H         32
#define W         32
#define BLUR_R    1
#define CUBIC     0
#define SINGLE    CTR_CPU
#define STREAM    0
#define AUG_LOCAL 1
#define LSIZE     1
#define TAPS_X    2
#define TAPS_Y    2
#define ROW       256
#define OPS       0xffffffffu
#define SECOND    1
#endif
#include "lib/rng.clh"
#include "lib/draws.clh"
#include "lib/view.clh"
#include "lib/resize.clh"
#include "lib/colour.clh"
#include "lib/filters.clh"

/* Operations [from, to) on all planes, in place or (last) out. mean: those that contrast takes; they become
 * this item's sums of grays, or of each channel, for the next one, without `sum` 0. */
inline void colour_pass(global float *out, scr float *plane, global const float *ops, int from, int to,
                        float *mean, int sum)
{
    vfloat total[MEANS] = {(vfloat)0.0f};
    for (int i = LID; i < PLANE / VW; i += LSIZE) {
        const int y = i / ROW_V, x = i % ROW_V * VW;
        vfloat v[C];
        load_planes(v, plane, i);
        for (int k = from; k < to; k++)
            point(v, ops + k * DO_FLOATS, y, x, mean);
        if (sum)
            _Pragma("unroll") for (int m = 0; m < MEANS; m++)
                total[m] += in_row(C == 3 ? gray_of(v) : v[m], 0.0f, x);
        put(out, plane, y, x, v);
    }
    for (int m = 0; m < MEANS; m++)
        mean[m] = lanes(total[m]);
}

/* An operation that is not pointwise; *plane and *other change places when the result lies there. A blur
 * goes to out where that is not NULL. */
inline void filter(global float *out, scr float *scratch, scr float **plane, scr float **other,
                   local float *part, global const float *op)
{
    const int code = (int)op[0];
    int swap = 0;
    if (HAS(DO_MOVE) && code == DO_MOVE) {
        move_pixels(*other, *plane, (int)op[1]);
        swap = 1;
    } else if (HAS(DO_WARP) && code == DO_WARP) {
        warp(*other, *plane, op + 1);
        swap = 1;
    } else if (HAS(DO_SOBEL) && code == DO_SOBEL) {
        sobel(*plane, *other);
    } else if (HAS(DO_AUTOCONTRAST) && code == DO_AUTOCONTRAST) {
        autocontrast(*plane, part);
    } else if (HAS(DO_EQUALIZE) && code == DO_EQUALIZE) {
        equalize(*plane, part);
#if BLUR_R > 0
    } else {
        blur(out, scratch, *plane, *other, part, op[1]);
        BARRIER;
        swap = SINGLE;
#endif
    }
    if (swap) {
        scr float *was = *plane;
        *plane = *other;
        *other = was;
    }
}

/* What was drawn, done to planes that hold the resized crop. `at`: the operation that comes next; a
 * contrast's means are at hand where `known`. */
inline void do_all(global float *out, scr float *scratch, local float *part, global const float *d)
{
    global const float *ops = d + D_FIRST;
    scr float *plane = scratch, *other = scratch + (PLANES - C) * PLANE;
    const int n = (int)d[D_COUNT];
    int at = 0, known = 0, done = 0;
    float mean[MEANS] = {0.0f};
    while (!done) {
        int to = at;
        while (to < n && ops[to * DO_FLOATS] < DO_MOVE &&
               (ops[to * DO_FLOATS] != DO_CONTRAST || (to == at && known)))
            to++;
        const int contrast = to < n && ops[to * DO_FLOATS] == DO_CONTRAST;
        if (to > at || contrast || to == n)
            colour_pass(to == n ? out : 0, plane, ops, at, to, mean, contrast);
        BARRIER;
        done = to == n;
        known = contrast;
        at = to;
        if (contrast) {
            for (int m = 0; m < MEANS; m++)
                mean[m] = group_sum(part, mean[m]) / (H * W);
        } else if (!done) {
            done = HAS(DO_BLUR) && to == n - 1 && ops[to * DO_FLOATS] == DO_BLUR;
            filter(done ? out : 0, scratch, &plane, &other, part, ops + to * DO_FLOATS);
            at++;
        }
    }
}

#if AUG_LOCAL
#define DECLARE_PLANE local float plane[SCRATCH]
#else
#define DECLARE_PLANE global float *plane = slices + get_group_id(0) * (size_t)SCRATCH
#endif

kernel __attribute__((reqd_work_group_size(LSIZE, 1, 1)))
void augment_view(global float *out, global float *slices, global const float *restrict draws,
                  global const SAMPLE *restrict images, global const uint *restrict index)
{
    DECLARE_PLANE;
    local float part[PART];
    for (uint v = get_group_id(0); v < N * V; v += get_num_groups(0)) {
        global const float *d = draws + (size_t)v * ROW;
        const size_t image = STREAM ? v % N : index[v % N];
        crop_resize(plane, images + image * SH * SW * C, (int)d[D_TOP], (int)d[D_LEFT],
                    (int)d[D_HEIGHT], (int)d[D_WIDTH], (int)d[D_MOVE]);
        BARRIER;
        do_all(out + (size_t)v * H * W * C, plane, part, d);
    }
}

/* The largest centred crop of the output's aspect. */
kernel __attribute__((reqd_work_group_size(LSIZE, 1, 1)))
void augment_plain(global float *out, global float *slices, global const SAMPLE *images,
                   global const uint *index)
{
    DECLARE_PLANE;
    const int height = min(SH, max(1, SW * H / W)), width = min(SW, max(1, SH * W / H));
    for (uint n = get_group_id(0); n < N; n += get_num_groups(0)) {
        const size_t image = STREAM ? n : index[n];
        crop_resize(plane, images + image * SH * SW * C, (SH - height) / 2, (SW - width) / 2, height,
                    width, 0);
        BARRIER;
        global float *o = out + (size_t)n * H * W * C;
        for (int i = LID; i < PLANE / VW; i += LSIZE) {
            vfloat v[C];
            load_planes(v, plane, i);
            store_pixels(o, i / ROW_V, i % ROW_V * VW, v);
        }
        BARRIER;
    }
}
