/* picture.h -- how alike two images look, without a model: of small grey pictures, whether one
 * shows what a part of the other shows.
 *
 * Two stages. A coarse vector of each image, for a search among all: the means of 8 x 8 fields of
 * each channel, less their mean, of length one. Then, for the few that are near, an alignment: the
 * other image is compared with square windows of this one, first at 8 x 8 fields, then around the
 * best window at 16 x 16 with what is smooth taken out (each field less the mean of its 3 x 3
 * neighbours), since skies are alike but their clouds are not. The score is the correlation of
 * these, in [-1,1].
 *
 * What resizing, recompression, brightness, contrast and cutting up to about a fifth off each side
 * leave stays near 1. Mirrored, turned or strongly retouched images are not found. */
#ifndef CTR_EVAL_PICTURE_H
#define CTR_EVAL_PICTURE_H

#include "data/data.h"

#define CTR_PICTURE_SIDE   32
#define CTR_PICTURE_BYTES  (CTR_PICTURE_SIDE * CTR_PICTURE_SIDE)
#define CTR_PICTURE_FIELDS 64 /* of a channel, in the coarse vector */

/* The images of a data set that can be read, in its order. */
struct ctr_pictures {
    size_t n, D;         /* D: CTR_PICTURE_FIELDS a channel */
    float *coarse;       /* [n][D] */
    uint8_t *grey;       /* [n][CTR_PICTURE_BYTES] */
    uint64_t (*hash)[2]; /* [n] XXH3 of the pixels at the data set's size */
};

/* Values of 8 bits. progress (may be NULL) as for ctr_data_read_all. */
int ctr_pictures_read(struct ctr_pictures *out, struct ctr_data *data,
                      ctr_data_progress_fn *progress, void *user);
void ctr_pictures_free(struct ctr_pictures *pictures);

/* The best window of one picture for the whole other. */
struct ctr_alignment {
    int of_second; /* the window is one of b's */
    unsigned side, y, x;
    double coarse; /* correlation at 8 x 8 fields */
};
void ctr_picture_align(struct ctr_alignment *out, const uint8_t *a, const uint8_t *b);
/* The score, from the windows around the aligned one. 0 where a picture is blank. */
double ctr_picture_score(const struct ctr_alignment *at, const uint8_t *a, const uint8_t *b);

#endif
