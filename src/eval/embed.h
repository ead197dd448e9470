/* embed.h -- h = encoder(x), or the projections of it, for a whole data set, in inference mode. */
#ifndef CTR_EVAL_EMBED_H
#define CTR_EVAL_EMBED_H

#include "data/images.h"
#include "nn/nn.h"

typedef struct ctr_embedder ctr_embedder;

struct ctr_embedder_params {
    const struct ctr_encoder *encoder;
    struct ctr_encoder_params encoder_params; /* `training` is not looked at */
    const struct ctr_head_params *head;       /* behind it, under "projection_head"; NULL: none */
    size_t image_size, batch;                 /* batch: images at a time */
};

/* Records the network over the store's parameters (which it adds if the store is new). Device, store
 * and images outlive it; of streamed images without a data set only kind and size count. */
int ctr_embedder_create(ctr_embedder **out, ctr_dev *dev, ctr_store *store,
                        const struct ctr_images *images, const struct ctr_embedder_params *params);
void ctr_embedder_destroy(ctr_embedder **embedder);
/* D, the length of a feature vector. */
size_t ctr_embedder_dim(const ctr_embedder *embedder);
/* features[n][D] of all images; used[i]: the image in row i, another one than i where i is bad.
 * progress may be NULL; non-zero from it ends the run, which returns it. After ctr_dev_build.
 * CTR_E_MODEL when a feature is not finite. */
int ctr_embedder_run(float *features, uint32_t *used, ctr_embedder *embedder,
                     ctr_data_progress_fn *progress, void *user);
/* features[n][D] of n images in memory, at most a batch; the embedder's images are streamed. */
int ctr_embedder_batch(float *features, ctr_embedder *embedder, const uint8_t *pixels, size_t n);

#endif
