/* simsiam.c -- SimSiam: predict of each view the other's projection, which gets no gradient. No
 * negatives, no following network.
 * In: views[V*N,H,W,C]. Out: with z the projections (batch-norm behind the last layer) and p =
 * predictor(z), rows normalised,
 *     mean_i -p_i.stop(z_j),  j the other views of i.
 * Chen and He, arXiv:2011.10566, algorithm 1. */
#include "method/method.h"

enum { HIDDEN };

static const struct ctr_option options[] = {
    [HIDDEN] = {"predictor-hidden", "N", 64, 1, 65536,
                "width of the predictor's hidden layer, less than --head-out"},
    {0},
};

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    io->head.bn_last = io->head.bn;
    ctr_tensor *z = ctr_method_project(io, 0, io->V);
    ctr_tensor *p = ctr_method_predict(io, z, io->option[HIDDEN]);
    ctr_tensor *target = ctr_l2norm(g, ctr_detach(g, z));
    io->loss = ctr_method_agreement(io, p, target, -1, 0);
    io->similarity = ctr_method_similarity(io, z);
    return ctr_graph_status(g);
}

extern const struct ctr_method ctr_method_simsiam;
const struct ctr_method ctr_method_simsiam = {
    .name = "simsiam",
    .text = "each view predicts the other's projection, which is held still",
    .paper = "arXiv:2011.10566",
    .views = 2,
    .or_more = 1,
    .options = options,
    .build = build,
};
