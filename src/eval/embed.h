/* embed.h -- h = encoder(x) for a whole data set, in inference mode. */
#ifndef CTR_EVAL_EMBED_H
#define CTR_EVAL_EMBED_H

#include "data/images.h"
#include "nn/nn.h"

typedef struct ctr_embedder ctr_embedder;

/* Records the encoder, not in training whatever `params` says, over the store's parameters (which it adds if the store is new) for `batch`
 * images at a time. Device, store and images outlive it. */
int ctr_embedder_create(ctr_embedder **out, ctr_dev *dev, ctr_store *store,
                        const struct ctr_images *images, const struct ctr_encoder *encoder,
                        struct ctr_encoder_params params, size_t image_size, size_t batch);
void ctr_embedder_destroy(ctr_embedder **embedder);
/* D, the length of a feature vector. */
size_t ctr_embedder_dim(const ctr_embedder *embedder);
/* features[n][D] of all images, labels[n] (-1: none, or the image is bad; NULL: not wanted). After
 * ctr_dev_build. CTR_E_MODEL when a feature is not finite. */
int ctr_embedder_run(float *features, int32_t *labels, ctr_embedder *embedder);

#endif
