/* cnn.c -- x[N,H,W,C] -> conv3x3-32, ReLU, pool 2, conv3x3-64, ReLU, pool 2, dense-64 -> h[N,64];
 * channels and features times the width.
 * Convolutions without padding, as in the example network the project began with. */
#include "nn/nn.h"

ctr_tensor *ctr_cnn_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    struct ctr_conv_params conv = {.size = 3, .stride = 1, .bias = 1, .relu = 1, .pool = 1};
    conv.out = ctr_width(params, 32);
    x = ctr_conv_layer(g, "conv1", ctr_cast(g, x, params->storage), &conv);
    conv.out = ctr_width(params, 64);
    x = ctr_conv_layer(g, "conv2", x, &conv);
    return ctr_dense_layer(g, "dense", x, ctr_width(params, 64), 1, 0);
}
