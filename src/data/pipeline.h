/* pipeline.h -- an augmentation as a line of text.
 *
 *     crop(0.2,1) flip jitter(.4,.4,.4,.1;.8) gray(.1) | crop flip solarize
 *
 * A line holds one pipeline or, separated by `|`, several, which views take in turn. A pipeline
 * holds transformations, done from left to right: NAME, NAME(values) or NAME(values;probability).
 * What is not given has the table's default; values may be named, jitter(hue=0.2;0.8), and
 * fractions, crop(0.2,1,3/4,4/3). Those without values take their probability alone: flip(0.3). The
 * name of a preset stands for its text. */
#ifndef CTR_DATA_PIPELINE_H
#define CTR_DATA_PIPELINE_H

#include <stdint.h>

#include "base/str.h"

/* Numbers of the transformations; they choose random numbers, so new ones are added at the end. The
 * same in cl/lib/draws.clh. */
enum ctr_transform_kind {
    CTR_T_CROP,
    CTR_T_PATCH,
    CTR_T_FLIP,
    CTR_T_VFLIP,
    CTR_T_ROTATE90,
    CTR_T_ROTATE,
    CTR_T_TRANSLATE,
    CTR_T_AFFINE,
    CTR_T_JITTER,
    CTR_T_GRAY,
    CTR_T_SOLARIZE,
    CTR_T_POSTERIZE,
    CTR_T_AUTOCONTRAST,
    CTR_T_EQUALIZE,
    CTR_T_NOISE,
    CTR_T_BLUR,
    CTR_T_SOBEL,
    CTR_T_CUTOUT,
    CTR_T_ERASE,
    CTR_TRANSFORMS
};

enum ctr_value_flag {
    CTR_VALUE_WHOLE = 1, /* a whole number */
    CTR_VALUE_LOG = 2,   /* drawn uniformly in its logarithm: that is what kernels get */
    CTR_VALUE_UPPER = 4  /* the upper end of a range that the value before it begins */
};
struct ctr_value {
    const char *name; /* NULL: no more values */
    double init, min, max;
    unsigned flags;
};
#define CTR_STAGE_VALUES 6

/* What a transformation is: the one place that knows it for parsing, messages, help and docs. */
struct ctr_transform {
    const char *name;
    const char *also; /* other words for it, for "did you mean", or NULL */
    struct ctr_value value[CTR_STAGE_VALUES];
    double p;       /* default probability */
    unsigned ops;   /* bits 1 << enum ctr_do (augment.h): what it may do to a view */
    unsigned flops; /* a pixel, for rooflines */
    const char *help, *source;
};
extern const struct ctr_transform ctr_transforms[CTR_TRANSFORMS];

struct ctr_augment_preset {
    const char *name, *line, *help; /* the last row's name is NULL */
};
extern const struct ctr_augment_preset ctr_augment_presets[];

/* One transformation of a pipeline. occurrence: how many of its kind stand before it. */
struct ctr_stage {
    int kind; /* enum ctr_transform_kind */
    unsigned occurrence;
    float p, value[CTR_STAGE_VALUES];
};
#define CTR_STAGES_MAX    16
#define CTR_PIPELINES_MAX 8
struct ctr_pipeline {
    unsigned n;
    struct ctr_stage stage[CTR_STAGES_MAX];
};

/* A parsed line, and what is not in it. */
struct ctr_augment_params {
    unsigned n; /* pipelines; view v has pipeline v % n; 0: the usual one (ctr_augment) */
    struct ctr_pipeline pipeline[CTR_PIPELINES_MAX];
    int cubic;           /* resize by Keys' cubic (a = -0.5); else bilinear; both antialiased */
    uint32_t first_view; /* number of the first view: a second set of views of the same images (of
                            another size, say) goes on counting, so as to have draws of its own */
};

/* CTR_E_USAGE with *out untouched: the text names the character and shows the place on lines of its
 * own. */
int ctr_augment_parse(struct ctr_augment_params *out, const char *line);
/* Appends the line that parses to the same pipelines, every value written out. */
void ctr_augment_text(struct ctr_str *out, const struct ctr_augment_params *params);

/* b after a, in each part: what cuts out of the image (crop, patch) goes before all else. CTR_E_USAGE
 * with *out untouched when that is more than CTR_STAGES_MAX. */
int ctr_pipeline_join(struct ctr_pipeline *out, const struct ctr_pipeline *a,
                      const struct ctr_pipeline *b);

/* Views up to this side are small images. */
#define CTR_AUGMENT_SMALL_MAX 96
/* The preset for views of this height: `small` or `large`, or without what needs RGB. */
struct ctr_augment_params ctr_augment_usual(size_t side, size_t channels);
/* What is given, or without pipelines the usual ones. */
struct ctr_augment_params ctr_augment_settled(const struct ctr_augment_params *given, size_t side,
                                              size_t channels);

#endif
