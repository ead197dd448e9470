/* model.h -- a trained encoder on a device: images in, vectors out.
 *
 *     ctr_dev *dev = NULL;
 *     ctr_model *model = NULL;
 *     ctr_data *data = NULL;
 *     struct ctr_embedding e = {0};
 *     rc = ctr_dev_open(&dev, NULL, NULL);
 *     rc = ctr_model_open(&model, dev, "runs/1", NULL);
 *     rc = ctr_model_data(&data, model, &(struct ctr_model_data_params){.path = "photos"});
 *     rc = ctr_model_embed(&e, model, data, 1, NULL, NULL);
 *     ... e.x[i * e.D + d], e.name[i], e.label[i] ...
 *     ctr_embedding_free(&e);
 *     ctr_data_close(&data);
 *     ctr_model_close(&model);
 *     ctr_dev_destroy(&dev);
 *
 * A vector is what the encoder makes of an image, its features before the projection head, D floats. The
 * same image gives the same bits on the same device and driver. A model is used by one thread at a time, and
 * by no other that uses its device. */
#ifndef CLCONTRAST_MODEL_H
#define CLCONTRAST_MODEL_H

#include "clcontrast/data.h"
#include "clcontrast/device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctr_model ctr_model;

/* A zeroed field means its default. */
struct ctr_model_params {
    int projections; /* z, what the projection head makes of the features, instead of them */
    size_t batch;    /* images that go through it at a time; 0: 256 */
};

/* Borrowed from the model. */
struct ctr_model_info {
    const char *path; /* of the file that was opened */
    const char *encoder;
    const char *data; /* what it was trained on, "" when the file does not say */
    uint64_t step, seed;
    size_t image_size, D;    /* side of its images in pixels; length of a vector */
    unsigned channels, bits; /* of its images */
};

/* From a run's directory (its newest checkpoint), a checkpoint, or a safetensors file that `clcontrast
 * export` or `import` wrote. Builds the kernels. params may be NULL; the device outlives the model, which the
 * caller owns. CTR_E_MODEL when it is none, or has no head where projections are wanted. */
CTR_API int ctr_model_open(ctr_model **out, ctr_dev *dev, const char *run_or_file,
                           const struct ctr_model_params *params);
/* Accepts NULL and pointers to NULL; sets *model to NULL. */
CTR_API void ctr_model_close(ctr_model **model);
CTR_API const struct ctr_model_info *ctr_model_info(const ctr_model *model);

/* ---- a data set ---- */

/* A zeroed field means its default. */
struct ctr_model_data_params {
    const char *path;  /* as in ctr_data_params; NULL: what it was trained on */
    const char *split; /* NULL: "all" */
    size_t limit;      /* 0: all */
    unsigned threads;
};
/* Opens a data set as this model takes its images, whatever share of them turns out to be bad. The caller
 * owns *out, which the model does not need. */
CTR_API int ctr_model_data(ctr_data **out, const ctr_model *model,
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
 * images; non-zero from it ends the call, which returns it. The caller owns what is in *out, which is zeroed
 * on failure. CTR_E_MODEL when a value is not finite, CTR_E_USAGE when the data set was not opened as the
 * model takes images. */
CTR_API int ctr_model_embed(struct ctr_embedding *out, ctr_model *model, ctr_data *data, int unit,
                            ctr_data_progress_fn *progress, void *user);
/* Zeroes it. Accepts NULL. */
CTR_API void ctr_embedding_free(struct ctr_embedding *embedding);

/* ---- single images ---- */

/* x[n][D] of image files. CTR_E_DATA, CTR_E_IO name the first that cannot be read; none is skipped, and x is
 * undefined then. */
CTR_API int ctr_model_embed_files(float *x, ctr_model *model, const char *const *paths, size_t n,
                                  int unit);

/* Images in memory, one behind the other, rows from the top, no bytes between. */
struct ctr_pixels {
    const void *values; /* [n][height][width][channels] of uint8_t, or of uint16_t when bits is 16 */
    size_t n;
    unsigned height, width; /* any: they are brought to the model's size as files are (ctr_data_read) */
    unsigned channels;      /* 0: the model's; else 1 is grey, 3 are RGB, 2 and 4 the same with opacity,
                             * which is dropped unless the model takes so many channels */
    unsigned bits;          /* 8 or 16; 0: the model's */
};
/* x[n][D]. CTR_E_USAGE for sizes that are none, CTR_E_DATA for channels that the model cannot take; x is
 * undefined then. */
CTR_API int ctr_model_embed_pixels(float *x, ctr_model *model, const struct ctr_pixels *pixels,
                                   int unit);

#ifdef __cplusplus
}
#endif
#endif
