/* resnet.c -- ResNet-18 and -34 without their classifier: x[N,H,W,3] -> h[N,512].
 * He et al., arXiv:1512.03385; the small stem for CIFAR as in SimCLR, arXiv:2002.05709, B.9. */
#include "nn/nn.h"

#include <stdio.h>

/* conv3x3, BN, ReLU, conv3x3, BN, + shortcut, ReLU; the shortcut is 1x1 where the shape changes. */
static ctr_tensor *basic_block(ctr_graph *g, const char *name, ctr_tensor *x, size_t out,
                               size_t stride, int training)
{
    char part[128];
    if (!x)
        return NULL;
    struct ctr_conv_params conv = {.out = out, .size = 3, .stride = stride, .pad = 1, .fan_out = 1};
    snprintf(part, sizeof part, "%s.conv1", name);
    ctr_tensor *y = ctr_conv_layer(g, part, x, &conv);
    snprintf(part, sizeof part, "%s.bn1", name);
    y = ctr_norm_layer(g, part, y, NULL, 1, training);
    conv.stride = 1;
    snprintf(part, sizeof part, "%s.conv2", name);
    y = ctr_conv_layer(g, part, y, &conv);
    ctr_tensor *shortcut = x;
    if (stride != 1 || x->dim[3] != out) {
        conv = (struct ctr_conv_params){.out = out, .size = 1, .stride = stride, .fan_out = 1};
        snprintf(part, sizeof part, "%s.downsample.0", name);
        shortcut = ctr_conv_layer(g, part, x, &conv);
        snprintf(part, sizeof part, "%s.downsample.1", name);
        shortcut = ctr_norm_layer(g, part, shortcut, NULL, 0, training);
    }
    snprintf(part, sizeof part, "%s.bn2", name);
    return ctr_norm_layer(g, part, y, shortcut, 1, training);
}

static ctr_tensor *stem(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    int small =
        params->stem == CTR_STEM_CIFAR || (params->stem == CTR_STEM_AUTO && x->dim[1] <= 64);
    struct ctr_conv_params conv = {.out = 64, .fan_out = 1};
    conv.size = small ? 3 : 7;
    conv.stride = small ? 1 : 2;
    conv.pad = small ? 1 : 3;
    x = ctr_conv_layer(g, "conv1", x, &conv);
    x = ctr_norm_layer(g, "bn1", x, NULL, 1, params->training);
    return small ? x : ctr_max_pool(g, x, 3, 2, 1);
}

static ctr_tensor *resnet(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params,
                          const unsigned blocks[4])
{
    char name[64];
    if (!x)
        return NULL;
    x = stem(g, x, params);
    for (unsigned stage = 0; stage < 4; stage++)
        for (unsigned b = 0; b < blocks[stage]; b++) {
            snprintf(name, sizeof name, "layer%u.%u", stage + 1, b);
            x = basic_block(g, name, x, (size_t)64 << stage, stage > 0 && b == 0 ? 2 : 1,
                            params->training);
        }
    return ctr_global_avg_pool(g, x);
}

ctr_tensor *ctr_resnet18_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    return resnet(g, x, params, (const unsigned[]){2, 2, 2, 2});
}

ctr_tensor *ctr_resnet34_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    return resnet(g, x, params, (const unsigned[]){3, 4, 6, 3});
}
