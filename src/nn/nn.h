/* nn.h -- encoders and heads, written as calls of ops.
 *
 * A network is recorded into a graph under names that PyTorch's state_dict would have, so that a
 * checkpoint of a torchvision architecture loads there. Recording the same network into a second
 * graph over the same store shares its parameters. */
#ifndef CTR_NN_NN_H
#define CTR_NN_NN_H

#include "op/op.h"

enum ctr_stem {
    CTR_STEM_AUTO,     /* cifar for images up to 64 pixels, else imagenet */
    CTR_STEM_CIFAR,    /* 3x3 convolution, stride 1, no pooling */
    CTR_STEM_STRIDED,  /* 3x3 convolution, stride 2, no pooling: a quarter of the work of cifar */
    CTR_STEM_IMAGENET, /* 7x7 convolution, stride 2, then 3x3 max-pooling, stride 2 */
    CTR_STEMS
};
extern const char *const ctr_stem_names[CTR_STEMS];
/* What auto is for images of this side; others as they are. */
enum ctr_stem ctr_stem_for(enum ctr_stem stem, size_t pixels);

/* Images are taken as (x - mean[c]) / std[c], x in [0,1]; 0 channels: as they are. */
#define CTR_NORMALIZE_MAX 16
struct ctr_normalize {
    unsigned channels;
    float mean[CTR_NORMALIZE_MAX], std[CTR_NORMALIZE_MAX];
};
/* "none", "imagenet", or lists "0.5,0.5,0.5/0.2,0.2,0.2"; the two lists by themselves. A mean of 0 with a
 * deviation of 1 is none. CTR_E_USAGE. */
int ctr_normalize_parse(struct ctr_normalize *out, const char *text);
int ctr_normalize_lists(struct ctr_normalize *out, const char *mean, const char *std);
/* Appends the lists; zeros and ones for none. */
void ctr_normalize_text(struct ctr_str *mean, struct ctr_str *std, const struct ctr_normalize *n,
                        unsigned channels);
/* Appends what ctr_normalize_parse reads. */
void ctr_normalize_line(struct ctr_str *out, const struct ctr_normalize *n);

#define CTR_WIDTH_MAX 32
struct ctr_encoder_params {
    enum ctr_stem stem;
    double width; /* of all layers, see ctr_width; 0 stands for 1 */
    int training; /* batch-norm takes the batch's statistics; see CTR_TRAIN_AGAIN */
    enum ctr_dtype storage; /* of the activations up to the features, which are fp32; 0 is fp32 */
    struct ctr_normalize normalize;
};

/* `training` of a network that sees the same batch once more: running statistics stay as they are. */
#define CTR_TRAIN_AGAIN 2

/* `channels` times the width: the nearest multiple of 8, 8 at least. */
size_t ctr_width(const struct ctr_encoder_params *params, size_t channels);

/* x[N,H,W,C] -> h[N,D]. */
struct ctr_encoder {
    const char *name, *text, *source;
    /* Behind ctr_encode's normalisation. */
    ctr_tensor *(*build)(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params);
    int one_size; /* its parameters' shapes follow from the size of x */
    const char *torch; /* Python that makes torchvision's, of width 1 with the stem for ImageNet; or NULL */
    const char *optimizer;            /* what it is trained with unless told otherwise */
    double learning_rate, weight_decay; /* learning rate for 256 pairs a batch */
};
/* Ends with a row without a name. */
extern const struct ctr_encoder ctr_encoders[];
const struct ctr_encoder *ctr_encoder_find(const char *name);
/* Records h of images x in [0,1]. */
ctr_tensor *ctr_encode(ctr_graph *g, const struct ctr_encoder *encoder, ctr_tensor *x,
                       const struct ctr_encoder_params *params);

/* An encoder recorded for one image where nothing is computed, in inference: its names, shapes and ops. */
struct ctr_sketch {
    ctr_dev *dev;
    ctr_store *store;
    ctr_graph *g;
    ctr_tensor *x, *h; /* x[1,size,size,channels] -> h[1,D] */
};
/* CTR_E_USAGE when the image is too small for it. *out is zeroed on failure. */
int ctr_sketch_create(struct ctr_sketch *out, const struct ctr_encoder *encoder,
                      const struct ctr_encoder_params *params, size_t image_size, size_t channels);
void ctr_sketch_destroy(struct ctr_sketch *sketch);

/* z[N,out] = MLP(h[N,D]): dense-hidden, batch-norm (when bn), ReLU, as often as there are layers before
 * the last, then dense-out; h itself without layers; parameters below "NAME." with the numbers of a torch.nn.Sequential. The
 * projection head of Chen et al., arXiv:2002.05709, section 2.1, has two layers. */
struct ctr_head_params {
    unsigned layers;
    size_t hidden, out; /* hidden 0: D */
    int bn, training;
    int bn_last; /* batch-norm without scale and shift behind the last layer */
};
ctr_tensor *ctr_head(ctr_graph *g, const char *name, ctr_tensor *h,
                     const struct ctr_head_params *params);

/* Layers: parameters named "NAME.weight", "NAME.bias", initialised as PyTorch's layers are. */
struct ctr_conv_params {
    size_t out, size, stride, pad;
    size_t groups; /* 0 stands for 1 */
    int bias, relu;
    int pool;    /* 2x2 max pooling behind it */
    int fan_out; /* He initialisation by fan-out (torchvision's resnet) instead of Conv2d's default */
};
ctr_tensor *ctr_conv_layer(ctr_graph *g, const char *name, ctr_tensor *x,
                           const struct ctr_conv_params *params);
ctr_tensor *ctr_dense_layer(ctr_graph *g, const char *name, ctr_tensor *x, size_t out, int bias,
                            int relu);
/* Batch-norm without scale and shift. */
ctr_tensor *ctr_plain_norm_layer(ctr_graph *g, const char *name, ctr_tensor *x, int training);
/* residual may be NULL. */
ctr_tensor *ctr_norm_layer(ctr_graph *g, const char *name, ctr_tensor *x, ctr_tensor *residual,
                           int relu, int training);

ctr_tensor *ctr_cnn_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params);
ctr_tensor *ctr_resnet10_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params);
ctr_tensor *ctr_resnet18_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params);
ctr_tensor *ctr_resnet34_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params);
ctr_tensor *ctr_resnet50_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params);
ctr_tensor *ctr_resnext50_32x4d_build(ctr_graph *g, ctr_tensor *x,
                                      const struct ctr_encoder_params *params);

#endif
