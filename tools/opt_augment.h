/* opt_augment.h -- the options of augmentation, for each command that augments. What is not given
 * follows the preset, and the preset the size of the views. */
#ifndef CTR_TOOLS_OPT_AUGMENT_H
#define CTR_TOOLS_OPT_AUGMENT_H

#include "data/augment.h"
#include "opt.h"

struct augment_options {
    int preset, resize;
    double crop_min, crop_max, aspect, flip_p, jitter, jitter_p, gray_p, blur_p, blur_min, blur_max;
};

/* A table of struct augment_options. */
extern const struct opt augment_rows[];
/* After parsing; `size` is the height of the views. CTR_E_USAGE when two options contradict. */
int augment_params(struct ctr_augment_params *out, const struct opt_set *set,
                   const struct augment_options *o, size_t size);

#endif
