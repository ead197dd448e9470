/* triplet.c -- triplet loss: a row's positive is to be nearer than its negatives by a margin.
 * In: views[V*N,H,W,C], with --by-class label[N]. Out: with d_ij the distances of the normalised
 * projections, the mean over triplets of
 *     max(margin + d_ip - d_in, 0).
 * Semi-hard: of all i and p that belong together, with n the nearest other beyond p, or the farthest
 * where none is (Schroff, Kalenichenko, Philbin, "FaceNet", arXiv:1503.03832, who take squares).
 * Hard: of each i the farthest p and the nearest n (Hermans, Beyer, Leibe, "In defense of the triplet
 * loss", arXiv:1703.07737). Together are the views of an image, or with labels the rows of a class. */
#include "method/method.h"

enum { MARGIN, HARD, BY_CLASS };

static const struct ctr_option options[] = {
    [MARGIN] = {"margin", "M", 0.2, 0.001, 2, "by which a negative is to be farther"},
    [HARD] = {"hard", "0|1", 0, 0, 1, "the hardest triplet of each row, not all semi-hard ones"},
    [BY_CLASS] = {"by-class", "0|1", 0, 0, 1, "positives by the images' classes, not by image"},
    {0},
};

static int needs_labels(const double *option)
{
    return option[BY_CLASS] != 0;
}

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    ctr_tensor *z = ctr_l2norm(g, ctr_method_project(io, 0, io->V));
    enum ctr_pairs_kind kind = io->option[HARD] != 0 ? CTR_PAIRS_HARD : CTR_PAIRS_SEMIHARD;
    io->loss = ctr_pairs(g, z, io->label, io->N, (float)io->option[MARGIN], kind);
    io->right = ctr_pairs_right(io->loss);
    return ctr_graph_status(g);
}

extern const struct ctr_method ctr_method_triplet;
const struct ctr_method ctr_method_triplet = {
    .name = "triplet",
    .text = "positives nearer than hard or semi-hard negatives by a margin",
    .paper = "arXiv:1503.03832",
    .views = 2,
    .or_more = 1,
    .or_one = 1,
    .needs_labels = needs_labels,
    .options = options,
    .build = build,
};
