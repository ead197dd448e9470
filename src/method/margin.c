/* margin.c -- pairwise (Siamese) contrastive loss with a margin: rows that belong together are drawn
 * together, others are pushed apart up to the margin.
 * In: views[V*N,H,W,C], with --by-class label[N]. Out: with d_ij the distances of the projections, not
 * normalised,
 *     1/2 mean_same d_ij^2 + 1/2 mean_other max(margin - d_ij, 0)^2
 * over all pairs of rows of the batch: what as many same as other pairs, drawn at random, give in the
 * mean. Same are the views of an image, or with labels all rows of a class.
 * Hadsell, Chopra, LeCun, "Dimensionality reduction by learning an invariant mapping", CVPR 2006. */
#include "method/method.h"

enum { MARGIN, BY_CLASS };

static const struct ctr_option options[] = {
    [MARGIN] = {"margin", "M", 1, 0.001, 1000, "distance up to which others are pushed"},
    [BY_CLASS] = {"by-class", "0|1", 0, 0, 1, "pairs by the images' classes, not by image"},
    {0},
};

static int needs_labels(const double *option)
{
    return option[BY_CLASS] != 0;
}

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    ctr_tensor *z = ctr_method_project(io, 0, io->V);
    io->loss = ctr_pairs(g, z, io->label, io->N, (float)io->option[MARGIN], CTR_PAIRS_MARGIN);
    io->right = ctr_pairs_right(io->loss);
    return ctr_graph_status(g);
}

extern const struct ctr_method ctr_method_margin;
const struct ctr_method ctr_method_margin = {
    .name = "margin",
    .text = "pairwise contrastive loss: same pairs together, others a margin apart",
    .paper = "Hadsell et al., CVPR 2006",
    .views = 2,
    .or_more = 1,
    .or_one = 1,
    .needs_labels = needs_labels,
    .options = options,
    .build = build,
};
