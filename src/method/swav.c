/* swav.c -- swapped assignments between views: of each view predict to which prototypes the other one is
 * assigned, when all prototypes are to be used equally.
 * In: views[V*N,H,W,C]. Out: with s = z^.c^ the products of projections and prototypes, both of length
 * one, and q the assignments by Sinkhorn's algorithm on e^(s / eps), view by view, held constant,
 *     mean_i -sum_k q_jk log(e^(s_ik / T) / sum_l e^(s_il / T)),  j the other views of i.
 * Local views predict the others' assignments and have none themselves (section 3.3).
 * Caron et al., "Unsupervised learning of visual features by contrasting cluster assignments",
 * arXiv:2006.09882, equation 2. Prototypes are divided by their length in the graph, so that their
 * gradient has no part along them; the reference code resets the length after each step. */
#include "method/method.h"

#include <math.h>

enum { TEMPERATURE, PROTOTYPES, EPS, ROUNDS };

static const struct ctr_option options[] = {
    [TEMPERATURE] = {"temperature", "T", 0.1, 0.01, 10.0, "softmax temperature of the loss"},
    [PROTOTYPES] = {"prototypes", "K", 512, 2, 1e6, "directions that projections are assigned to"},
    [EPS] = {"sinkhorn-eps", "E", 0.05, 0.0125, 10, "temperature of the assignments"},
    [ROUNDS] = {"sinkhorn-rounds", "N", 3, 1, 100, "rounds in which they are made equal"},
    {0},
};

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    float scale = (float)(1 / io->option[TEMPERATURE]);
    ctr_tensor *z = ctr_l2norm(g, ctr_method_project(io, 0, io->V));
    size_t dim[2] = {(size_t)io->option[PROTOTYPES], z ? z->dim[1] : 1};
    struct ctr_init init = {CTR_INIT_UNIFORM, (float)(1 / sqrt((double)dim[1]))};
    ctr_tensor *c = ctr_l2norm(g, ctr_graph_param(g, "prototypes.weight", 2, dim, init, 0));
    ctr_tensor *s = ctr_similarity(g, z, c, 1);
    ctr_tensor *q = ctr_sinkhorn(g, s, io->N, (float)io->option[EPS], (unsigned)io->option[ROUNDS]);
    ctr_tensor *all = ctr_lse(g, z, c, scale, 0, NULL);
    struct ctr_contrast contrast = {.kind = CTR_CONTRAST_DECOUPLED, .scale = scale};
    ctr_method_contrast(io, s, q, all, NULL, &contrast); /* rows of q sum to one */
    if (io->L) {
        ctr_tensor *local = ctr_l2norm(g, ctr_method_project_local(io));
        all = ctr_lse(g, local, c, scale, 0, NULL);
        ctr_method_contrast_local(io, ctr_similarity(g, local, c, 1), q, all, &contrast);
    }
    io->similarity = ctr_method_similarity(io, z);
    return ctr_graph_status(g);
}

static double chance_loss(const struct ctr_method_io *io)
{
    return log(io->option[PROTOTYPES]);
}

extern const struct ctr_method ctr_method_swav;
const struct ctr_method ctr_method_swav = {
    .name = "swav",
    .text = "each view predicts the other's assignment to equally used prototypes",
    .paper = "arXiv:2006.09882",
    .views = 2,
    .or_more = 1,
    .local = 1,
    .options = options,
    .build = build,
    .chance_loss = chance_loss,
};
