/* resnet.c -- ResNets without their classifier: x[N,H,W,C] -> h[N,512], or h[N,2048] from bottleneck
 * blocks; channels and features times the width. He et al., arXiv:1512.03385, with the stride of a
 * bottleneck in its 3x3 convolution, as torchvision has it; that convolution in groups: ResNeXt, Xie et
 * al., arXiv:1611.05431. The small stem for CIFAR as in SimCLR, arXiv:2002.05709, B.9. */
#include "nn/nn.h"

#include <stdio.h>

struct network {
    unsigned blocks[4]; /* of each stage */
    int bottleneck;
    size_t groups, group_width; /* of its 3x3 convolution; the width where a stage has 64 channels */
};

/* "BLOCK.PART": a convolution without bias, and batch-norm. */
static ctr_tensor *conv(ctr_graph *g, const char *block, const char *part, ctr_tensor *x,
                        struct ctr_conv_params p)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", block, part);
    p.pad = p.size / 2;
    p.fan_out = 1;
    return ctr_conv_layer(g, name, x, &p);
}

static ctr_tensor *norm(ctr_graph *g, const char *block, const char *part, ctr_tensor *x,
                        ctr_tensor *residual, int relu, int training)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", block, part);
    return ctr_norm_layer(g, name, x, residual, relu, training);
}

/* Channels inside a bottleneck: torchvision's formula, whole groups of one channel at least. */
static size_t inner(const struct network *net, size_t channels)
{
    size_t of_group = channels * net->group_width / 64;
    return (of_group > 1 ? of_group : 1) * net->groups;
}

/* Convolutions with BN and ReLU between, + shortcut, ReLU: two of 3x3, or 1x1, 3x3, 1x1 to four times
 * the channels. The shortcut is a 1x1 convolution where the shape changes. */
static ctr_tensor *block(ctr_graph *g, const struct network *net, const char *name, ctr_tensor *x,
                         size_t channels, size_t stride, int training)
{
    const struct ctr_conv_params basic[] = {{.out = channels, .size = 3, .stride = stride},
                                            {.out = channels, .size = 3, .stride = 1}},
                                 narrow[] = {{.out = inner(net, channels), .size = 1, .stride = 1},
                                             {.out = inner(net, channels),
                                              .size = 3,
                                              .stride = stride,
                                              .groups = net->groups},
                                             {.out = 4 * channels, .size = 1, .stride = 1}};
    const struct ctr_conv_params *p = net->bottleneck ? narrow : basic;
    static const char *const convs[] = {"conv1", "conv2", "conv3"}, *const norms[] = {"bn1", "bn2",
                                                                                     "bn3"};
    if (!x)
        return NULL;
    unsigned last = net->bottleneck ? 2 : 1;
    ctr_tensor *y = x, *shortcut = x;
    for (unsigned i = 0; i < last; i++) {
        y = conv(g, name, convs[i], y, p[i]);
        y = norm(g, name, norms[i], y, NULL, 1, training);
    }
    y = conv(g, name, convs[last], y, p[last]);
    if (stride != 1 || x->dim[3] != p[last].out) {
        const struct ctr_conv_params project = {.out = p[last].out, .size = 1, .stride = stride};
        shortcut = conv(g, name, "downsample.0", x, project);
        shortcut = norm(g, name, "downsample.1", shortcut, NULL, 0, training);
    }
    return norm(g, name, norms[last], y, shortcut, 1, training);
}

static ctr_tensor *stem(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    enum ctr_stem kind = ctr_stem_for(params->stem, x->dim[1]);
    struct ctr_conv_params first = {.out = ctr_width(params, 64), .fan_out = 1};
    first.size = kind == CTR_STEM_IMAGENET ? 7 : 3;
    first.stride = kind == CTR_STEM_CIFAR ? 1 : 2;
    first.pad = first.size / 2;
    x = ctr_conv_layer(g, "conv1", ctr_cast(g, x, params->storage), &first);
    x = ctr_norm_layer(g, "bn1", x, NULL, 1, params->training);
    return kind == CTR_STEM_IMAGENET ? ctr_max_pool(g, x, 3, 2, 1) : x;
}

static ctr_tensor *resnet(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params,
                          struct network net)
{
    char name[32];
    if (!x)
        return NULL;
    x = stem(g, x, params);
    for (unsigned stage = 0; stage < 4; stage++)
        for (unsigned b = 0; b < net.blocks[stage]; b++) {
            snprintf(name, sizeof name, "layer%u.%u", stage + 1, b);
            x = block(g, &net, name, x, ctr_width(params, (size_t)64 << stage),
                      stage > 0 && b == 0 ? 2 : 1, params->training);
        }
    return ctr_global_avg_pool(g, x);
}

ctr_tensor *ctr_resnet10_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    return resnet(g, x, params, (struct network){.blocks = {1, 1, 1, 1}});
}

ctr_tensor *ctr_resnet18_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    return resnet(g, x, params, (struct network){.blocks = {2, 2, 2, 2}});
}

ctr_tensor *ctr_resnet34_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    return resnet(g, x, params, (struct network){.blocks = {3, 4, 6, 3}});
}

ctr_tensor *ctr_resnet50_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    return resnet(g, x, params,
                  (struct network){
                      .blocks = {3, 4, 6, 3}, .bottleneck = 1, .groups = 1, .group_width = 64});
}

ctr_tensor *ctr_resnext50_32x4d_build(ctr_graph *g, ctr_tensor *x,
                                      const struct ctr_encoder_params *params)
{
    return resnet(g, x, params,
                  (struct network){
                      .blocks = {3, 4, 6, 3}, .bottleneck = 1, .groups = 32, .group_width = 4});
}
