/* dcl.c -- decoupled contrastive learning: NT-Xent whose denominator leaves out the positive, so
 * that it pulls equally hard however many negatives there are; and its weighted form.
 * In: views[V*N,H,W,C]. Out: with z the normalised projections, j the other view of i (with
 * dcl the mean over several) and k the views of other images,
 *     mean_i [log sum_k e^(z_i.z_k / T) - w_i z_i.z_j / T],
 * w_i = 1 (dcl), or 2 - e^(z_i.z_j / sigma) / mean_m e^(z_m.z_m' / sigma), held constant (dclw).
 * Yeh et al., "Decoupled contrastive learning", arXiv:2110.06848, section 3. */
#include "method/method.h"

#include <math.h>

enum { TEMPERATURE, SIGMA };

#define TEMPERATURE_ROW                                                                            \
    [TEMPERATURE] = {"temperature", "T", 0.1, 0.01, 10.0, "softmax temperature of the loss"}

static const struct ctr_option options[] = {TEMPERATURE_ROW, {0}};
static const struct ctr_option weighted_options[] = {
    TEMPERATURE_ROW,
    [SIGMA] = {"sigma", "S", 0.5, 0.01, 100, "temperature of the weights of positives"},
    {0},
};

static int record(struct ctr_method_io *io, struct ctr_contrast contrast)
{
    ctr_tensor *z = ctr_l2norm(io->g, ctr_method_project(io, 0, io->V));
    contrast.scale = (float)(1 / io->option[TEMPERATURE]);
    ctr_method_contrast_images(io, z, &contrast);
    return ctr_graph_status(io->g);
}

static int build(struct ctr_method_io *io)
{
    return record(io, (struct ctr_contrast){.kind = CTR_CONTRAST_DECOUPLED});
}

static int build_weighted(struct ctr_method_io *io)
{
    return record(io, (struct ctr_contrast){.kind = CTR_CONTRAST_WEIGHTED,
                                            .sigma = (float)io->option[SIGMA]});
}

static double chance_loss(const struct ctr_method_io *io)
{
    return log((double)(io->V * (io->N - 1)));
}

extern const struct ctr_method ctr_method_dcl, ctr_method_dclw;
const struct ctr_method ctr_method_dcl = {
    .name = "dcl",
    .text = "decoupled: NT-Xent without the positive in its denominator",
    .paper = "arXiv:2110.06848",
    .views = 2,
    .or_more = 1,
    .options = options,
    .build = build,
    .chance_loss = chance_loss,
};
const struct ctr_method ctr_method_dclw = {
    .name = "dclw",
    .text = "dcl with more weight on positives that are far apart",
    .paper = "arXiv:2110.06848",
    .views = 2,
    .options = weighted_options,
    .build = build_weighted,
    .chance_loss = chance_loss,
};
