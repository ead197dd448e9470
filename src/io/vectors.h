/* vectors.h -- vectors of images in files: what `embed` writes and `search` reads.
 *
 * STEM.npy          <f4 [n][D]
 * STEM.labels.npy   <i4 [n], -1: none; only where there are labels
 * STEM.classes.txt  their names, a line each
 * STEM.paths.txt    names of the images, a line each, as the data set has them; \n, \r and \\ stand for
 *                   line feed, carriage return and backslash
 * STEM.json         where the vectors come from
 * All are on the disk before the first takes its place. STEM.json is removed first and written last:
 * where it is there, the others belong together. */
#ifndef CTR_IO_VECTORS_H
#define CTR_IO_VECTORS_H

#include <stddef.h>
#include <stdint.h>

/* What is not known is NULL, "" or 0. */
struct ctr_vectors {
    size_t n, D;
    const float *x;          /* [n][D] */
    const int32_t *label;    /* [n] */
    const char *const *name; /* [n] */
    const char *const *class_name;
    unsigned n_classes;
    const char *model;       /* file of the weights */
    const char *data, *split; /* of the images */
    uint64_t step;
    int projections, unit;   /* behind the projection head; of length one */
    void *owned;             /* by ctr_vectors_read */
};

/* What takes the place of .npy in the names of the files beside it; ended by NULL. */
extern const char *const ctr_vectors_endings[];
/* The name of one of them in a new string; NULL: out of memory (recorded). */
char *ctr_vectors_beside(const char *path, const char *ending);

/* path ends with ".npy", which gives STEM. CTR_E_IO; files of an earlier call are then what they were,
 * unless it was a removal or a rename that failed. */
int ctr_vectors_write(const char *path, const struct ctr_vectors *v);
/* One file: path, label (the class's name, or nothing), f0, f1, ... (RFC 4180). */
int ctr_vectors_write_csv(const char *path, const struct ctr_vectors *v);

/* Any .npy file of floats [n][D] (of 2, 4 or 8 bytes; [D]: one row), and what lies beside it by these
 * names. CTR_E_DATA when one of them is malformed or does not fit the others; values may be anything. */
int ctr_vectors_read(struct ctr_vectors *out, const char *path);
void ctr_vectors_free(struct ctr_vectors *v);

#endif
