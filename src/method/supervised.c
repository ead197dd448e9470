/* supervised.c -- learning with labels: a linear classifier of the features, trained along with them.
 * In: views[N,H,W,C], one of each image, label[N]. Out: the cross-entropy of y = W h + b, y[N,classes],
 *     mean_i -sum_k t_ik log softmax(y_i)_k,   t_ik = (1 - s) [k = label_i] + s / classes,
 * with s of the labels smoothed (Szegedy et al., arXiv:1512.00567, section 7). The classifier is named as
 * torchvision's networks name theirs; there is no projection head. It is the yardstick of what is learnt
 * without labels, and, from the weights of such a run, fine-tuning. */
#include "method/method.h"

#include <math.h>

enum { SMOOTHING };

static const struct ctr_option options[] = {
    [SMOOTHING] = {"label-smoothing", "X", 0, 0, 1,
                   "share of each label that is spread evenly over all classes"},
    {0},
};

static int needs_labels(const double *option)
{
    return 1;
}

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    if (io->classes < 2)
        ctr_graph_fail(g, CTR_E_DATA,
                       "the images are of one class only: there is nothing to tell apart");
    io->head.layers = 0;
    ctr_tensor *h = ctr_method_project(io, 0, io->V);
    io->z = NULL; /* features, of which there are no figures */
    ctr_tensor *y = ctr_dense_layer(g, "fc", h, io->classes, 1, 0);
    io->loss = ctr_softmax_xent(g, y, io->label, (float)io->option[SMOOTHING]);
    io->top1 = ctr_softmax_xent_accuracy(io->loss);
    return ctr_graph_status(g);
}

static double chance_loss(const struct ctr_method_io *io)
{
    return log(io->classes);
}

extern const struct ctr_method ctr_method_supervised;
const struct ctr_method ctr_method_supervised = {
    .name = "supervised",
    .text = "one augmented view and labels: a classifier, as a yardstick or for fine-tuning",
    .paper = "arXiv:1512.00567",
    .views = 1,
    .needs_labels = needs_labels,
    .options = options,
    .build = build,
    .chance_loss = chance_loss,
};
