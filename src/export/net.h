/* net.h -- an encoder in inference as a short list of steps, each with its weights: what exporters
 * print.
 *
 * Made from the recorded graph and the weights by name, so that a new encoder exports by itself.
 * Batch-norm behind a convolution or dense layer is folded into its weights, in double precision;
 * where it stands alone it becomes a scale and a shift of each channel. */
#ifndef CTR_EXPORT_NET_H
#define CTR_EXPORT_NET_H

#include "base/mem.h"
#include "io/safetensors.h"
#include "nn/nn.h"

enum ctr_step_kind {
    CTR_STEP_CONV,  /* w[K][C/groups][R][S], b[K] */
    CTR_STEP_DENSE, /* w[O][I], b[O]; I in the order [H][W][C] of its input */
    CTR_STEP_SCALE, /* w[C], b[C]: x w + b, per channel */
    CTR_STEP_ADD,   /* of in[0] and in[1] */
    CTR_STEP_RELU,
    CTR_STEP_MAX_POOL, /* -inf outside */
    CTR_STEP_AVG_POOL, /* 0 outside, divided by the window's size */
    CTR_STEP_MEAN,     /* over the map */
    CTR_STEP_UNIT      /* x / sqrt(sum x^2 + eps) */
};

struct ctr_shape {
    size_t H, W, C; /* a vector: H = W = 1 and `flat` */
    int flat;
};

enum { CTR_STEP_IMAGE = -1 };

struct ctr_step {
    enum ctr_step_kind kind;
    int relu;                  /* then max(., 0) */
    const char *name;          /* that of its weights, or of its op */
    int in[2];                 /* numbers of earlier steps, or CTR_STEP_IMAGE */
    struct ctr_shape from, to; /* of in[0] and of the result */
    size_t rows, columns;      /* of windows and filters */
    size_t stride, pad, groups;
    float eps;
    float *w, *b;
    size_t n_w, n_b;
};

struct ctr_net {
    struct ctr_step *step;
    size_t n, cap;
    struct ctr_shape image;
    struct ctr_arena mem;
};

/* `unit`: the features are brought to length one. Weights are those of `st`; CTR_E_MODEL names one
 * that is missing, of another shape or not finite, CTR_E_FAIL an op that has no form. *out is
 * zeroed on failure. */
int ctr_net_create(struct ctr_net *out, const struct ctr_sketch *sketch, const struct ctr_st *st,
                   int unit);
void ctr_net_free(struct ctr_net *net);
static inline size_t ctr_shape_count(struct ctr_shape s)
{
    return s.H * s.W * s.C;
}
/* Values of all weights; multiply-adds for one image. */
size_t ctr_net_values(const struct ctr_net *net);
double ctr_net_products(const struct ctr_net *net);

#endif
