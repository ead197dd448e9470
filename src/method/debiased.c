/* debiased.c -- NT-Xent that reckons with negatives of the same class: of the n = 2N - 2 others the
 * share `tau-plus` is taken to be positive, and what they add is taken off the denominator.
 * In: views[2N,H,W,3]. Out: with z the normalised projections and j the other view of i,
 *     mean_i -log(e^(z_i.z_j / T) / (e^(z_i.z_j / T) + N_g)),  N_g the larger of
 *     (sum_{k != i, j} e^(z_i.z_k / T) - n tau e^(z_i.z_j / T)) / (1 - tau)  and  n e^(-1 / T).
 * Chuang et al., "Debiased contrastive learning", arXiv:2007.00224, with one positive a row. */
#include "method/method.h"

#include <math.h>

enum { TEMPERATURE, PRIOR };

static const struct ctr_option options[] = {
    [TEMPERATURE] = {"temperature", "T", 0.5, 0.01, 10.0, "softmax temperature of the loss"},
    [PRIOR] = {"tau-plus", "P", 0.1, 0, 0.9,
               "share of the negatives taken to be of the same class"},
    {0},
};

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    ctr_tensor *z = ctr_l2norm(g, ctr_method_project(io, io->views)), *top = NULL;
    float scale = (float)(1 / io->option[TEMPERATURE]);
    struct ctr_contrast contrast = {.kind = CTR_CONTRAST_DEBIASED,
                                    .scale = scale,
                                    .prior = (float)io->option[PRIOR],
                                    .n = (float)(2 * io->N - 2)};
    ctr_tensor *positive = ctr_row_dot(g, z, z, scale, io->N);
    ctr_tensor *negatives = ctr_lse(g, z, z, scale, io->N, &top);
    io->loss = ctr_contrast(g, positive, negatives, top, &contrast);
    io->top1 = ctr_contrast_nearest(io->loss);
    io->similarity = ctr_contrast_similarity(io->loss);
    return ctr_graph_status(g);
}

/* With all similarities equal N_g is n, whatever tau is. */
static double chance_loss(size_t N, const double *option)
{
    return log(2.0 * (double)N - 1.0);
}

extern const struct ctr_method ctr_method_debiased;
const struct ctr_method ctr_method_debiased = {
    .name = "debiased",
    .text = "NT-Xent that reckons with negatives of the same class",
    .paper = "arXiv:2007.00224",
    .views = 2,
    .options = options,
    .build = build,
    .chance_loss = chance_loss,
};
