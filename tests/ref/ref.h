/* ref.h -- the plain C, double-precision references of all ops. Written for clarity: the formula,
 * loops in its order, no blocking. Arguments as in op.h: outputs, inputs, sizes. Gradient outputs
 * are added to (they start at zero); NULL ones are skipped. */
#ifndef CTR_TESTS_REF_H
#define CTR_TESTS_REF_H

#include <stddef.h>

void ref_relu_fwd(double *y, const double *x, size_t n);
void ref_relu_bwd(double *dx, const double *dy, const double *x, size_t n);

/* y[N,P,Q,K] from x[N,H,W,C], w[K,C,R,S], b[K] or NULL, then ReLU if `relu`. */
struct ref_conv2d {
    size_t N, H, W, C, P, Q, K, R, S, stride, pad;
    int relu;
};
void ref_conv2d_fwd(double *y, const double *x, const double *w, const double *b,
                    const struct ref_conv2d *c);
void ref_conv2d_bwd(double *dx, double *dw, double *db, const double *dy, const double *x,
                    const double *w, const double *b, const struct ref_conv2d *c);

#endif
