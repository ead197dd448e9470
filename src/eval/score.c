/* score.c -- runs the protocols that are asked for, and what varies, several times. See score.h. */
#include "eval/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct scoring {
    ctr_dev *dev;
    const struct ctr_features *train, *test;
    unsigned classes;
    const struct ctr_score_params *params;
    uint64_t *confusion;
    int32_t *guess; /* [n_knn][test n], at least one row */
    double *share;  /* [draws][n_knn + n_probes] */
};

static void look(struct scoring *s, double *share, const int32_t *guess, int first)
{
    *share = ctr_accuracy(guess, s->test->label, s->test->n);
    if (first && s->confusion)
        ctr_confusion(s->confusion, guess, s->test->label, s->test->n, s->classes);
}

/* What is to vote: as asked for, or chosen. */
static int choose_votes(struct ctr_knn *vote, struct scoring *s, const struct ctr_features *train,
                        uint64_t seed)
{
    const struct ctr_score_params *p = s->params;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < p->n_knn; i++)
        if (p->knn[i].k > 0)
            vote[i] = p->knn[i];
        else
            rc = ctr_knn_choose(&vote[i], s->dev, train, s->classes, seed);
    return rc;
}

static int one_draw(struct ctr_scores *out, struct scoring *s, const struct ctr_features *train,
                    double *share, uint64_t seed, int first)
{
    int rc = 0;
    const struct ctr_score_params *p = s->params;
    struct ctr_knn vote[CTR_SCORES_MAX];
    out->n_train = train->n;
    CTR_TRY(choose_votes(vote, s, train, seed));
    if (p->n_knn > 0)
        CTR_TRY(ctr_knn(s->guess, s->dev, train, s->test, s->classes, vote, p->n_knn));
    for (size_t i = 0; i < p->n_knn; i++) {
        look(s, share++, s->guess + i * s->test->n, first);
        if (first)
            out->knn[i].vote = vote[i];
    }
    for (size_t i = 0; i < p->n_probes; i++) {
        double penalty = 0;
        CTR_TRY(ctr_probe_run(s->guess, &penalty, s->dev, p->probe[i], train, s->test, s->classes, seed));
        look(s, share++, s->guess, first);
        if (first)
            out->probe[i].penalty = penalty;
    }
out:
    return rc;
}

static void sum_up(struct ctr_score *out, const double *share, size_t stride, size_t draws)
{
    double sum = 0, square = 0;
    for (size_t r = 0; r < draws; r++)
        sum += share[r * stride];
    out->mean = sum / (double)draws;
    for (size_t r = 0; r < draws; r++)
        square += (share[r * stride] - out->mean) * (share[r * stride] - out->mean);
    out->deviation = draws > 1 ? sqrt(square / (double)(draws - 1)) : 0;
}

static int all_draws(struct ctr_scores *out, struct scoring *s, size_t draws, uint64_t seed)
{
    const struct ctr_score_params *p = s->params;
    size_t per_class = ctr_few_per_class(&p->labels, s->train->n, s->classes);
    size_t columns = p->n_knn + p->n_probes;
    for (size_t r = 0; r < draws; r++) {
        struct ctr_features few = {0};
        int rc = 0;
        if (per_class > 0)
            rc = ctr_features_few(&few, s->train, s->classes, per_class, seed + r);
        if (rc == 0)
            rc = one_draw(out, s, per_class > 0 ? &few : s->train, s->share + r * columns, seed + r,
                          r == 0);
        ctr_features_free(&few);
        if (rc != 0)
            return rc;
    }
    for (size_t i = 0; i < columns; i++)
        sum_up(i < p->n_knn ? &out->knn[i] : &out->probe[i - p->n_knn], s->share + i, columns, draws);
    return 0;
}

int ctr_score(struct ctr_scores *out, uint64_t *confusion, ctr_dev *dev,
              const struct ctr_features *train, const struct ctr_features *test, unsigned classes,
              const struct ctr_score_params *params, uint64_t seed)
{
    size_t draws = params->draws ? params->draws : 1;
    struct ctr_scores scores = {.there = 1, .own = {.mean = NAN}};
    struct scoring s = {dev, train, test, classes, params, confusion, NULL, NULL};
    if (train->n == 0 || test->n == 0)
        return ctr_fail(CTR_E_DATA, "no labelled images to compare");
    s.guess = ctr_alloc((params->n_knn + 1) * test->n, sizeof *s.guess);
    s.share = ctr_alloc(draws * (params->n_knn + params->n_probes), sizeof *s.share);
    int rc = s.guess && s.share ? all_draws(&scores, &s, draws, seed) : CTR_E_FAIL;
    if (rc == 0)
        *out = scores;
    free(s.share);
    free(s.guess);
    return rc;
}

void ctr_scores_mean(struct ctr_scores *out, const struct ctr_scores *const *of, size_t n)
{
    double knn[CTR_RUNS_MAX], probe[CTR_RUNS_MAX], own[CTR_RUNS_MAX];
    *out = *of[0];
    for (size_t r = 0; r < n; r++)
        own[r] = of[r]->own.mean;
    sum_up(&out->own, own, 1, n);
    for (size_t i = 0; i < CTR_SCORES_MAX; i++) {
        for (size_t r = 0; r < n; r++) {
            knn[r] = of[r]->knn[i].mean;
            probe[r] = of[r]->probe[i].mean;
        }
        sum_up(&out->knn[i], knn, 1, n);
        sum_up(&out->probe[i], probe, 1, n);
    }
}
