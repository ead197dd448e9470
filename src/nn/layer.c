/* layer.c -- a layer is its parameters and a call of an op.
 * Initialisation follows PyTorch: Conv2d and Linear draw uniformly within 1/sqrt(fan-in);
 * torchvision's resnet draws convolutions normally with variance 2/fan-out (He et al.,
 * arXiv:1502.01852). */
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>

#define MOMENTUM 0.1f /* of running statistics */

static ctr_tensor *param(ctr_graph *g, const char *layer, const char *name, unsigned rank,
                         const size_t *dim, struct ctr_init init, unsigned flags)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s", layer, name);
    return ctr_graph_param(g, full, rank, dim, init, flags);
}

static struct ctr_init uniform(size_t fan_in)
{
    return (struct ctr_init){CTR_INIT_UNIFORM, (float)(1.0 / sqrt((double)fan_in))};
}

ctr_tensor *ctr_conv_layer(ctr_graph *g, const char *name, ctr_tensor *x,
                           const struct ctr_conv_params *p)
{
    if (!x)
        return NULL;
    size_t groups = p->groups ? p->groups : 1, c = x->dim[3] / groups, taps = p->size * p->size;
    size_t fan_in = c * taps, fan_out = p->out * taps;
    struct ctr_init init = uniform(fan_in);
    if (p->fan_out)
        init = (struct ctr_init){CTR_INIT_NORMAL, (float)sqrt(2.0 / (double)fan_out)};
    ctr_tensor *w = param(g, name, "weight", 4, (size_t[]){p->out, c, p->size, p->size}, init, 0);
    ctr_tensor *b = NULL;
    if (p->bias)
        b = param(g, name, "bias", 1, &p->out, uniform(fan_in), CTR_PARAM_NO_DECAY);
    if (p->pool && groups == 1)
        return ctr_conv2d_pool(g, x, w, b, p->stride, p->pad, p->relu);
    x = ctr_conv2d_grouped(g, x, w, b, p->stride, p->pad, groups, p->relu);
    return p->pool ? ctr_max_pool(g, x, 2, 2, 0) : x;
}

ctr_tensor *ctr_dense_layer(ctr_graph *g, const char *name, ctr_tensor *x, size_t out, int bias,
                            int relu)
{
    if (!x)
        return NULL;
    size_t in = x->count / x->dim[0];
    ctr_tensor *w = param(g, name, "weight", 2, (size_t[]){out, in}, uniform(in), 0);
    ctr_tensor *b = NULL;
    if (bias)
        b = param(g, name, "bias", 1, &out, uniform(in), CTR_PARAM_NO_DECAY);
    return ctr_dense(g, ctr_cast(g, x, CTR_F32), w, b, relu);
}

static const struct ctr_init zero = {CTR_INIT_ZERO, 0}, one = {CTR_INIT_ONE, 0};

static ctr_tensor *state(ctr_graph *g, const char *layer, const char *name, const size_t *c,
                         struct ctr_init init)
{
    char full[128];
    snprintf(full, sizeof full, "%s.%s", layer, name);
    return ctr_graph_state(g, full, 1, c, init);
}

ctr_tensor *ctr_plain_norm_layer(ctr_graph *g, const char *name, ctr_tensor *x, int training)
{
    if (!x)
        return NULL;
    size_t c = x->dim[x->rank - 1];
    struct ctr_batch_norm bn = {
        .gamma = state(g, name, "one", &c, one),
        .beta = state(g, name, "zero", &c, zero),
        .running_mean = state(g, name, "running_mean", &c, zero),
        .running_var = state(g, name, "running_var", &c, one),
        .eps = 1e-5f,
        .momentum = training == CTR_TRAIN_AGAIN ? 0 : MOMENTUM,
        .training = training,
    };
    return ctr_batch_norm(g, x, &bn);
}

ctr_tensor *ctr_norm_layer(ctr_graph *g, const char *name, ctr_tensor *x, ctr_tensor *residual,
                           int relu, int training)
{
    if (!x)
        return NULL;
    size_t c = x->dim[x->rank - 1];
    struct ctr_batch_norm bn = {
        .gamma = param(g, name, "weight", 1, &c, one, CTR_PARAM_NO_DECAY),
        .beta = param(g, name, "bias", 1, &c, zero, CTR_PARAM_NO_DECAY),
        .running_mean = state(g, name, "running_mean", &c, zero),
        .running_var = state(g, name, "running_var", &c, one),
        .residual = residual,
        .eps = 1e-5f,
        .momentum = training == CTR_TRAIN_AGAIN ? 0 : MOMENTUM,
        .training = training,
        .relu = relu,
    };
    return ctr_batch_norm(g, x, &bn);
}
