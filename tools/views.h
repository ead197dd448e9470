/* views.h -- images and the views that training makes of them, as one picture: a row for each image, itself on the
 * left. */
#ifndef CTR_TOOLS_VIEWS_H
#define CTR_TOOLS_VIEWS_H

#include "data/augment.h"

/* Views of each image, their side (0: the image's; of local ones half the others'), and what is done to them. */
struct views_kind {
    uint64_t n, size;
    const struct ctr_augment_params *augment;
};
struct views_params {
    const char *path; /* one image, or a data set */
    const char *split, *device;
    uint64_t rows; /* images of a data set */
    uint64_t size, channels, bits, zoom; /* 0: as the images have them; zoom: about 96 pixels an image */
    uint64_t seed, epoch;
    double max_bad; /* see ctr_data_params */
    struct views_kind views, local; /* local.n may be 0 */
};
struct views {
    uint8_t *rgb; /* [height][width][3], freed with free() */
    unsigned width, height;
    size_t n, size, view_size, local_size; /* images, their side and the views' in pixels */
};
int views_draw(struct views *out, const struct views_params *params);

#endif
