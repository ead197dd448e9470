/* simclr.c -- SimCLR: two augmented views of each image; the two must find each other among all.
 * In: views[2N,H,W,3]. Out: the NT-Xent loss of the normalised projections z[2N,D]:
 *     mean_i -log(e^(z_i.z_p / T) / sum_{k != i} e^(z_i.z_k / T)),  p the other view of i.
 * Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive learning of visual
 * representations", arXiv:2002.05709. The head is dropped after training; h is what is used. */
#include "method/method.h"

#include <math.h>

enum { TEMPERATURE };

static const struct ctr_option options[] = {
    [TEMPERATURE] = {"temperature", "T", 0.5, 0.01, 10.0, "softmax temperature of the loss"},
    {0},
};

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    ctr_tensor *z = ctr_l2norm(g, ctr_method_project(io, io->views)), *top = NULL;
    float scale = (float)(1 / io->option[TEMPERATURE]);
    ctr_tensor *positive = ctr_row_dot(g, z, z, scale, io->N);
    ctr_tensor *negatives = ctr_lse(g, z, z, scale, io->N, &top);
    io->loss = ctr_contrast(g, positive, negatives, top,
                            &(struct ctr_contrast){.kind = CTR_CONTRAST_NTXENT, .scale = scale});
    io->top1 = ctr_contrast_nearest(io->loss);
    io->similarity = ctr_contrast_similarity(io->loss);
    return ctr_graph_status(g);
}

static double chance_loss(size_t N, const double *option)
{
    return log(2.0 * (double)N - 1.0);
}

extern const struct ctr_method ctr_method_simclr;
const struct ctr_method ctr_method_simclr = {
    .name = "simclr",
    .text = "two augmented views, NT-Xent over all 2N of the batch",
    .paper = "arXiv:2002.05709",
    .views = 2,
    .options = options,
    .build = build,
    .chance_loss = chance_loss,
};
