/* byol.c -- Bootstrap your own latent: predict of each view what a slowly following copy of the
 * network makes of the other view. No negatives.
 * In: views[V*N,H,W,C]. Out: with p = predictor(projection) and z' the projections by the shadow,
 * rows normalised,
 *     mean_i (2 - 2 p_i.z'_j),  j the other views of i;
 * then the shadow moves, slower and slower: its momentum rises to 1 along half a cosine.
 * Grill et al., arXiv:2006.07733, equation 2; their sum of both directions is twice this mean. */
#include "method/method.h"
#include "optim/optim.h"

enum { MOMENTUM, HIDDEN };

static const struct ctr_option options[] = {
    [MOMENTUM] = {"ema", "M", 0.99, 0, 1,
                  "share of itself that the following network keeps a step, at the start"},
    [HIDDEN] = {"predictor-hidden", "N", 512, 1, 65536, "width of the predictor's hidden layer"},
    {0},
};

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    ctr_tensor *z = ctr_method_project(io, 0, io->V);
    ctr_tensor *p = ctr_method_predict(io, z, io->option[HIDDEN]);
    ctr_tensor *target = ctr_l2norm(g, ctr_method_project_shadow(io, 0, io->V));
    io->loss = ctr_method_agreement(io, p, target, -2, 2);
    io->similarity = ctr_mean(g, io->loss, -0.5f, 1);
    return ctr_graph_status(g);
}

static int after_update(struct ctr_method_io *io)
{
    return ctr_ema(io->g, io->step, io->option[MOMENTUM], io->steps);
}

extern const struct ctr_method ctr_method_byol;
const struct ctr_method ctr_method_byol = {
    .name = "byol",
    .text = "each view predicts the other as a slowly following network sees it",
    .paper = "arXiv:2006.07733",
    .views = 2,
    .or_more = 1,
    .options = options,
    .build = build,
    .after_update = after_update,
};
