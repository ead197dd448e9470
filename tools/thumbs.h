/* thumbs.h -- small pictures of a data set's images, found by their names, for pages that show them. */
#ifndef CTR_TOOLS_THUMBS_H
#define CTR_TOOLS_THUMBS_H

#include <stddef.h>
#include <stdint.h>

#include "data/data.h"

#define THUMB_SIDE 96 /* pixels at most; square, the centre of the image, which is not enlarged */
#define THUMB_BYTES (THUMB_SIDE * THUMB_SIDE * 3)

struct thumbs {
    struct ctr_data *data;
    const char **name; /* [n] in order */
    uint32_t *image;   /* [n] their numbers in the data set */
    uint8_t *pixels;   /* of one image, as the data set gives them */
    size_t n;
};

/* Lists the images once more, without reading any. path and split as in ctr_data_params; larger images are
 * brought to `side`, at most THUMB_SIDE. */
int thumbs_open(struct thumbs *out, const char *path, const char *split, unsigned side);
void thumbs_close(struct thumbs *thumbs);
/* rgb[*side][*side][3]: of many channels the first three, of two the first as grey. 0, or a failure
 * recorded: there is no such image, or it cannot be read. rgb has room for THUMB_BYTES. */
int thumbs_get(uint8_t *rgb, unsigned *side, struct thumbs *thumbs, const char *name);
/* The same of a file. */
int thumb_of_file(uint8_t *rgb, unsigned *side, const char *path);

#endif
