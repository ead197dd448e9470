/* trial.h -- one node of a graph alone, on made-up numbers: as its op would take it, and with
 * other variants and configurations, compared and timed. For tune.c only.
 *
 *     struct ctr_bench b = {.from = g, .node = node};
 *     rc = ctr_bench_prepare(&b);                    inputs; the own choice, described
 *     rc = ctr_bench_own(&b);                        built and run; what it computes is kept
 *     rc = ctr_bench_try(&ratio, &error, &b, &c, n); another candidate, each
 *     ctr_bench_end(&b);                             in any case */
#ifndef CTR_GRAPH_TRIAL_H
#define CTR_GRAPH_TRIAL_H

#include "graph/impl.h"

#define CTR_BENCH_SAMPLES 9 /* at most */

/* A planned graph of one node. */
struct ctr_trial {
    ctr_graph *g;
    ctr_node *node;
};

struct ctr_bench {
    const ctr_graph *from;
    const ctr_node *node;
    ctr_buf *in[CTR_MAX_IO];
    struct ctr_trial own;
    void *want[CTR_MAX_IO]; /* what the own choice computes */
    double own_s;           /* its time, the shortest median so far */
};

/* Whether numbers can be made up for the node's inputs, and something comes out. */
int ctr_bench_suits(const ctr_node *node);
int ctr_bench_prepare(struct ctr_bench *b);
/* CTR_E_DIVERGED when its results are not finite. */
int ctr_bench_own(struct ctr_bench *b);
/* *ratio: its time over the own choice's, medians of `samples` taken in turn; *error: relative, of
 * the worst output. CTR_E_FAIL when the results differ by more than is allowed. */
int ctr_bench_try(double *ratio, double *error, struct ctr_bench *b, const struct ctr_candidate *c,
                  size_t samples);
void ctr_bench_end(struct ctr_bench *b);

#endif
