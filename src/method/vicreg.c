/* vicreg.c -- variance, invariance, covariance: views are to agree while features keep their spread and
 * tell different things. No negatives, no normalisation.
 * In: views[2N,H,W,C]. Out: with a, b the projections [N,D] of the views and C their covariances,
 *     sim mean (a - b)^2 + std mean_d over both of max(1 - sqrt(C_dd + 1e-4), 0)
 *     + cov / D sum over both of sum_{d != e} C_de^2.
 * Bardes, Ponce, LeCun, "VICReg", arXiv:2105.04906, equations 1 to 6, with the means of its code. */
#include "method/method.h"

enum { SIM, STD, COV };

static const struct ctr_option options[] = {
    [SIM] = {"sim-weight", "X", 25, 0, 1e4, "weight of the distance between views"},
    [STD] = {"std-weight", "X", 25, 0, 1e4, "weight of what a feature's deviation lacks of 1"},
    [COV] = {"cov-weight", "X", 1, 0, 1e4, "weight of covariances between features"},
    {0},
};

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    const double *w = io->option;
    ctr_tensor *z = ctr_method_project(io, 0, io->V);
    double D = z ? (double)z->dim[1] : 1;
    ctr_tensor *half = ctr_center(g, z, 2, io->N); /* (a - b) / 2 and its negative */
    ctr_tensor *square = ctr_row_dot(g, half, half, 1, 0);
    ctr_tensor *centered = ctr_center(g, z, io->N, 1);
    io->loss = ctr_mean(g, square, (float)(4 * w[SIM] / D), 0);
    for (unsigned v = 0; v < 2; v++) {
        ctr_tensor *x = ctr_take_rows(g, centered, v * io->N, io->N);
        ctr_tensor *c = ctr_gram(g, x, x, 1 / (float)(io->N - 1));
        ctr_tensor *spread = ctr_decorrelate(g, c, CTR_DECORRELATE_SPREAD,
                                             (float)(w[STD] / (2 * D)), (float)(w[COV] / D));
        io->loss = ctr_add(g, io->loss, spread, 0);
    }
    io->similarity = ctr_method_similarity(io, z);
    return ctr_graph_status(g);
}

extern const struct ctr_method ctr_method_vicreg;
const struct ctr_method ctr_method_vicreg = {
    .name = "vicreg",
    .text = "views agree, features keep their variance and do not covary",
    .paper = "arXiv:2105.04906",
    .views = 2,
    .options = options,
    .build = build,
};
