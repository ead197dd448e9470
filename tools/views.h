/* views.h -- images and the views that training makes of them, as one picture: a row for each image, itself on the
 * left. */
#ifndef CTR_TOOLS_VIEWS_H
#define CTR_TOOLS_VIEWS_H

#include "data/augment.h"

struct views_params {
    const char *path; /* one image, or a data set */
    const char *split, *device;
    uint64_t rows, views; /* images of a data set; views of each */
    uint64_t size, channels, bits, zoom; /* 0: as the images have them; zoom: about 96 pixels a view */
    uint64_t seed, epoch;
    double max_bad; /* see ctr_data_params */
    const struct ctr_augment_params *augment;
};
struct views {
    uint8_t *rgb; /* [height][width][3], freed with free() */
    unsigned width, height;
    size_t n, size; /* images, and their side in pixels */
};
int views_draw(struct views *out, const struct views_params *params);

#endif
