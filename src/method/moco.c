/* moco.c -- momentum contrast, version 2: a view must find the other one, encoded by a slowly
 * following copy of the network, among a queue of earlier ones.
 * In: views[2N,H,W,C]. Out: with q the normalised projections of view 0, k those of view 1 by the
 * shadow and Q the queue,
 *     mean_i -log(e^(q_i.k_i / T) / (e^(q_i.k_i / T) + sum_{j in Q} e^(q_i.Q_j / T)));
 * then k takes the place of the oldest in Q and the shadow moves. Symmetric: both views as queries.
 * He et al., arXiv:1911.05722, algorithm 1; Chen et al., arXiv:2003.04297. The batch is not
 * shuffled among devices: there is one. */
#include "method/method.h"
#include "method/queue.h"
#include "optim/optim.h"

#include <math.h>

enum { TEMPERATURE, MOMENTUM, QUEUE, SYMMETRIC };
enum { KEYS, RING };

static const struct ctr_option options[] = {
    [TEMPERATURE] = {"temperature", "T", 0.2, 0.01, 10.0, "softmax temperature of the loss"},
    [MOMENTUM] = {"ema", "M", 0.99, 0, 1,
                  "share of itself that the following network keeps a step"},
    [QUEUE] = {"queue", "K", 4096, 2, 1e6, "earlier projections kept as negatives"},
    [SYMMETRIC] = {"symmetric", "0|1", 0, 0, 1,
                   "each view looks for the other, not only one of them"},
    {0},
};

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    int both = io->option[SYMMETRIC] != 0;
    unsigned views = both ? 2 : 1;
    ctr_tensor *top = NULL;
    ctr_tensor *q = ctr_l2norm(g, ctr_method_project(io, 0, views));
    ctr_tensor *k = ctr_l2norm(g, ctr_method_project_shadow(io, 2 - views, views));
    ctr_tensor *queue = ctr_queue(g, "queue", (size_t)io->option[QUEUE], k ? k->dim[1] : 1);
    float scale = (float)(1 / io->option[TEMPERATURE]);
    ctr_tensor *positive = ctr_row_dot(g, q, k, scale, both ? io->N : 0);
    ctr_tensor *negatives = ctr_lse(g, q, queue, scale, 0, &top);
    io->loss = ctr_contrast(g, positive, negatives, top,
                            &(struct ctr_contrast){.kind = CTR_CONTRAST_NTXENT, .scale = scale});
    io->top1 = ctr_contrast_nearest(io->loss);
    io->similarity = ctr_contrast_similarity(io->loss);
    io->left[KEYS] = k;
    io->left[RING] = queue;
    return ctr_graph_status(g);
}

static int after_update(struct ctr_method_io *io)
{
    int rc = ctr_queue_put(io->g, io->left[RING], io->left[KEYS], io->step);
    return rc != 0 ? rc : ctr_ema(io->g, io->step, io->option[MOMENTUM], 0);
}

static double chance_loss(const struct ctr_method_io *io)
{
    return log(io->option[QUEUE] + 1.0);
}

extern const struct ctr_method ctr_method_moco;
const struct ctr_method ctr_method_moco = {
    .name = "moco",
    .text = "MoCo v2: two views, one by a slowly following network, against a queue",
    .paper = "arXiv:2003.04297",
    .views = 2,
    .options = options,
    .build = build,
    .after_update = after_update,
    .chance_loss = chance_loss,
};
