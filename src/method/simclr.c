/* simclr.c -- SimCLR: two or more augmented views of each image; they must find each other among all.
 * In: views[V*N,H,W,C]. Out: the NT-Xent loss of the normalised projections z[V*N,D]:
 *     mean_i mean_p -log(e^(z_i.z_p / T) / sum_{k != i} e^(z_i.z_k / T)),  p the other views of i.
 * Local views find the others, p all of their image, but are not found.
 * Chen, Kornblith, Norouzi, Hinton, "A simple framework for contrastive learning of visual
 * representations", arXiv:2002.05709; the mean over several p is that of Khosla et al., "Supervised
 * contrastive learning", arXiv:2004.11362, equation 2, with the image as class. The head is dropped
 * after training; h is what is used. */
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
    ctr_tensor *z = ctr_l2norm(g, ctr_method_project(io, 0, io->V)), *top = NULL;
    float scale = (float)(1 / io->option[TEMPERATURE]);
    ctr_tensor *negatives = ctr_lse(g, z, z, scale, io->N, &top);
    if (io->V == 2) {
        ctr_method_contrast(io, z, z, negatives, top,
                            &(struct ctr_contrast){.kind = CTR_CONTRAST_NTXENT, .scale = scale});
    } else { /* other positives are in the denominator, too: all that are not i */
        ctr_tensor *all = ctr_lse(g, z, z, scale, io->V * io->N, NULL);
        ctr_method_contrast(io, z, z, all, top,
                            &(struct ctr_contrast){.kind = CTR_CONTRAST_DECOUPLED, .scale = scale});
    }
    if (io->L) {
        ctr_tensor *local = ctr_l2norm(g, ctr_method_project_local(io));
        ctr_tensor *all = ctr_lse(g, local, z, scale, 0, NULL);
        ctr_method_contrast_local(
            io, local, z, all,
            &(struct ctr_contrast){.kind = CTR_CONTRAST_DECOUPLED, .scale = scale});
    }
    return ctr_graph_status(g);
}

static double chance_loss(const struct ctr_method_io *io)
{
    return log((double)(io->V * io->N - 1));
}

extern const struct ctr_method ctr_method_simclr;
const struct ctr_method ctr_method_simclr = {
    .name = "simclr",
    .text = "augmented views of an image find each other in the batch: NT-Xent",
    .paper = "arXiv:2002.05709",
    .views = 2,
    .or_more = 1,
    .local = 1,
    .options = options,
    .build = build,
    .chance_loss = chance_loss,
};
