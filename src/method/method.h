/* method.h -- a learning method: views in, loss out, on the graph.
 *
 * One method a file (NAME.c), ending in a const description, and one line in method.c. A method
 * knows views, an encoder and ops; it knows no files, devices or schedules. */
#ifndef CTR_METHOD_METHOD_H
#define CTR_METHOD_METHOD_H

#include "base/option.h"
#include "nn/nn.h"

/* What a method is given, and what it leaves. */
struct ctr_method_io {
    ctr_graph *g;
    ctr_tensor *views; /* [V*N,H,W,3]: all of view 0, then view 1, ... */
    size_t N;
    unsigned V;
    const struct ctr_encoder *encoder;
    struct ctr_encoder_params encoder_params;
    struct ctr_head_params head;
    const double *option; /* values in the order of the method's table */
    ctr_tensor *loss;     /* out: [1] */
    /* out, each [1] or NULL where the method has no such figure: how many of the V*N rows have their
     * positive nearest; the mean similarity of positives */
    ctr_tensor *top1, *similarity;
};

struct ctr_method {
    const char *name, *text, *paper;
    unsigned views;
    const struct ctr_option *options; /* ends with a row without a name */
    int (*build)(struct ctr_method_io *io);
    /* The loss of a network that has learnt nothing, for N pairs; NULL when there is no such figure. */
    double (*chance_loss)(size_t N, const double *option);
};
/* Ends with NULL. */
extern const struct ctr_method *const ctr_methods[];
const struct ctr_method *ctr_method_find(const char *name);

#endif
