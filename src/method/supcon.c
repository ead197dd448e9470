/* supcon.c -- supervised contrastive learning: all views of a class must find each other among all.
 * In: views[V*N,H,W,C], label[N]. Out: L_out of the normalised projections z[V*N,D]:
 *     mean_i [log sum_{k != i} e^(z_i.z_k / T) - mean_{p in P(i)} z_i.z_p / T],
 * P(i) the other rows of i's class. The second mean is a product with the mean of those rows.
 * Khosla et al., "Supervised contrastive learning", arXiv:2004.11362, equation 2. The reference
 * code's factor T / 0.07 in front is left out: it belongs to the learning rate. */
#include "method/method.h"

#include <math.h>

enum { TEMPERATURE };

static const struct ctr_option options[] = {
    [TEMPERATURE] = {"temperature", "T", 0.1, 0.01, 10.0, "softmax temperature of the loss"},
    {0},
};

static int needs_labels(const double *option)
{
    return 1;
}

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    ctr_tensor *z = ctr_l2norm(g, ctr_method_project(io, 0, io->V));
    float scale = (float)(1 / io->option[TEMPERATURE]);
    ctr_tensor *positive = ctr_row_dot(g, z, ctr_label_mean(g, z, io->label), scale, 0);
    ctr_tensor *all = ctr_lse(g, z, z, scale, io->V * io->N, NULL);
    io->loss = ctr_contrast(g, positive, all, NULL,
                            &(struct ctr_contrast){.kind = CTR_CONTRAST_DECOUPLED, .scale = scale});
    io->similarity = ctr_contrast_similarity(io->loss);
    return ctr_graph_status(g);
}

static double chance_loss(const struct ctr_method_io *io)
{
    return log((double)(io->V * io->N - 1));
}

extern const struct ctr_method ctr_method_supcon;
const struct ctr_method ctr_method_supcon = {
    .name = "supcon",
    .text = "augmented views and labels: all views of a class are positives",
    .paper = "arXiv:2004.11362",
    .views = 2,
    .or_more = 1,
    .needs_labels = needs_labels,
    .options = options,
    .build = build,
    .chance_loss = chance_loss,
};
