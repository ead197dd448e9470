/* debiased.c -- NT-Xent that reckons with negatives of the same class: of the n = V (N - 1) views
 * of other images the share `tau-plus` is taken to be positive, and what they add is taken off the
 * denominator.
 * In: views[V*N,H,W,C]. Out: with z the normalised projections, j the other views of i and k those of
 * other images,
 *     mean_i -log(e^(z_i.z_j / T) / (e^(z_i.z_j / T) + N_g)),  N_g the larger of
 *     (sum_k e^(z_i.z_k / T) - n tau e^(z_i.z_j / T)) / (1 - tau)  and  n e^(-1 / T).
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
    ctr_tensor *z = ctr_l2norm(io->g, ctr_method_project(io, 0, io->V));
    ctr_method_contrast_images(io, z,
                               &(struct ctr_contrast){.kind = CTR_CONTRAST_DEBIASED,
                                                      .scale = (float)(1 / io->option[TEMPERATURE]),
                                                      .prior = (float)io->option[PRIOR],
                                                      .n = (float)(io->V * (io->N - 1))});
    return ctr_graph_status(io->g);
}

/* With all similarities equal N_g is n, whatever tau is. */
static double chance_loss(const struct ctr_method_io *io)
{
    return log((double)(io->V * (io->N - 1) + 1));
}

extern const struct ctr_method ctr_method_debiased;
const struct ctr_method ctr_method_debiased = {
    .name = "debiased",
    .text = "NT-Xent that reckons with negatives of the same class",
    .paper = "arXiv:2007.00224",
    .views = 2,
    .or_more = 1,
    .options = options,
    .build = build,
    .chance_loss = chance_loss,
};
