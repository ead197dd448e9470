/* score.h -- several protocols on one pair of feature sets, once or over several draws. */
#ifndef CTR_EVAL_SCORE_H
#define CTR_EVAL_SCORE_H

#include "data/few.h"
#include "eval/eval.h"

#define CTR_SCORES_MAX 16 /* of each kind */
#define CTR_RUNS_MAX   64 /* in a mean */

struct ctr_score_params {
    struct ctr_knn knn[CTR_SCORES_MAX]; /* k 0: chosen, see ctr_knn_choose */
    enum ctr_probe probe[CTR_SCORES_MAX];
    size_t n_knn, n_probes;
    struct ctr_few labels; /* {0}: all; they are all that any protocol sees */
    /* With 2 or more: draws of the labels, of the part to choose on and of the order of training, each
     * with a seed of its own. 0 stands for 1. */
    size_t draws;
};

struct ctr_score {
    double mean, deviation; /* share of the test set; of a sample, 0 for one draw */
    double penalty;         /* of a probe, chosen in the first draw; 0: none to choose */
    struct ctr_knn vote;    /* of nearest neighbours, as given or chosen in the first draw */
};
struct ctr_scores {
    int there; /* 0: not asked for, all else is 0 */
    size_t n_train; /* labelled images that were used */
    struct ctr_score knn[CTR_SCORES_MAX], probe[CTR_SCORES_MAX];
    struct ctr_score own; /* of the run's own classifier, which ctr_score knows nothing of; its mean is
                           * NaN where there is none */
};

/* confusion (or NULL): [classes][classes], of the first draw of the last probe, else of the last kNN. */
int ctr_score(struct ctr_scores *out, uint64_t *confusion, ctr_dev *dev,
              const struct ctr_features *train, const struct ctr_features *test, unsigned classes,
              const struct ctr_score_params *params, uint64_t seed);

/* Means over n sets of scores, 1 to CTR_RUNS_MAX, by the same protocols, of different encoders;
 * deviations are those of their means. What was chosen is that of the first. */
void ctr_scores_mean(struct ctr_scores *out, const struct ctr_scores *const *of, size_t n);

#endif
