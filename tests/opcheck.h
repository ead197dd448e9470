/* opcheck.h -- every op, every variant, against plain C in double precision.
 *
 * A case says what an op is given and two reference functions; from that come three checks:
 *   opcheck   each usable variant of each op in the case's graph with each of its configurations,
 *             forward and backward, on poisoned memory, with guard bands around every tensor, twice
 *             with equal bits; where a case has activations (opcase_in.act), also with those stored
 *             as fp16 and bf16;
 *   gradcheck the reference's own gradient against central differences of its forward;
 *   selftest  the same on a user's device (`clcontrast selftest`).
 * tests/op/NAME.c ends in `const struct opcase opcases_NAME[]`, closed by a row without a name.
 * Sizes worth having: 1, 31, 32, 33, 63, 65 and a real one. */
#ifndef CTR_TESTS_OPCHECK_H
#define CTR_TESTS_OPCHECK_H

#include "op/op.h"

#define OPCASE_MAX_IN 8

struct opcase_in {
    unsigned rank;
    size_t dim[CTR_MAX_RANK];
    enum ctr_dtype dtype; /* a float, or CTR_I32 for whole numbers in [lo, hi) */
    double lo, hi;        /* uniform; both 0 stand for [-1, 1) */
    int grad;             /* compare the gradient of this input */
    int off_zero;         /* keep |x| >= 0.05: a kink lies at zero */
    int act;              /* an activation: the case is also run with it as fp16 and as bf16 */
};

struct opcase {
    const char *name;
    unsigned n_in;
    struct opcase_in in[OPCASE_MAX_IN];
    double attr[12]; /* the op's parameters, as build, fwd and bwd agree among themselves */
    ctr_tensor *(*build)(ctr_graph *g, ctr_tensor *const *in, const struct opcase *c);
    /* y is zeroed; its size is the built tensor's. */
    void (*fwd)(double *y, const double *const *x, const struct opcase *c);
    /* dx[i] is zeroed, NULL where no gradient is compared. NULL when no input has `grad`. */
    void (*bwd)(double *const *dx, const double *dy, const double *const *x, const struct opcase *c);
    /* relative, sqrt(sum (got - want)^2 / sum want^2); 0 stands for 1e-6. A tensor stored as fp16 or
     * bf16 is granted two roundings of that more. */
    double tol, grad_tol;
    int no_gradcheck;     /* large (over 2,000 inputs is skipped anyway) or not smooth */
    int slow;             /* only with CTR_TEST_SLOW=1, and not in selftest */
};

/* What one variant of one case came to. */
struct opcheck_result {
    const char *variant; /* "op=variant:configuration" or "" for the default choice; before it
                          * "fp16 " or "bf16 " */
    double fwd_error, bwd_error;
};
typedef void opcheck_report(void *user, const struct opcase *c, const struct opcheck_result *r,
                            int failed, const char *why);

/* Runs one case on a device with every usable variant. Returns the number of failed checks. */
unsigned opcheck_case(ctr_dev *dev, const struct opcase *c, opcheck_report *report, void *user);
/* Reference gradient against central differences; the relative error, 0 where it does not apply. */
double opcheck_gradcheck(const struct opcase *c, size_t y_count);

/* The tables of all ops (generated from the list in meson.build), closed by a row without a name. */
struct opcheck_op {
    const char *name;
    const struct opcase *cases;
};
extern const struct opcheck_op opcheck_ops[];

#endif
