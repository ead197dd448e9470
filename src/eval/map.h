/* map.h -- many vectors as points on a plane, to be looked at. Host only.
 *
 * Both give y[n][2] of x[n][D], centred; the same input and seed give the same bits, whatever the number of
 * threads. Values must be finite (ctr_rows_check). */
#ifndef CTR_EVAL_MAP_H
#define CTR_EVAL_MAP_H

#include <stdint.h>

#include "data/data.h"

/* The two directions in which the rows vary most, by subspace iteration on the rows themselves (Halko,
 * Martinsson, Tropp, arXiv:0909.4061, algorithm 4.4), until the directions stand still. share[2] (or NULL): how much of all
 * variance they hold. The sign of a direction is such that its largest part is positive. */
int ctr_map_pca(float *y, double share[2], const float *x, size_t n, size_t D);

/* t-SNE (van der Maaten, Hinton, JMLR 9, 2008) with every pair of rows: n^2 floats of memory, n^2 time a step. It begins
 * at the principal components (Kobak, Berens, Nature Communications 10, 2019) and takes CTR_TSNE_STEPS steps, a quarter
 * of them with attractions 12 times as large, at a learning rate that grows with n (Belkina et al., Nature Communications
 * 10, 2019). */
struct ctr_tsne_params {
    double perplexity; /* about how many neighbours of each row count: 1 < perplexity <= (n - 1) / 3 */
    uint64_t seed;     /* of what lets equal rows part */
};
#define CTR_TSNE_STEPS 1000
#define CTR_TSNE_MAX   20000 /* rows */
/* *divergence (or NULL): Kullback and Leibler's, of the plane's similarities from those of the rows, in nats.
 * progress (may be NULL) is told of steps; non-zero from it ends the call, which returns it. CTR_E_USAGE for
 * what is out of range. */
int ctr_map_tsne(float *y, double *divergence, const float *x, size_t n, size_t D,
                 const struct ctr_tsne_params *params, ctr_data_progress_fn *progress, void *user);

#endif
