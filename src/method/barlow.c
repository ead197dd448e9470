/* barlow.c -- Barlow Twins: the same feature of both views is to correlate fully, different ones not at
 * all. No negatives.
 * In: views[2N,H,W,C]. Out: with c the correlation matrix of the projections of view 0 and view 1 over
 * the batch, each brought to mean 0 and variance 1,
 *     sum_d (1 - c_dd)^2 + lambda sum_{d != e} c_de^2.
 * Zbontar, Jing, Misra, LeCun, Deny, "Barlow Twins", arXiv:2103.03230, equation 1. */
#include "method/method.h"

enum { LAMBDA };

static const struct ctr_option options[] = {
    [LAMBDA] = {"lambda", "X", 0.0051, 0, 10, "weight of the correlations between features"},
    {0},
};

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    ctr_tensor *z = ctr_method_project(io, 0, io->V), *view[2];
    for (unsigned v = 0; v < 2; v++)
        view[v] = ctr_plain_norm_layer(g, "correlation_norm", ctr_take_rows(g, z, v * io->N, io->N),
                                       io->head.training);
    ctr_tensor *c = ctr_gram(g, view[0], view[1], 1 / (float)io->N);
    io->loss = ctr_decorrelate(g, c, CTR_DECORRELATE_UNIT, 1, (float)io->option[LAMBDA]);
    io->similarity = ctr_method_similarity(io, z);
    return ctr_graph_status(g);
}

extern const struct ctr_method ctr_method_barlow;
const struct ctr_method ctr_method_barlow = {
    .name = "barlow",
    .text = "Barlow Twins: features of both views correlate, different ones do not",
    .paper = "arXiv:2103.03230",
    .views = 2,
    .options = options,
    .build = build,
};
