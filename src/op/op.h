/* op.h -- every op: its formula, shapes and what may be NULL. One op a file (src/op/NAME.c), its
 * kernels in cl/op/NAME.cl, its double-precision reference in tests/ref/NAME.c, its cases in
 * tests/op/NAME.c.
 *
 * Activations (x, y, residual and what is called so) are fp32, fp16 or bf16 where the op's variants
 * take that (graph.h: ctr_variant.half), and an output is stored as its first input is; all other
 * tensors are fp32 unless said, row-major; images are [N][H][W][C]. Each call records one node
 * (or a few) and returns its output, NULL after any failure (ctr_graph_status keeps the first).
 * Gradients are recorded by ctr_graph_backward. */
#ifndef CTR_OP_OP_H
#define CTR_OP_OP_H

#include "graph/graph.h"

/* y = x stored as `dtype`: fp32 as fp16 or bf16, or back; x itself when it is stored so already. */
ctr_tensor *ctr_cast(ctr_graph *g, ctr_tensor *x, enum ctr_dtype dtype);

/* y = max(x, 0), any shape. */
ctr_tensor *ctr_relu(ctr_graph *g, ctr_tensor *x);

/* y = 1 / (1 + e^-x), any shape. */
ctr_tensor *ctr_sigmoid(ctr_graph *g, ctr_tensor *x);

/* y = a + b (then max(., 0) with relu), two tensors of one shape. */
ctr_tensor *ctr_add(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, int relu);

/* y = x + b[C], C the last dimension of x. conv2d and dense take a bias of their own. */
ctr_tensor *ctr_bias(ctr_graph *g, ctr_tensor *x, ctr_tensor *b);

/* y[N,P,Q,K] = conv(x[N,H,W,C], w[K,C,R,S]) (+ b[K]) (then max(., 0) with relu); cross-correlation as
 * in PyTorch, P = (H + 2 pad - R) / stride + 1. b may be NULL. */
ctr_tensor *ctr_conv2d(ctr_graph *g, ctr_tensor *x, ctr_tensor *w, ctr_tensor *b, size_t stride,
                       size_t pad, int relu);
/* The same in groups: channels of x and filters are cut into as many runs, and the filters of a group
 * meet its channels only, w[K,C/groups,R,S]; groups = C = K is a depthwise convolution. */
ctr_tensor *ctr_conv2d_grouped(ctr_graph *g, ctr_tensor *x, ctr_tensor *w, ctr_tensor *b,
                               size_t stride, size_t pad, size_t groups, int relu);
/* ctr_conv2d followed by ctr_max_pool(., 2, 2, 0) in one: y[N,P/2,Q/2,K]. Where a variant can, the map
 * before pooling never reaches memory, nor does its gradient. */
ctr_tensor *ctr_conv2d_pool(ctr_graph *g, ctr_tensor *x, ctr_tensor *w, ctr_tensor *b,
                            size_t stride, size_t pad, int relu);

/* y[N,O] = x[N,I] w[O,I]^T (+ b[O]) (then max(., 0) with relu). x of higher rank is taken as
 * [N, product of the rest]. b may be NULL. */
ctr_tensor *ctr_dense(ctr_graph *g, ctr_tensor *x, ctr_tensor *w, ctr_tensor *b, int relu);

/* Windows of size x size over x[N,H,W,C]; max takes -inf and avg counts zeros outside (PyTorch's
 * defaults). avg over the whole map: [N,H,W,C] -> [N,C]. */
ctr_tensor *ctr_max_pool(ctr_graph *g, ctr_tensor *x, size_t size, size_t stride, size_t pad);
ctr_tensor *ctr_avg_pool(ctr_graph *g, ctr_tensor *x, size_t size, size_t stride, size_t pad);
ctr_tensor *ctr_global_avg_pool(ctr_graph *g, ctr_tensor *x);

/* y = (x - mean) / sqrt(var + eps) * gamma + beta (+ residual) (then max(., 0) with relu), per
 * channel (the last dimension C) over all rows. In training the batch's statistics are used and the
 * running ones move by `momentum` (variance unbiased, as PyTorch); else the running ones are used.
 * gamma, beta, running_mean, running_var: [C]; residual: x's shape or NULL. Ioffe and Szegedy,
 * arXiv:1502.03167. */
