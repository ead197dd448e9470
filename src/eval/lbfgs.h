/* lbfgs.h -- limited-memory BFGS on the host, in double: the minimum of a smooth function of some
 * thousands of variables, from values and gradients. Nocedal and Wright, Numerical Optimization,
 * 2nd ed., algorithms 7.4 and 7.5; line search: bisection to the weak Wolfe conditions, Lewis and
 * Overton, Mathematical Programming 141 (2013), section 3. */
#ifndef CTR_EVAL_LBFGS_H
#define CTR_EVAL_LBFGS_H

#include <stddef.h>

struct ctr_lbfgs {
    /* *f and gradient[n] at x[n]; may fail. */
    int (*value)(double *f, double *gradient, const double *x, void *user);
    void *user;
    size_t n;
    double tolerance; /* ends when no component of the gradient is larger */
    double noise;     /* relative error of *f: a step may seem to rise by as much */
    unsigned max_steps;
};

/* x[n]: from where it starts to where it ended: at the tolerance, after max_steps, or where the
 * function's own errors leave no way down. *steps (or NULL): how many were taken. */
int ctr_lbfgs(double *x, unsigned *steps, const struct ctr_lbfgs *problem);

#endif
