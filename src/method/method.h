/* method.h -- a learning method: views in, loss out, on the graph.
 *
 * One method a file (NAME.c), ending in a const description, and one line in method.c. A method
 * knows views, an encoder and ops; it knows no files, devices or schedules. What a method keeps
 * from step to step is in the store (a shadow of the network, ctr_graph_shadow; a queue, queue.h),
 * hence in checkpoints. */
#ifndef CTR_METHOD_METHOD_H
#define CTR_METHOD_METHOD_H

#include "base/option.h"
#include "nn/nn.h"

/* Micro-batches: the gradient of a batch whose images the network sees a few at a time, in two passes
 * (Gao, Zhang, Han, Callan, "Scaling deep contrastive learning batch size under memory limited setup",
 * arXiv:2101.06983). First it projects the images of each turn, of which only z stays; then comes the
 * loss, of all z; then the images of each turn are projected once more, from whose z the gradients go
 * back that the loss has given. Methods do not notice. */
struct ctr_micro {
    size_t images; /* of a turn, a divisor of N; 0: no micro-batches, all views at once */
    /* Records the views of a turn's images, [V*images,H,W,C], the same each time. */
    ctr_tensor *(*views)(void *user, ctr_graph *g, ctr_tensor *turn);
    /* The same of the local views, [L*images,h,w,C]. */
    ctr_tensor *(*local)(void *user, ctr_graph *g, ctr_tensor *turn);
    void *user;
    ctr_tensor *z; /* ctr_method_project's: which rows wait for their gradients, of which views */
    unsigned first, n;
    ctr_tensor *z_local; /* ctr_method_project_local's; NULL: none */
};

/* What a method is given, and what it leaves. */
struct ctr_method_io {
    ctr_graph *g;
    ctr_tensor *views; /* [V*N,H,W,C]: all of view 0, then view 1, ...; NULL with micro-batches */
    ctr_tensor *local; /* [L*N,h,w,C], further views of parts of the images, smaller; NULL: L = 0,
                        * or micro-batches */
    struct ctr_micro micro;
    size_t N;
    unsigned V, L;
    ctr_tensor *label; /* i32[N], the images' classes; NULL unless the method needs labels */
    unsigned classes;  /* how many there are; 0 without labels */
    ctr_tensor *step;  /* u32[4] of data/batch.h: [3] is the number of this step, from 1 */
    uint64_t steps;    /* of the whole run */
    const struct ctr_encoder *encoder;
    struct ctr_encoder_params encoder_params;
    int frozen; /* the encoder stays as it is, in inference mode, and no gradient goes into it */
    struct ctr_head_params head;
    const double *option; /* values in the order of the method's table */
    ctr_tensor *loss;     /* out: [1] */
    /* out, each [1] or NULL where the method has no such figure: the share of rows that have their
     * positive nearest; the mean similarity of positives */
    ctr_tensor *top1, *similarity;
    ctr_tensor *right;   /* out, the same: the share of pairs or triplets on the right side */
    ctr_tensor *z;       /* out: projections, of views 0, then of the others unless it sees none; for
                          * the health figures. ctr_method_project leaves them. */
    ctr_tensor *left[2]; /* from build to after_update, as the method likes */
};

struct ctr_method {
    const char *name, *text, *paper;
    unsigned views; /* of an image that it compares, */
    int or_more;    /* ... or any number from that on, */
    int or_one;     /* ... or one, when it compares images of a class (it needs labels) */
    int local;      /* it takes local views, too */
    int (*needs_labels)(const double *option); /* NULL: never */
    const struct ctr_option *options;          /* ends with a row without a name */
    int (*build)(struct ctr_method_io *io);
    /* Records what follows the optimiser's update: a shadow moves, a queue takes rows. May be NULL.
     */
    int (*after_update)(struct ctr_method_io *io);
    /* The loss of a network that has learnt nothing and guesses among e^loss; NULL when there is no such
     * figure. */
    double (*chance_loss)(const struct ctr_method_io *io);
};
/* Ends with NULL. */
extern const struct ctr_method *const ctr_methods[];
const struct ctr_method *ctr_method_find(const char *name);

/* z[n*N,D], the projections of views [first, first + n), as methods begin; once. */
ctr_tensor *ctr_method_project(struct ctr_method_io *io, unsigned first, unsigned n);
/* The same of the local views. */
ctr_tensor *ctr_method_project_local(struct ctr_method_io *io);
/* Views [first, first + n) by the shadow of encoder and head, without gradient. */
ctr_tensor *ctr_method_project_shadow(struct ctr_method_io *io, unsigned first, unsigned n);
/* After build: the gradients of the loss. `seed` as in ctr_graph_backward. */
int ctr_method_backward(struct ctr_method_io *io, ctr_tensor *seed);
/* p of z's shape, rows of length one: a head of two layers, `hidden` wide between them. */
ctr_tensor *ctr_method_predict(struct ctr_method_io *io, ctr_tensor *z, double hidden);
/* The figure: how alike the rows of the views of z[V*N,D] point, in the mean. */
ctr_tensor *ctr_method_similarity(struct ctr_method_io *io, ctr_tensor *z);
/* scale times the mean of a_i.b_j, plus offset, over the rows i of a[V*N,D] and the rows j of
 * b[V*N,D] that are the other views of i's image. */
ctr_tensor *ctr_method_agreement(struct ctr_method_io *io, ctr_tensor *a, ctr_tensor *b,
                                 float scale, float offset);
/* Leaves loss, top1 and similarity: the mean of ctr_contrast over the same pairs, whose positives are
 * scale * a_i.b_j; neg and top [V*N] as there, of the rows of a. top NULL: the loss alone. */
void ctr_method_contrast(struct ctr_method_io *io, ctr_tensor *a, ctr_tensor *b, ctr_tensor *neg,
                         ctr_tensor *top, const struct ctr_contrast *contrast);
/* Adds the mean over the local rows of a[L*N,D], neg [L*N], and all views of their image in b[V*N,D] to
 * the loss that is there, so that of the positives of all views each pair counts alike: (V - 1) and
 * L of V + L - 1 parts (arXiv:2006.09882, section 3.3). */
void ctr_method_contrast_local(struct ctr_method_io *io, ctr_tensor *a, ctr_tensor *b,
                               ctr_tensor *neg, const struct ctr_contrast *contrast);
/* ctr_method_contrast among rows of length one, z[V*N,D], with all views of other images as negatives. */
void ctr_method_contrast_images(struct ctr_method_io *io, ctr_tensor *z,
                                const struct ctr_contrast *contrast);

#endif
