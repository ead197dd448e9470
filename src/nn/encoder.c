/* encoder.c -- the list of encoders, and the head that sits on any of them. */
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const ctr_stem_names[CTR_STEMS] = {"auto", "cifar", "strided", "imagenet"};

enum ctr_stem ctr_stem_for(enum ctr_stem stem, size_t pixels)
{
    if (stem != CTR_STEM_AUTO)
        return stem;
    return pixels <= 64 ? CTR_STEM_CIFAR : CTR_STEM_IMAGENET;
}

const struct ctr_encoder ctr_encoders[] = {
    {.name = "cnn",
     .text = "conv3x3-32, pool, conv3x3-64, pool, dense-64: small, for CPUs and first tries",
     .source = "the contrastive learning example network",
     .build = ctr_cnn_build,
     .one_size = 1,
     .optimizer = "adamw",
     .learning_rate = 3e-3,
     .weight_decay = 1e-4},
    {.name = "resnet10",
     .text = "ResNet-10, one block a stage, 512 features, 4.9 M parameters: for CPUs",
     .source = "He et al., arXiv:1512.03385, with half of ResNet-18's blocks; names as torchvision",
     .build = ctr_resnet10_build,
     .torch = "torchvision.models.resnet.ResNet(torchvision.models.resnet.BasicBlock, "
              "[1, 1, 1, 1])",
     .optimizer = "sgd",
     .learning_rate = 0.12,
     .weight_decay = 5e-4},
    {.name = "resnet18",
     .text = "ResNet-18, 512 features, 11.2 M parameters",
     .source = "He et al., arXiv:1512.03385; names and initialisation as torchvision",
     .build = ctr_resnet18_build,
     .torch = "torchvision.models.resnet18()",
     .optimizer = "sgd",
     .learning_rate = 0.12, /* 0.06 * B / 128 */
     .weight_decay = 5e-4},
    {.name = "resnet34",
     .text = "ResNet-34, 512 features, 21.3 M parameters",
     .source = "He et al., arXiv:1512.03385; names and initialisation as torchvision",
     .build = ctr_resnet34_build,
     .torch = "torchvision.models.resnet34()",
     .optimizer = "sgd",
     .learning_rate = 0.12,
     .weight_decay = 5e-4},
    {.name = "resnet50",
     .text = "ResNet-50, 2048 features, 23.5 M parameters",
     .source = "He et al., arXiv:1512.03385; names, initialisation and strides as torchvision",
     .build = ctr_resnet50_build,
     .torch = "torchvision.models.resnet50()",
     .optimizer = "sgd",
     .learning_rate = 0.12,
     .weight_decay = 5e-4},
    {.name = "resnext50_32x4d",
     .text = "ResNeXt-50, 32 groups of 4, 2048 features, 23.0 M parameters",
     .source = "Xie et al., arXiv:1611.05431; names, initialisation and strides as torchvision",
     .build = ctr_resnext50_32x4d_build,
     .torch = "torchvision.models.resnext50_32x4d()",
     .optimizer = "sgd",
     .learning_rate = 0.12,
     .weight_decay = 5e-4},
    {0},
};

const struct ctr_encoder *ctr_encoder_find(const char *name)
{
    for (const struct ctr_encoder *e = ctr_encoders; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

size_t ctr_width(const struct ctr_encoder_params *params, size_t channels)
{
    double width = params->width > 0 ? params->width : 1;
    double eights = floor((double)channels * width / 8 + 0.5);
    return eights > 1 ? 8 * (size_t)eights : 8;
}

ctr_tensor *ctr_head(ctr_graph *g, const char *name, ctr_tensor *x, const struct ctr_head_params *p)
{
    size_t hidden = p->hidden || !x ? p->hidden : x->count / x->dim[0];
    unsigned at = 0;
    char dense[64], norm[64];
    for (unsigned i = 1; i <= p->layers; i++, at += 3) {
        int last = i == p->layers;
        snprintf(dense, sizeof dense, "%s.%u", name, at);
        snprintf(norm, sizeof norm, "%s.%u", name, at + 1);
        int bn = last ? p->bn_last : p->bn;
        x = ctr_dense_layer(g, dense, x, last ? p->out : hidden, !bn, !bn && !last);
        if (bn && !last)
            x = ctr_norm_layer(g, norm, x, NULL, 1, p->training);
        else if (bn)
            x = ctr_plain_norm_layer(g, norm, x, p->training);
    }
    return x;
}
