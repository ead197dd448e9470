/* nnclr.c -- nearest-neighbour contrastive learning: a view's positive is not the other view but what
 * lies nearest to that in a queue of earlier projections, likely another image of its kind.
 * In: views[2N,H,W,C]. Out: with z the normalised projections, n_i the row of the queue that is nearest
 * to z_i, p = predictor(z) normalised, for both ways between the views
 *     mean_i -log(e^(n_i.p_j / T) / sum_k e^(n_i.p_k / T)),  j i's other view, k all rows of j's view;
 * then the z of view 0 go into the queue.
 * Dwibedi, Aytar, Tompson, Sermanet, Zisserman, "With a little help from my friends", arXiv:2104.14548. */
#include "method/method.h"
#include "method/queue.h"

#include <math.h>

enum { TEMPERATURE, QUEUE, HIDDEN };
enum { KEYS, RING };

static const struct ctr_option options[] = {
    [TEMPERATURE] = {"temperature", "T", 0.1, 0.01, 10.0, "softmax temperature of the loss"},
    [QUEUE] = {"queue", "K", 4096, 2, 1e6, "earlier projections in which to look for neighbours"},
    [HIDDEN] = {"predictor-hidden", "N", 512, 1, 65536, "width of the predictor's hidden layer"},
    {0},
};

/* Neighbours of one view's projections against the predictions of the other. */
static ctr_tensor *one_way(struct ctr_method_io *io, ctr_tensor *near, ctr_tensor *p,
                           ctr_tensor **top1)
{
    ctr_graph *g = io->g;
    float scale = (float)(1 / io->option[TEMPERATURE]);
    ctr_tensor *top = NULL, *positive = ctr_row_dot(g, near, p, scale, 0);
    ctr_tensor *negatives = ctr_lse(g, near, p, scale, io->N, &top);
    ctr_tensor *loss =
        ctr_contrast(g, positive, negatives, top,
                     &(struct ctr_contrast){.kind = CTR_CONTRAST_NTXENT, .scale = scale});
    *top1 = ctr_contrast_nearest(loss);
    return loss;
}

static int build(struct ctr_method_io *io)
{
    ctr_graph *g = io->g;
    ctr_tensor *raw = ctr_method_project(io, 0, io->V), *top1[2], *loss[2];
    ctr_tensor *p = ctr_method_predict(io, raw, io->option[HIDDEN]);
    ctr_tensor *z = ctr_l2norm(g, ctr_detach(g, raw));
    ctr_tensor *queue = ctr_queue(g, "queue", (size_t)io->option[QUEUE], raw ? raw->dim[1] : 1);
    ctr_tensor *near = ctr_take_nearest(g, ctr_similarity(g, z, queue, 1), queue);
    for (unsigned v = 0; v < 2; v++)
        loss[v] = one_way(io, ctr_take_rows(g, near, v * io->N, io->N),
                          ctr_take_rows(g, p, (1 - v) * io->N, io->N), &top1[v]);
    io->loss = ctr_add(g, ctr_mean(g, loss[0], 0.5f, 0), ctr_mean(g, loss[1], 0.5f, 0), 0);
    io->top1 = top1[0];
    io->similarity = ctr_method_similarity(io, z);
    io->left[KEYS] = ctr_take_rows(g, z, 0, io->N);
    io->left[RING] = queue;
    return ctr_graph_status(g);
}

static int after_update(struct ctr_method_io *io)
{
    return ctr_queue_put(io->g, io->left[RING], io->left[KEYS], io->step);
}

static double chance_loss(const struct ctr_method_io *io)
{
    return log((double)io->N);
}

extern const struct ctr_method ctr_method_nnclr;
const struct ctr_method ctr_method_nnclr = {
    .name = "nnclr",
    .text = "positives are nearest neighbours in a queue of earlier projections",
    .paper = "arXiv:2104.14548",
    .views = 2,
    .options = options,
    .build = build,
    .after_update = after_update,
    .chance_loss = chance_loss,
};
