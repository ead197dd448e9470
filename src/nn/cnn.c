/* cnn.c -- x[N,H,W,3] -> conv3x3-32, ReLU, pool 2, conv3x3-64, ReLU, pool 2, dense-64 -> h[N,64].
 * Convolutions without padding, as in the example network the project began with. */
#include "nn/nn.h"

ctr_tensor *ctr_cnn_build(ctr_graph *g, ctr_tensor *x, const struct ctr_encoder_params *params)
{
    const struct ctr_conv_params c1 = {
        .out = 32, .size = 3, .stride = 1, .bias = 1, .relu = 1, .pool = 1};
    const struct ctr_conv_params c2 = {
        .out = 64, .size = 3, .stride = 1, .bias = 1, .relu = 1, .pool = 1};
    x = ctr_conv_layer(g, "conv1", x, &c1);
    x = ctr_conv_layer(g, "conv2", x, &c2);
    return ctr_dense_layer(g, "dense", x, 64, 1, 0);
}
