/* ref.h -- the plain C, double-precision references of all ops. Written for clarity: the formula,
 * loops in its order, no blocking. Arguments as in op.h: outputs, inputs, sizes. Gradient outputs
 * are added to (they start at zero); NULL ones are skipped. */
#ifndef CTR_TESTS_REF_H
#define CTR_TESTS_REF_H

#include <stddef.h>

void ref_cast(double *y, const double *x, size_t n);
void ref_relu_fwd(double *y, const double *x, size_t n);
void ref_relu_bwd(double *dx, const double *dy, const double *x, size_t n);

/* y[N,P,Q,K] from x[N,H,W,C], w[K,C,R,S], b[K] or NULL, then ReLU if `relu`, then 2x2 max pooling
 * (y[N,P/2,Q/2,K]) if `pool`. P and Q are the sizes before pooling. */
struct ref_conv2d {
    size_t N, H, W, C, P, Q, K, R, S, stride, pad, groups;
    int relu, pool;
};
void ref_conv2d_fwd(double *y, const double *x, const double *w, const double *b,
                    const struct ref_conv2d *c);
void ref_conv2d_bwd(double *dx, double *dw, double *db, const double *dy, const double *x,
                    const double *w, const double *b, const struct ref_conv2d *c);

/* y[N,O] = x[N,I] w[O,I]^T + b (NULL: none), then max(., 0) with relu. */
void ref_dense_fwd(double *y, const double *x, const double *w, const double *b, int relu, size_t N,
                   size_t I, size_t O);
void ref_dense_bwd(double *dx, double *dw, double *db, const double *dy, const double *x,
                   const double *w, const double *b, int relu, size_t N, size_t I, size_t O);

struct ref_pool {
    size_t N, H, W, C, size, stride, pad;
    int max; /* else average */
};
void ref_pool_fwd(double *y, const double *x, const struct ref_pool *p);
void ref_pool_bwd(double *dx, const double *dy, const double *x, const struct ref_pool *p);

/* Statistics of the rows when mean is NULL, else the given ones. residual may be NULL. */
struct ref_batch_norm {
    const double *gamma, *beta, *mean, *var, *residual;
    double eps;
    int relu;
    size_t rows, C;
};
void ref_batch_norm_fwd(double *y, const double *x, const struct ref_batch_norm *p);
void ref_batch_norm_bwd(double *dx, double *dgamma, double *dbeta, double *dresidual,
                        const double *dy, const double *x, const struct ref_batch_norm *p);
/* Mean and biased variance of each channel. */
void ref_batch_norm_stats(double *mean, double *var, const double *x, size_t rows, size_t C);

void ref_l2norm_fwd(double *y, const double *x, size_t N, size_t D);
void ref_l2norm_bwd(double *dx, const double *dy, const double *x, size_t N, size_t D);

void ref_similarity_fwd(double *s, const double *a, const double *b, double scale, size_t A, size_t B,
                        size_t D);
void ref_similarity_bwd(double *da, double *db, const double *ds, const double *a, const double *b,
                        double scale, size_t A, size_t B, size_t D);

void ref_gram_fwd(double *c, const double *a, const double *b, double scale, size_t M, size_t D, size_t E);
void ref_gram_bwd(double *da, double *db, const double *dc, const double *a, const double *b, double scale,
                  size_t M, size_t D, size_t E);

void ref_row_dot_fwd(double *y, const double *a, const double *b, double scale, size_t shift, size_t M,
                     size_t K, size_t D);
void ref_row_dot_bwd(double *da, double *db, const double *dy, const double *a, const double *b,
                     double scale, size_t shift, size_t M, size_t K, size_t D);

/* a[M,D], b[K,D]; lse in bwd is the forward's. */
void ref_lse_fwd(double *lse, const double *a, const double *b, double scale, size_t period, size_t M,
                 size_t K, size_t D);
void ref_lse_bwd(double *da, double *db, const double *dlse, const double *lse, const double *a,
                 const double *b, double scale, size_t period, size_t M, size_t K, size_t D);
void ref_lse_top(double *top, const double *a, const double *b, double scale, size_t period, size_t M,
                 size_t K, size_t D);

/* x[M,D], label[N]; its own gradient. */
void ref_label_mean(double *y, const double *x, const double *label, size_t M, size_t N, size_t D);

struct ctr_contrast;
void ref_contrast_fwd(double *loss, const double *pos, const double *neg,
                      const struct ctr_contrast *p, size_t M);
void ref_contrast_bwd(double *dpos, double *dneg, double dloss, const double *pos, const double *neg,
                      const struct ctr_contrast *p, size_t M);
void ref_contrast_nearest(double *share, const double *pos, const double *top, size_t M);

/* z[M,D], label[N] or NULL; line: slope and bias, read by CTR_PAIRS_SIGMOID; loss or right may be
 * NULL. */
void ref_pairs_fwd(double *loss, double *right, const double *z, const double *label,
                   const double line[2], double margin, int kind, size_t M, size_t N, size_t D);
void ref_pairs_bwd(double *dz, double dline[2], double dloss, const double *z, const double *label,
                   const double line[2], double margin, int kind, size_t M, size_t N, size_t D);

/* Its own gradient. */
void ref_center(double *y, const double *x, size_t n, size_t stride, size_t M, size_t D);

void ref_decorrelate_fwd(double *loss, const double *c, int kind, double diagonal, double off, size_t D);
void ref_decorrelate_bwd(double *dc, double dloss, const double *c, int kind, double diagonal, double off,
                         size_t D);

void ref_top_k(double *score, size_t *index, const double *a, const double *b, const double *c, size_t M,
               size_t N, size_t D, size_t k);
void ref_take_nearest(double *y, const double *s, const double *keys, size_t M, size_t K, size_t D);

/* s[M,K], `N` rows at a time. */
void ref_sinkhorn(double *q, const double *s, double eps, unsigned rounds, size_t M, size_t N, size_t K);

void ref_mean_fwd(double *y, const double *x, double scale, double offset, size_t n);
void ref_mean_bwd(double *dx, double dy, double scale, size_t n);

void ref_take_rows_fwd(double *y, const double *x, size_t first, size_t n, size_t row);
void ref_take_rows_bwd(double *dx, const double *dy, size_t first, size_t n, size_t row);

void ref_turn_take(double *part, const double *all, size_t turn, size_t times, size_t V, size_t n);

void ref_softmax_xent_fwd(double *loss, const double *x, const double *label, double smoothing, size_t N,
                          size_t K);
void ref_softmax_xent_bwd(double *dx, double dloss, const double *x, const double *label,
                          double smoothing, size_t N, size_t K);
void ref_softmax_xent_accuracy(double *share, const double *x, const double *label, size_t N, size_t K);

void ref_sigmoid_fwd(double *y, const double *x, size_t n);
void ref_sigmoid_bwd(double *dx, const double *dy, const double *x, size_t n);

void ref_add_fwd(double *y, const double *a, const double *b, int relu, size_t n);
void ref_add_bwd(double *da, double *db, const double *dy, const double *a, const double *b,
                 int relu, size_t n);

void ref_bias_fwd(double *y, const double *x, const double *b, size_t rows, size_t C);
void ref_bias_bwd(double *dx, double *db, const double *dy, size_t rows, size_t C);

#endif