struct ctr_batch_norm {
    ctr_tensor *gamma, *beta, *running_mean, *running_var, *residual;
    float eps, momentum; /* PyTorch: 1e-5, 0.1 */
    int training, relu;
};
ctr_tensor *ctr_batch_norm(ctr_graph *g, ctr_tensor *x, const struct ctr_batch_norm *bn);

/* Rows of x[N,D] to length one: x / sqrt(sum x^2 + 1e-12). */
ctr_tensor *ctr_l2norm(ctr_graph *g, ctr_tensor *x);

/* s[A,B] = scale * a[A,D] b[B,D]^T. */
ctr_tensor *ctr_similarity(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, float scale);

/* c[D,E] = scale * a[M,D]^T b[M,E]. */
ctr_tensor *ctr_gram(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, float scale);

/* y[M] = scale * a_i.b_j, j = (i + shift) mod K, rows of a[M,D], b[K,D]; b may be a. */
ctr_tensor *ctr_row_dot(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, float scale, size_t shift);

/* y[M] = log sum_k e^(scale a_i.b_k), rows of a[M,D] and b[K,D]; b may be a. Left out are the keys
 * k = i modulo `period` (0: none): with period M a row itself, with N of M = V N rows that are views of N
 * images all views of its own image. A row left without keys gives -1e30. Streamed: memory beyond the
 * rows and their gradients grows with M + K. *top (or NULL): [M], the largest of scale a_i.b_k. */
ctr_tensor *ctr_lse(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, float scale, size_t period,
                    ctr_tensor **top);

/* y[M,D], row i the mean of the other rows of x[M,D] that have its label, zero where there are none;
 * row i has label[i mod N], CTR_I32 [N], M = V N. */
ctr_tensor *ctr_label_mean(ctr_graph *g, ctr_tensor *x, ctr_tensor *label);

/* A scalar, mean over the rows of f(pos_i, neg_i): pos[M] the scaled similarity of a row's positive,
 * neg[M] the logarithm of the sum of e^ of those of its negatives (ctr_lse). */
enum ctr_contrast_kind {
    CTR_CONTRAST_NTXENT,    /* log(1 + e^(neg - pos)): the positive against all (arXiv:2002.05709) */
    CTR_CONTRAST_DECOUPLED, /* neg - pos: against the negatives (arXiv:2110.06848) */
    /* neg - w_i pos, w_i = 2 - M softmax_i(pos / (scale sigma)) held constant (the same paper) */
    CTR_CONTRAST_WEIGHTED,
    /* log(1 + max((e^neg - prior n e^pos) / (1 - prior), n e^-scale) e^-pos): n negatives, of which the
     * share `prior` are like the row (arXiv:2007.00224) */
    CTR_CONTRAST_DEBIASED
};
struct ctr_contrast {
    enum ctr_contrast_kind kind;
    float scale; /* of the similarities, 1 / temperature */
    float sigma, prior, n; /* where the kind has them */
};
/* top: ctr_lse's, or NULL: then `nearest` is 0. */
ctr_tensor *ctr_contrast(ctr_graph *g, ctr_tensor *pos, ctr_tensor *neg, ctr_tensor *top,
                         const struct ctr_contrast *params);
/* Scalars of the same node: the share of rows whose positive is nearer than all negatives; the mean
 * similarity of positives. */
ctr_tensor *ctr_contrast_nearest(ctr_tensor *loss);
ctr_tensor *ctr_contrast_similarity(ctr_tensor *loss);

/* Losses of distances d_ij between rows of z[M,D], M at most 32768; all products are held, M x M. Rows
 * belong together when they are views of one image (i = j mod N), or with label (CTR_I32 [N]) of one
 * class: */
enum ctr_pairs_kind {
    CTR_PAIRS_MARGIN, /* 1/2 mean d^2 of these + 1/2 mean max(margin - d, 0)^2 of all others */
    CTR_PAIRS_HARD,   /* mean_i max(margin + d_ip - d_in, 0), p the farthest of these, n the nearest
                         other */
    /* the same over all i and p that belong together, n the nearest other beyond p, else the
       farthest */
    CTR_PAIRS_SEMIHARD,
    CTR_PAIRS_SIGMOID /* of ctr_pairs_sigmoid */
};
ctr_tensor *ctr_pairs(ctr_graph *g, ctr_tensor *z, ctr_tensor *label, size_t N, float margin,
                      enum ctr_pairs_kind kind);
