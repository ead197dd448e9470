/* augment.h -- augmentation and the plain way from bytes to fp32, as graph nodes.
 *
 * In: images [n][SH][SW][C] of 8 or 16 bits, which of them each row takes, the step's numbers,
 * pipelines (pipeline.h). Out: views [V*N][H][W][C] in [0,1], all of view 0, then all of view 1. Two stages:
 * ctr_augment_draw writes what is to be done to each view into a table, ctr_augment_apply does it;
 * tests write the table themselves.
 *
 * Invariant: the draws of a view depend on (seed, epoch, sample, view) alone: not on the batch, its
 * order or the device's threads; no transformation's presence or values move the draws of another.
 * Reference: Chen et al. 2020, appendix A; every operation is torchvision's on float tensors
 * (RandomResizedCrop with antialias, ColorJitter, gaussian_blur, affine, ...), but that bicubic
 * overshoot is clipped to [0,1], as PIL does. docs/AUGMENTATION.md has the list. */
#ifndef CTR_DATA_AUGMENT_H
#define CTR_DATA_AUGMENT_H

#include "data/image.h"
#include "data/pipeline.h"
#include "graph/graph.h"

/* The step's numbers, u32[CTR_STEP_WORDS], written by the host before each replay. */
enum ctr_step_word { CTR_STEP_SEED_LO, CTR_STEP_SEED_HI, CTR_STEP_EPOCH, CTR_STEP_RESERVED };
#define CTR_STEP_WORDS 4

/* A row of the table of draws, f32[V*N][ctr_augment_row(params)]: first what is cut out of the
 * image, in whole pixels, and where its pixels go; then `count` operations in their order, each
 * CTR_DO_FLOATS long and beginning with its enum ctr_do. Operations that were not drawn are not
 * there. */
enum ctr_draw {
    CTR_DRAW_TOP,
    CTR_DRAW_LEFT,
    CTR_DRAW_HEIGHT,
    CTR_DRAW_WIDTH,
    CTR_DRAW_ATTEMPTS, /* which of RandomResizedCrop's ten was taken; 0: none fitted, the central
                          crop was, or nothing was cut */
    CTR_DRAW_MOVE,     /* enum ctr_move */
    CTR_DRAW_COUNT,
    CTR_DRAW_RESERVED,
    CTR_DRAW_FIRST
};
/* Bits of a symmetry of the square: columns and rows change places, then each is reversed. */
enum ctr_move { CTR_MOVE_FLIP_X = 1, CTR_MOVE_FLIP_Y = 2, CTR_MOVE_TRANSPOSE = 4 };

/* Operations with their operands; the same in cl/lib/draws.clh. Those before CTR_DO_MOVE look at
 * one pixel alone (contrast also at means of all). */
enum ctr_do {
    CTR_DO_BRIGHTNESS, /* factor */
    CTR_DO_CONTRAST,   /* factor; towards the mean of RGB's grays, else each channel towards its own */
    CTR_DO_SATURATION, /* factor */
    CTR_DO_HUE,        /* turns */
    CTR_DO_GRAY,
    CTR_DO_SOLARIZE,  /* threshold */
    CTR_DO_POSTERIZE, /* levels */
    CTR_DO_RECT,      /* y, x of the first pixel, y, x past the last, value */
    CTR_DO_NOISE,     /* sigma; two numbers below 2^24: the key of its own random numbers */
    CTR_DO_MOVE,      /* enum ctr_move */
    CTR_DO_WARP,      /* xx xy x0 yx yy y0: from the offset of a pixel to the view's centre to where
                         its value comes from, both in pixels */
    CTR_DO_BLUR,      /* sigma */
    CTR_DO_SOBEL,
    CTR_DO_AUTOCONTRAST,
    CTR_DO_EQUALIZE
};
#define CTR_DO_FLOATS 8
/* Floats of a row: as many operations as the longest of the pipelines may do. */
size_t ctr_augment_row(const struct ctr_augment_params *params);

/* Where the bytes of row i come from: a resident set, images[index[i]], or (stream) the batch
 * itself, images[i]. index u32[N] holds the number of the sample in the data set either way;
 * entries must be below the number of images unless `stream`. */
struct ctr_augment_source {
    ctr_tensor *images; /* u8 or u16[n][SH][SW][C], C from 1 to CTR_CHANNELS_MAX; three are RGB */
    ctr_tensor *index;  /* u32[N] */
    int stream;
};

/* views[V*N][H][W][C]; step is u32[CTR_STEP_WORDS]. Without pipelines, the usual one. NULL after a
 * failure, as ops: CTR_E_USAGE for fewer views than pipelines, or what the size of the views or the
 * channels rule out. */
ctr_tensor *ctr_augment(ctr_graph *g, struct ctr_augment_source source, ctr_tensor *step,
                        size_t views, size_t height, size_t width,
                        const struct ctr_augment_params *params);
/* Its two stages. What `apply` can do depends on params: draws hold no operation that the pipelines
 * would not have. */
ctr_tensor *ctr_augment_draw(ctr_graph *g, struct ctr_augment_source source, ctr_tensor *step,
                             size_t views, size_t height, size_t width,
                             const struct ctr_augment_params *params);
ctr_tensor *ctr_augment_apply(ctr_graph *g, ctr_tensor *draws, struct ctr_augment_source source,
                              size_t height, size_t width, const struct ctr_augment_params *params);
/* [N][H][W][C] without augmentation, for evaluation: the largest centred crop of the output's
 * shape, resized (bytes / 255 where the sizes are equal). */
ctr_tensor *ctr_augment_plain(ctr_graph *g, struct ctr_augment_source source, size_t height,
                              size_t width, int cubic);

#endif
