/* model.h -- a trained encoder on a device: images in, vectors out.
 *
 *     ctr_model *model = NULL;
 *     struct ctr_data *data = NULL;
 *     struct ctr_embedding e = {0};
 *     rc = ctr_model_open(&model, dev, "runs/1", NULL);
 *     rc = ctr_model_data(&data, model, &(struct ctr_model_data_params){.path = "photos"});
 *     rc = ctr_model_embed(&e, model, data, 1, NULL, NULL);
 *     ... e.x[e.n][e.D], e.name[i], e.label[i] ...
 *     ctr_embedding_free(&e);
 *     ctr_data_close(&data);
 *     ctr_model_close(&model);
 *
 * A model is used by one thread at a time. The device outlives it. */
#ifndef CTR_TRAIN_MODEL_H
#define CTR_TRAIN_MODEL_H

#include "data/data.h"
#include "dev/dev.h"

typedef struct ctr_model ctr_model;

struct ctr_model_params {
    int projections; /* z, what the projection head makes of the features, instead of them */
    size_t batch;    /* images that go through it at a time; 0: 256 */
};

struct ctr_model_info {
    const char *path; /* of the file that was opened */
    const char *encoder;
    const char *data; /* what it was trained on, "" when the file does not say */
    uint64_t step, seed;
    size_t image_size, D; /* D: length of a vector */
    unsigned channels, bits;
};

/* From a run's directory (its newest checkpoint) or a checkpoint's file. params may be NULL.
 * CTR_E_MODEL when it is none, or has no head where projections are wanted. */
int ctr_model_open(ctr_model **out, ctr_dev *dev, const char *run_or_file,
                   const struct ctr_model_params *params);
void ctr_model_close(ctr_model **model);
const struct ctr_model_info *ctr_model_info(const ctr_model *model);

/* Opens a data set as this model takes its images, whatever share of them turns out to be bad. */
struct ctr_model_data_params {
    const char *path;  /* as in ctr_data_params; NULL: what it was trained on */
    const char *split; /* NULL: "all" */
    size_t limit;      /* 0: all */
    unsigned threads;
};
int ctr_model_data(struct ctr_data **out, const ctr_model *model,
                   const struct ctr_model_data_params *params);

/* Vectors of the images of a data set that can be read, in its order. */
struct ctr_embedding {
    size_t n, D;
    float *x;          /* [n][D] */
    int32_t *label;    /* [n], -1: none */
    const char **name; /* [n], borrowed from the data set */
    uint32_t *image;   /* [n], number in the data set, for ctr_data_read */
};
/* unit: rows are brought to length one (rows of zeros stay). progress (may be NULL) is told of
 * images; non-zero from it ends the call, which returns it. *out is zeroed on failure. CTR_E_MODEL
 * when a value is not finite. */
int ctr_model_embed(struct ctr_embedding *out, ctr_model *model, struct ctr_data *data, int unit,
                    ctr_data_progress_fn *progress, void *user);
void ctr_embedding_free(struct ctr_embedding *embedding);

/* x[n][D] of image files. CTR_E_DATA, CTR_E_IO name the first that cannot be read; none is skipped. */
int ctr_model_embed_files(float *x, ctr_model *model, const char *const *paths, size_t n, int unit);

#endif