/* The cross-entropy of telling which rows belong together by p_ij = 1 / (1 + e^-(bias - slope
 * d_ij)): 1/2 mean -log p of these + 1/2 mean -log(1 - p) of all others. slope, bias: single
 * numbers. */
ctr_tensor *ctr_pairs_sigmoid(ctr_graph *g, ctr_tensor *z, ctr_tensor *label, size_t N,
                              ctr_tensor *slope, ctr_tensor *bias);
/* A scalar of the same node: the share that is right, d on the right side of margin / 2, p of 1/2
 * (half of it by the pairs that belong together, half by others), or d_ip < d_in. */
ctr_tensor *ctr_pairs_right(ctr_tensor *loss);

/* y = x less the mean of its group, column by column. Groups are n rows of x[M,D], `stride` apart, within
 * blocks of n * stride rows, which make up M: with (N, 1) each view's rows, with (V, N) each image's. */
ctr_tensor *ctr_center(ctr_graph *g, ctr_tensor *x, size_t n, size_t stride);

/* A scalar, diagonal * sum_i f(c_ii) + off * sum_{i != j} c_ij^2, of c[D,D]: */
enum ctr_decorrelate_kind {
    CTR_DECORRELATE_UNIT,  /* f(c) = (1 - c)^2: a correlation is to be the unit matrix */
    CTR_DECORRELATE_SPREAD /* f(c) = max(1 - sqrt(max(c, 0) + 1e-4), 0): a variance is to reach 1 */
};
ctr_tensor *ctr_decorrelate(ctr_graph *g, ctr_tensor *c, enum ctr_decorrelate_kind kind,
                            float diagonal, float off);

/* y[M,D]: of each row of s[M,K] the largest's row of keys[K,D], the first among equals. No gradient. */
ctr_tensor *ctr_take_nearest(ctr_graph *g, ctr_tensor *s, ctr_tensor *keys);

/* score[M,k]: the k largest of s_ij = a_i.b_j + c_j of each row i of a[M,D], in falling order, over the
 * rows of b[N,D], k <= N; c[N] or NULL. *index (or NULL): CTR_I32 [M,k], their j, the lower first among
 * equals. Streamed: no s is stored. s that are NaN or -inf are passed over; where fewer than k are left,
 * -inf and INT32_MAX stand. No gradient. */
ctr_tensor *ctr_top_k(ctr_graph *g, ctr_tensor *a, ctr_tensor *b, ctr_tensor *c, size_t k,
                      ctr_tensor **index);

/* q[M,K] from scores s[M,K], N rows at a time: e^(s / eps), then by turns columns to the sum N / K and rows
 * to the sum 1, `rounds` times (Cuturi, arXiv:1306.0895). |s| / eps at most 80. No gradient. */
ctr_tensor *ctr_sinkhorn(ctr_graph *g, ctr_tensor *s, size_t N, float eps, unsigned rounds);

/* y = offset + scale * mean(x), a scalar. */
ctr_tensor *ctr_mean(ctr_graph *g, ctr_tensor *x, float scale, float offset);

/* y = rows [first, first + n) of x, its first dimension. */
ctr_tensor *ctr_take_rows(ctr_graph *g, ctr_tensor *x, size_t first, size_t n);

/* Of a repeated part (ctr_graph_repeat): the rows of this turn, [rows / times, ...], and the rows that
 * all turns make, [rows * times, ...]. Either side is made of as many blocks (views), and in each block
 * of all the rows of turn 0 come first, then those of turn 1. Any type; no gradient. */
ctr_tensor *ctr_turn_take(ctr_graph *g, ctr_tensor *x, ctr_tensor *turn, size_t times, size_t blocks);
ctr_tensor *ctr_turn_put(ctr_graph *g, ctr_tensor *x, ctr_tensor *turn, size_t times, size_t blocks);

/* Mean over n of -sum_k t_nk log softmax(x[N,K])_nk, a scalar; t_nk = (1 - smoothing) [k == label_n] +
 * smoothing / K; label: whole numbers (CTR_I32) [N]. One outside [0, K) makes the loss NaN. */
ctr_tensor *ctr_softmax_xent(ctr_graph *g, ctr_tensor *x, ctr_tensor *label, float smoothing);
/* A scalar of the same node: the share of rows whose largest logit (the first among equals) is the
 * label's. */
ctr_tensor *ctr_softmax_xent_accuracy(ctr_tensor *loss);

#endif
