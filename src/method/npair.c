/* npair.c -- multi-class N-pair loss: of N pairs each first view must find its second among all
 * second views. NT-Xent is this on rows of length one, with a temperature, and all 2N views as keys.
 * In: views[2N,H,W,C]. Out: with f the projections of view 0 and g those of view 1, not normalised,
 *     mean_i log(1 + sum_{k != i} e^(f_i.g_k - f_i.g_i)) + l2 / 4 mean_i (|f_i|^2 + |g_i|^2);
 * what keeps the rows from growing is the second term.
 * Sohn, "Improved deep metric learning with multi-class N-pair loss objective", NIPS 2016, section
 * 3.2; the weight of the second term is that of TensorFlow's npairs_loss. */
#include "method/method.h"

#include <math.h>

enum { L2 };

static const struct ctr_option options[] = {
    [L2] = {"l2", "X", 0.002, 0, 10, "pull of the projections towards zero"},
    {0},
};

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    ctr_tensor *z = ctr_method_project(io, 0, io->V), *top = NULL;
    ctr_tensor *f = ctr_take_rows(g, z, 0, io->N), *second = ctr_take_rows(g, z, io->N, io->N);
    ctr_tensor *positive = ctr_row_dot(g, f, second, 1, 0);
    ctr_tensor *negatives = ctr_lse(g, f, second, 1, io->N, &top);
    ctr_tensor *loss =
        ctr_contrast(g, positive, negatives, top,
                     &(struct ctr_contrast){.kind = CTR_CONTRAST_NTXENT, .scale = 1});
    ctr_tensor *square = ctr_row_dot(g, z, z, 1, 0);
    io->loss = ctr_add(g, loss, ctr_mean(g, square, (float)io->option[L2] / 2, 0), 0);
    io->top1 = ctr_contrast_nearest(loss);
    io->similarity = ctr_method_similarity(io, z);
    return ctr_graph_status(g);
}

static double chance_loss(const struct ctr_method_io *io)
{
    return log((double)io->N);
}

extern const struct ctr_method ctr_method_npair;
const struct ctr_method ctr_method_npair = {
    .name = "npair",
    .text = "multi-class N-pair loss: NT-Xent's ancestor, one view against the other",
    .paper = "Sohn, NIPS 2016",
    .views = 2,
    .options = options,
    .build = build,
    .chance_loss = chance_loss,
};
