/* form.h -- what a node computes in inference, in words of the field: for programs that know no
 * kernels of ours (src/export). An op with such a form has `.form` in its description; its inputs
 * are those of the node, in the order given here, NULL where one is absent. */
#ifndef CTR_OP_FORM_H
#define CTR_OP_FORM_H

#include "graph/graph.h"

enum ctr_form_kind {
    CTR_FORM_CONV,  /* x, w[K,C/groups,R,S], b or NULL: size is not set, w has it */
    CTR_FORM_DENSE, /* x, w[O,I], b or NULL; x flattened as it lies */
    CTR_FORM_NORM, /* x, gamma, beta, mean, var, residual or NULL: batch-norm by given statistics */
    CTR_FORM_ADD,  /* a, b */
    CTR_FORM_RELU, /* x */
    CTR_FORM_MAX_POOL, /* x: windows, -inf outside */
    CTR_FORM_AVG_POOL, /* x: windows, 0 outside, divided by the window's size */
    CTR_FORM_MEAN,     /* x[N,H,W,C]: of each channel over the map */
    CTR_FORM_UNIT      /* x[N,D]: x / sqrt(sum x^2 + eps) */
};

struct ctr_form {
    enum ctr_form_kind kind;
    size_t size, stride, pad; /* of windows: square */
    size_t groups;            /* CONV */
    float eps;                /* NORM, UNIT */
    int relu;                 /* max(., 0) of the result */
    int pool;                 /* CONV: then 2x2 max pooling, stride 2 */
};

#endif
