/* ref.h -- the plain C, double-precision references of all ops. Written for clarity: the formula,
 * loops in its order, no blocking. Arguments as in op.h: outputs, inputs, sizes. Gradient outputs
 * are added to (they start at zero); NULL ones are skipped. */
#ifndef CTR_TESTS_REF_H
#define CTR_TESTS_REF_H

#include <stddef.h>

void ref_relu_fwd(double *y, const double *x, size_t n);
void ref_relu_bwd(double *dx, const double *dy, const double *x, size_t n);

#endif
