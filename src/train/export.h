/* export.h -- the encoder of a model as a file that other programs read. docs/EXPORT.md says how
 * they do. */
#ifndef CTR_TRAIN_EXPORT_H
#define CTR_TRAIN_EXPORT_H

#include "train/weights.h"

enum ctr_export_format {
    CTR_EXPORT_SAFETENSORS, /* weights by their names in PyTorch's state_dict */
    CTR_EXPORT_ONNX,
    CTR_EXPORT_NPZ, /* the same weights as NumPy arrays, the metadata as "metadata" in JSON */
    CTR_EXPORT_C,
    CTR_EXPORT_FORMATS
};
extern const char *const ctr_export_names[CTR_EXPORT_FORMATS];

struct ctr_export_params {
    const char *path;
    enum ctr_export_format format;
    const char *prefix; /* of the names in the model's file, left out; NULL: none */
    int heads;          /* safetensors, npz: with the heads */
    int unit;           /* onnx, c: features at length one */
    size_t
        image_size; /* onnx, c: of the images; 0: the model's. Encoders of one size take no other */
};

struct ctr_exported {
    size_t image_size, D; /* of the images; length of a feature vector */
    size_t values, bytes; /* weights; of the file */
};

/* Written whole or not at all. CTR_E_USAGE where the format can't, CTR_E_MODEL, CTR_E_IO. */
int ctr_export(struct ctr_exported *out, const struct ctr_weights *weights,
               const struct ctr_export_params *params);

#endif
