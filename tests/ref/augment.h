/* augment.h -- plain C references of src/data/augment.h, in double. */
#ifndef CTR_TESTS_REF_AUGMENT_H
#define CTR_TESTS_REF_AUGMENT_H

#include "data/augment.h"

#define REF_AUGMENT_ROW (CTR_DRAW_FIRST + CTR_DO_FLOATS * 4 * CTR_STAGES_MAX)

/* One row of draws from the host's Philox, zeros past the operations. */
void ref_augment_draw(double row[REF_AUGMENT_ROW], const struct ctr_augment_params *params,
                      uint64_t seed, uint32_t epoch, uint32_t sample, uint32_t view,
                      size_t source_h, size_t source_w, size_t height, size_t width);
/* What images are like: [SH][SW][C] of so many bytes each. */
struct ref_images {
    size_t SH, SW, C, bytes;
    int cubic;
};
/* out[height][width][C] from one image by one row of draws. CTR_E_FAIL when memory runs out. */
int ref_augment_apply(double *out, const float *row, const void *image, const struct ref_images *images,
                      size_t height, size_t width);

#endif
