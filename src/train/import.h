/* import.h -- weights trained elsewhere as a model of ours: a file that embed, eval, train --init
 * and export take. In: a safetensors file with the names of PyTorch's state_dict, torchvision's
 * ResNets above all. */
#ifndef CTR_TRAIN_IMPORT_H
#define CTR_TRAIN_IMPORT_H

#include "train/export.h"

struct ctr_import_params {
    const char *from, *path; /* the file that is read, the model that is written */
    const char *encoder;     /* NULL: the one that fits */
    enum ctr_stem stem;      /* auto: by the first convolution; 3x3 is taken for cifar */
    size_t
        image_size; /* 0: 224 for the stem imagenet, else 32; what the file says goes before that */
    /* NULL: what the file says, else imagenet for three channels and the stem imagenet, else none
     */
    const char *normalize;
};

struct ctr_imported {
    struct ctr_exported file;
    const struct ctr_encoder *encoder;
    struct ctr_encoder_params params;
    unsigned channels;
    size_t left_out; /* tensors of the file that are not of the encoder */
    int guessed;     /* the normalisation is neither the caller's nor the file's */
};

/* Names may have one prefix in common ("module.", "backbone."). CTR_E_MODEL with what does not fit.
 */
int ctr_import(struct ctr_imported *out, const struct ctr_import_params *params);

#endif
