/* given.h -- the vectors that a command's argument names: a file of them with what lies beside it, or a model,
 * whose images are embedded now. */
#ifndef CTR_TOOLS_GIVEN_H
#define CTR_TOOLS_GIVEN_H

#include "io/vectors.h"
#include "clcontrast/model.h"

struct given_options {
    const char *device;
    const char *data, *split; /* NULL: those that the file, or the model, names */
    uint64_t limit, batch, threads;
};

/* Zero-initialise. */
struct given {
    struct given_options o;
    ctr_dev *dev;     /* opened when it is wanted */
    ctr_model *model; /* the same */
    struct ctr_data *data; /* of a model */
    struct ctr_embedding embedding;
    struct ctr_vectors vectors; /* borrow from the above, or own (ctr_vectors_read) */
};

/* By its first bytes, or where there are none, by its name. */
int given_is_npy(const char *path);
/* Given one, nothing happens. */
int given_dev(struct given *g);
int given_model(struct given *g, const char *run_or_file, int projections);
/* A file of vectors, all finite. CTR_E_DATA names it, CTR_E_IO. */
int given_vectors(struct ctr_vectors *out, const char *path);
/* path: such a file, or a model. */
int given_open(struct given *g, const char *path);
void given_close(struct given *g);

#endif
