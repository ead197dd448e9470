/* augment.h -- SimCLR's augmentations and the plain way from bytes to fp32, as graph nodes.
 *
 * In: RGB bytes [n][SH][SW][3], which of them each row takes, the step's numbers. Out: views
 * [V*N][H][W][3] in [0,1], all of view 0, then all of view 1. Two stages: ctr_augment_draw writes
 * what is to be done to each view into a small table, ctr_augment_apply does it; tests write the
 * table themselves.
 *
 * Invariant: the draws of a view depend on (seed, epoch, sample, view) alone: not on the batch, its
 * order or the device's threads, and no option's value moves the draw of another. Reference: Chen
 * et al. 2020, appendix A; every operation is torchvision's on float tensors (RandomResizedCrop
 * with antialias, ColorJitter, rgb_to_grayscale, gaussian_blur), but that bicubic overshoot is
 * clipped to [0,1], as PIL does. */
#ifndef CTR_DATA_AUGMENT_H
#define CTR_DATA_AUGMENT_H

#include "graph/graph.h"

/* Probabilities in [0,1]; a probability of 0 turns the operation off. */
struct ctr_augment_params {
    float area_min, area_max;     /* of the source, 0 < min <= max <= 1 */
    float aspect_min, aspect_max; /* width / height of the crop; drawn uniformly in its logarithm */
    float flip_p;
    float jitter_p;
    float brightness, contrast, saturation; /* factors are drawn from 1 -+ this, at least 0 */
    float hue;                              /* shift in turns from -+ this, at most 0.5 */
    float gray_p;
    float blur_p, sigma_min, sigma_max; /* in pixels; the kernel is 10 % of the height, odd */
    int cubic;                          /* resize by Keys' cubic (a = -0.5); else bilinear */
};

/* Views up to this side are small images. */
#define CTR_AUGMENT_SMALL_MAX 96
/* Small images (CIFAR, 32 to 96 pixels): area 0.08-1, aspect 3/4-4/3, flip 0.5, jitter 0.8 of
 * strength s = 0.5 (0.4 0.4 0.4 0.1), gray 0.2, no blur. */
struct ctr_augment_params ctr_augment_small(void);
/* ImageNet-like: the same with s = 1 (0.8 0.8 0.8 0.2) and blur 0.5 with sigma 0.1-2. */
struct ctr_augment_params ctr_augment_large(void);
/* CTR_E_USAGE naming the parameter that is out of its range. */
int ctr_augment_check(const struct ctr_augment_params *params);

/* The step's numbers, u32[CTR_STEP_WORDS], written by the host before each replay. */
enum ctr_step_word { CTR_STEP_SEED_LO, CTR_STEP_SEED_HI, CTR_STEP_EPOCH, CTR_STEP_RESERVED };
#define CTR_STEP_WORDS 4

/* Columns of the table of draws, f32[V*N][CTR_DRAWS]. The crop is in whole pixels. Attempts: which
 * of RandomResizedCrop's ten was taken; 0: none fitted, the central crop was. */
enum ctr_draw {
    CTR_DRAW_TOP,
    CTR_DRAW_LEFT,
    CTR_DRAW_HEIGHT,
    CTR_DRAW_WIDTH,
    CTR_DRAW_FLIP,   /* 0 or 1 */
    CTR_DRAW_JITTER, /* 0 or 1 */
    CTR_DRAW_ORDER,  /* 0..23: lexicographic permutation of the next four */
    CTR_DRAW_BRIGHTNESS,
    CTR_DRAW_CONTRAST,
    CTR_DRAW_SATURATION,
    CTR_DRAW_HUE,
    CTR_DRAW_GRAY,  /* 0 or 1 */
    CTR_DRAW_SIGMA, /* 0: no blur */
    CTR_DRAW_ATTEMPTS
};
#define CTR_DRAWS 24

/* Where the bytes of row i come from: a resident set, images[index[i]], or (stream) the batch
 * itself, images[i]. index u32[N] holds the number of the sample in the data set either way;
 * entries must be below the number of images unless `stream`. */
struct ctr_augment_source {
    ctr_tensor *images; /* u8[n][SH][SW][3] */
    ctr_tensor *index;  /* u32[N] */
    int stream;
};

/* views[V*N][H][W][3]; step is u32[CTR_STEP_WORDS]. NULL after a failure, as ops. */
ctr_tensor *ctr_augment(ctr_graph *g, struct ctr_augment_source source, ctr_tensor *step,
                        size_t views, size_t height, size_t width,
                        const struct ctr_augment_params *params);
/* Its two stages. blur_p and cubic of params decide in `apply` what kernel is built: draws with a
 * sigma are ignored when blur_p is 0. */
ctr_tensor *ctr_augment_draw(ctr_graph *g, struct ctr_augment_source source, ctr_tensor *step,
                             size_t views, size_t height, size_t width,
                             const struct ctr_augment_params *params);
ctr_tensor *ctr_augment_apply(ctr_graph *g, ctr_tensor *draws, struct ctr_augment_source source,
                              size_t height, size_t width, const struct ctr_augment_params *params);
/* [N][H][W][3] without augmentation, for evaluation: the largest centred crop of the output's
 * shape, resized (bytes / 255 where the sizes are equal). */
ctr_tensor *ctr_augment_plain(ctr_graph *g, struct ctr_augment_source source, size_t height,
                              size_t width, int cubic);

#endif
