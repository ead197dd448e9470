/* dedup.h -- which images are nearly the same: candidates, a threshold out of their own
 * similarities, groups.
 *
 * Exact copies are found by a hash and stand for one image in all that follows. Of each image the
 * nearest few are candidates; a pair is a duplicate from the threshold on. The threshold: of images
 * without a duplicate z = atanh r of the similarity r to the likest other has a known form, its
 * median and upper quartile are those of the images below the threshold, and the threshold is where
 * one in 500 of them is to be expected beyond. The form: where the likest is the nearest of all
 * vectors, Gumbel's, for it is the largest of many (Fisher and Tippett, Proc. Cambridge Phil. Soc.
 * 24, 1928); where a few were chosen by one measure and compared by another, normal, as
 * correlations nearly are in z (Fisher, Metron 1, 1921). It is never below
 * 0.7071, half of the variance in common. Fewer than half of the images may have duplicates. */
#ifndef CTR_EVAL_DEDUP_H
#define CTR_EVAL_DEDUP_H

#include "data/data.h"
#include "dev/dev.h"

struct ctr_pair {
    uint32_t a, b; /* rows, a < b */
    double score;
};

struct ctr_threshold {
    double value; /* pairs of at least this similarity are duplicates */
    int few;      /* too few images to choose by: value is 1, the rest 0 */
    double median,
        quartile; /* of the similarity to the nearest, of images without; the upper quartile */
};

/* Each pair of rows of x[n][D] of which one is among the k nearest of the other, by the cosine,
 * which is its score; in the order of rows. *pairs is freed with free(). progress (may be NULL) is
 * told of rows. */
int ctr_dedup_candidates(struct ctr_pair **pairs, size_t *n_pairs, ctr_dev *dev, const float *x,
                         size_t n, size_t D, size_t k, ctr_data_progress_fn *progress, void *user);
/* Puts scores of the grey pictures [n][CTR_PICTURE_BYTES] in place of those (picture.h). Pairs that
 * the first stage finds unlike keep -1, but the likeliest of each row gets its score. */
int ctr_dedup_compare(struct ctr_pair *pairs, size_t n_pairs, const uint8_t *grey, size_t n,
                      ctr_data_progress_fn *progress, void *user);
/* From the largest score of each of n rows; nearest: scores are those of ctr_dedup_candidates;
 * value is 1 where there are too few rows (less than 16) to tell. */
int ctr_dedup_threshold(struct ctr_threshold *out, const struct ctr_pair *pairs, size_t n_pairs,
                        size_t n, int nearest);

/* Images that belong together, over one or several steps. */
struct ctr_groups {
    size_t n, n_members;
    size_t *first;    /* [n + 1] of member */
    uint32_t *member; /* [n_members] images, rising in each group */
    double *score;    /* [n_members] of the pair that binds it best; 1 for an exact copy */
    uint8_t *exact;   /* [n_members] another one of the group is the very same */
};
/* row_of[n_images] is the row of each image, as ctr_dedup_exact numbers them; pairs are of rows.
 * Groups in the order of their first images. */
int ctr_dedup_groups(struct ctr_groups *out, const struct ctr_pair *pairs, size_t n_pairs,
                     double threshold, const uint32_t *row_of, size_t n_images, size_t n_rows);
void ctr_groups_free(struct ctr_groups *groups);

/* Rows of equal hashes are one: row_of[n] numbers them from 0 in order, image_of[*n_rows] is the
 * first image of each. */
int ctr_dedup_exact(uint32_t *row_of, uint32_t *image_of, size_t *n_rows, const uint64_t (*hash)[2],
                    size_t n);

#endif
