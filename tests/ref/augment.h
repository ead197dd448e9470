/* augment.h -- plain C references of src/data/augment.h, in double. */
#ifndef CTR_TESTS_REF_AUGMENT_H
#define CTR_TESTS_REF_AUGMENT_H

#include "data/augment.h"

/* One row of draws from the host's Philox. */
void ref_augment_draw(double draws[CTR_DRAWS], const struct ctr_augment_params *params,
                      uint64_t seed, uint32_t epoch, uint32_t sample, uint32_t view,
                      size_t source_h, size_t source_w);
/* out[height][width][3] from one image by one row of draws; radius is the blur's, 0 for none.
 * CTR_E_FAIL when memory runs out. */
int ref_augment_apply(double *out, const float draws[CTR_DRAWS], const unsigned char *image,
                      size_t source_h, size_t source_w, size_t height, size_t width, int radius,
                      int cubic);

#endif
