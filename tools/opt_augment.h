/* opt_augment.h -- the options of augmentation, for each command that augments. */
#ifndef CTR_TOOLS_OPT_AUGMENT_H
#define CTR_TOOLS_OPT_AUGMENT_H

#include "data/augment.h"
#include "opt.h"

struct augment_options {
    int bicubic;
    double crop_min, crop_max, crop_aspect, flip, jitter, strength, gray, blur, blur_min, blur_max;
};

/* A table of struct augment_options; defaults are ctr_augment_small(). */
extern const struct opt augment_rows[];
/* After parsing. CTR_E_USAGE when two options contradict. */
int augment_params(struct ctr_augment_params *out, const struct augment_options *o);

#endif
