/* siamese.c -- a Siamese network with a pair output: which rows belong together is told by a dense
 * layer with one output on their distance and a sigmoid, and learnt by cross-entropy.
 * In: views[V*N,H,W,C], with --by-class label[N]. Out: with d_ij the distances of the projections, not
 * normalised, and p_ij = 1 / (1 + e^-(bias - slope d_ij)),
 *     1/2 mean_same -log p_ij + 1/2 mean_other -log(1 - p_ij)
 * over all pairs of rows of the batch, same and other as in margin.c.
 * After Koch, Zemel, Salakhutdinov, "Siamese neural networks for one-shot image recognition", ICML
 * workshop 2015, whose layer has a weight for each feature of |h_i - h_j|; here it is the
 * distance's alone, as in the Siamese examples of Keras. */
#include "method/method.h"

enum { BY_CLASS };

static const struct ctr_option options[] = {
    [BY_CLASS] = {"by-class", "0|1", 0, 0, 1, "pairs by the images' classes, not by image"},
    {0},
};

static int needs_labels(const double *option)
{
    return option[BY_CLASS] != 0;
}

/* Near pairs are taken for the same from the start; a slope that was drawn might have the wrong
 * sign. */
static int build(struct ctr_method_io *io)
{
    static const struct ctr_init one = {CTR_INIT_ONE, 0}, zero = {CTR_INIT_ZERO, 0};
    ctr_graph *g = io->g;
    ctr_tensor *z = ctr_method_project(io, 0, io->V);
    ctr_tensor *slope = ctr_graph_param(g, "pair_output.weight", 2, (size_t[]){1, 1}, one, 0);
    ctr_tensor *bias =
        ctr_graph_param(g, "pair_output.bias", 1, (size_t[]){1}, zero, CTR_PARAM_NO_DECAY);
    io->loss = ctr_pairs_sigmoid(g, z, io->label, io->N, slope, bias);
    io->right = ctr_pairs_right(io->loss);
    return ctr_graph_status(g);
}

extern const struct ctr_method ctr_method_siamese;
const struct ctr_method ctr_method_siamese = {
    .name = "siamese",
    .text = "pairs told by a dense layer on their distance and a sigmoid",
    .paper = "Koch et al., ICML workshop 2015",
    .views = 2,
    .or_more = 1,
    .or_one = 1,
    .needs_labels = needs_labels,
    .options = options,
    .build = build,
};
