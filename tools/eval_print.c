/* eval_print.c -- scores as a table, in words, as JSON. In: evaluations. Out: standard output. */
#include "eval_print.h"

#include <stdio.h>
#include <string.h>

#include "opt.h"
#include "term.h"

/* ---- the table ---- */

static void cell(const struct ctr_scores *scores, const struct ctr_score *s, int spread)
{
    if (!scores->there)
        return;
    if (spread)
        printf("  %8.2f +- %4.2f %%", 100 * s->mean, 100 * s->deviation);
    else
        printf("  %15.2f %%", 100 * s->mean);
}

static void line(const char *name, const struct ctr_evaluation *e, const struct ctr_score *trained,
                 const struct ctr_score *untrained, const struct ctr_score *pixels, int spread)
{
    printf("%-22s", name);
    cell(&e->trained, trained, spread);
    cell(&e->untrained, untrained, spread);
    cell(&e->pixels, pixels, spread);
    printf("\n");
}

static void knn_name(char *name, size_t room, const struct ctr_knn *knn)
{
    if (knn->k == 0)
        snprintf(name, room, "kNN, chosen");
    else if (knn->temperature > 0)
        snprintf(name, room, "kNN k=%u T=%g", knn->k, knn->temperature);
    else
        snprintf(name, room, "kNN k=%u", knn->k);
}

/* spread: with deviations. */
static void print_scores(const struct ctr_evaluation *e, const struct ctr_score_params *p,
                         int spread)
{
    char name[64];
    printf("%-22s  %17s", "", "trained encoder");
    if (e->untrained.there)
        printf("  %17s  %17s", "untrained encoder", "raw pixels");
    printf("\n");
    for (size_t i = 0; i < p->n_knn; i++) {
        knn_name(name, sizeof name, &p->knn[i]);
        line(name, e, &e->trained.knn[i], &e->untrained.knn[i], &e->pixels.knn[i], spread);
    }
    for (size_t i = 0; i < p->n_probes; i++) {
        snprintf(name, sizeof name, "linear probe, %s", ctr_probe_name(p->probe[i]));
        line(name, e, &e->trained.probe[i], &e->untrained.probe[i], &e->pixels.probe[i], spread);
    }
    const struct ctr_score *own = &e->trained.own;
    if (own->mean == own->mean) {
        printf("%-22s", "own classifier");
        cell(&e->trained, own, own->deviation > 0);
        printf("\n");
    }
}

/* ---- the protocols in words ---- */

static const char *const probe_words[CTR_PROBES] = {
    [CTR_PROBE_SGD] =
        "softmax regression on standardised features, AdamW without decay, learning rate "
        "0.01 falling as a cosine, 100 epochs, the last one counts",
    [CTR_PROBE_RIDGE] = "least squares onto the classes, standardised features, L2 penalty",
    [CTR_PROBE_LBFGS] =
        "softmax regression on standardised features, minimised by L-BFGS, L2 penalty",
};

static void sentence(const char *text)
{
    struct ctr_str s = {0};
    opt_wrap(&s, text, 2, 0, 80);
    (void)term_print(&s); /* words below the table */
}

static void knn_words(const struct ctr_knn *vote, int chosen, int of_runs)
{
    char name[64], text[512];
    knn_name(name, sizeof name, chosen ? &(struct ctr_knn){0, 0} : vote);
    snprintf(text, sizeof text, "%s: the %u training images nearest by cosine similarity vote, ",
             name, vote->k);
    size_t at = strlen(text);
    if (vote->k == 1)
        snprintf(text, sizeof text, "%s: the training image nearest by cosine similarity", name);
    else if (vote->temperature > 0)
        snprintf(text + at, sizeof text - at, "weighted by exp(similarity / %g)",
                 vote->temperature);
    else
        snprintf(text + at, sizeof text - at, "one vote each");
    if (chosen)
        snprintf(
            text + strlen(text), sizeof text - strlen(text),
            ", for the %s: chosen among 1 to 200 neighbours and six weightings on one training "
            "image in five; then all training images vote",
            of_runs ? "first run" : "trained encoder");
    sentence(text);
}

void eval_print_words(const struct ctr_evaluation *e, const struct ctr_score_params *p, int of_runs)
{
    char text[512];
    printf("\n");
    for (size_t i = 0; i < p->n_knn; i++)
        knn_words(&e->trained.knn[i].vote, p->knn[i].k == 0, of_runs);
    for (size_t i = 0; i < p->n_probes; i++) {
        int n = snprintf(text, sizeof text, "linear probe, %s: %s", ctr_probe_name(p->probe[i]),
                         probe_words[p->probe[i]]);
        if (e->trained.probe[i].penalty > 0)
            snprintf(text + n, sizeof text - (size_t)n,
                     " %g for the %s, chosen on one training image in five, then fitted to all",
                     e->trained.probe[i].penalty, of_runs ? "first run" : "trained encoder");
        sentence(text);
    }
    if (p->labels.share > 0 || p->labels.per_class > 0) {
        snprintf(text, sizeof text,
                 "labels: of %zu training images only, as many of each class; no "
                 "other training image is seen by any protocol",
                 e->trained.n_train);
        sentence(text);
    }
    if (e->trained.own.mean == e->trained.own.mean) {
        snprintf(text, sizeof text,
                 "own classifier: the linear layer that the run has trained along with "
                 "its encoder on %zu images with labels",
                 e->n_learnt_from);
        sentence(text);
    }
    if (p->draws > 1) {
        snprintf(text, sizeof text,
                 "mean and standard deviation of %zu draws of what is random in the "
                 "evaluation; the encoder is the same",
                 p->draws);
        sentence(text);
    }
}

void eval_print_table(const struct ctr_evaluation *e, const struct ctr_evaluate_params *params)
{
    struct ctr_str path = {0};
    term_escape(&path, params->run);
    printf("%s: %s, step %llu, %zu features\n", path.s ? path.s : "", e->encoder,
           (unsigned long long)e->step, e->dim);
    ctr_str_free(&path);
    term_escape(&path, e->data);
    printf("%s: %zu training and %zu test images%s, %u classes\n\n", path.s ? path.s : "",
           e->n_train, e->n_test, e->held_out ? " (held out by name)" : "", e->classes);
    ctr_str_free(&path);
    print_scores(e, &params->score, params->score.draws > 1);
}

/* ---- several runs ---- */

/* The first evaluation, its scores the means of all; deviations are those between runs. */
static struct ctr_evaluation mean_runs(const struct ctr_evaluation *e, size_t n)
{
    struct ctr_evaluation mean = e[0];
    const struct ctr_scores *trained[CTR_RUNS_MAX], *untrained[CTR_RUNS_MAX], *pixels[CTR_RUNS_MAX];
    for (size_t i = 0; i < n; i++) {
        trained[i] = &e[i].trained;
        untrained[i] = &e[i].untrained;
        pixels[i] = &e[i].pixels;
    }
    ctr_scores_mean(&mean.trained, trained, n);
    ctr_scores_mean(&mean.untrained, untrained, n);
    ctr_scores_mean(&mean.pixels, pixels, n);
    return mean;
}

void eval_print_mean(const struct ctr_evaluation *e, const struct ctr_score_params *p, size_t n)
{
    struct ctr_evaluation mean = mean_runs(e, n);
    printf("\nmean and standard deviation of %zu runs\n\n", n);
    print_scores(&mean, p, 1);
}

/* ---- JSON ---- */

static void json_score(struct ctr_str *s, const struct ctr_score *score, int spread)
{
    ctr_str_addf(s, ",\"accuracy\":");
    ctr_str_json_num(s, score->mean);
    if (spread) {
        ctr_str_addf(s, ",\"deviation\":");
        ctr_str_json_num(s, score->deviation);
    }
    ctr_str_addf(s, "}");
}

/* "knn10", "knn200", "linear": the usual protocols by short names; then a list of all. */
static void json_scores(struct ctr_str *s, const char *name, const struct ctr_scores *scores,
                        const struct ctr_score_params *p, int spread)
{
    if (!scores->there)
        return;
    ctr_str_addf(s, ",\"%s\":{\"labelled\":%zu", name, scores->n_train);
    for (size_t i = 0; i < p->n_knn; i++) {
        const struct ctr_knn *k = &p->knn[i];
        if (!(k->k == 10 && k->temperature == 0) && !(k->k == 200 && k->temperature == 0.1))
            continue;
        ctr_str_addf(s, ",\"knn%u\":", k->k);
        ctr_str_json_num(s, scores->knn[i].mean);
    }
    for (size_t i = 0; i < p->n_probes; i++)
        if (p->probe[i] == CTR_PROBE_SGD) {
            ctr_str_addf(s, ",\"linear\":");
            ctr_str_json_num(s, scores->probe[i].mean);
        }
    ctr_str_addf(s, ",\"scores\":[");
    for (size_t i = 0; i < p->n_knn; i++) {
        const struct ctr_knn *vote = &scores->knn[i].vote;
        ctr_str_addf(s, "%s{\"protocol\":\"knn\",\"k\":%u,\"chosen\":%s,\"temperature\":",
                     i ? "," : "", vote->k, p->knn[i].k == 0 ? "true" : "false");
        ctr_str_json_num(s, vote->temperature);
        json_score(s, &scores->knn[i], spread);
    }
    for (size_t i = 0; i < p->n_probes; i++) {
        ctr_str_addf(s, "%s{\"protocol\":\"%s\",\"penalty\":", i + p->n_knn ? "," : "",
                     ctr_probe_name(p->probe[i]));
        ctr_str_json_num(s, scores->probe[i].penalty);
        json_score(s, &scores->probe[i], spread);
    }
    ctr_str_addf(s, "]}");
}

static void json_own(struct ctr_str *s, const struct ctr_evaluation *e, int spread)
{
    const struct ctr_score *own = &e->trained.own;
    if (own->mean != own->mean)
        return;
    ctr_str_addf(s, ",\"classifier\":{\"images\":%zu", e->n_learnt_from);
    json_score(s, own, spread);
}

static void json_columns(struct ctr_str *s, const struct ctr_evaluation *e,
                         const struct ctr_score_params *p, int spread)
{
    json_scores(s, "trained", &e->trained, p, spread);
    json_scores(s, "untrained", &e->untrained, p, spread);
    json_scores(s, "pixels", &e->pixels, p, spread);
}

/* The members of an object, without its brackets. */
static void json_run(struct ctr_str *s, const struct ctr_evaluation *e, const char *run,
                     const struct ctr_score_params *p)
{
    ctr_str_addf(s, "\"run\":");
    ctr_str_json(s, run);
    ctr_str_addf(s, ",\"encoder\":\"%s\",\"step\":%llu,\"seed\":%llu,\"features\":%zu,\"data\":",
                 e->encoder, (unsigned long long)e->step, (unsigned long long)e->seed, e->dim);
    ctr_str_json(s, e->data);
    ctr_str_addf(s, ",\"train\":%zu,\"test\":%zu,\"held_out\":%s,\"skipped\":%zu,\"classes\":%u",
                 e->n_train, e->n_test, e->held_out ? "true" : "false", e->n_skipped, e->classes);
    ctr_str_addf(s, ",\"draws\":%zu", p->draws);
    json_own(s, e, 0);
    json_columns(s, e, p, p->draws > 1);
}

int eval_print_json(const struct ctr_evaluation *e, const char *const *runs,
                    const struct ctr_score_params *p, size_t n)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "{\"schema\":1,%s", n > 1 ? "\"runs\":[" : "");
    for (size_t i = 0; i < n; i++) {
        ctr_str_addf(&s, "%s", n == 1 ? "" : i ? ",{" : "{");
        json_run(&s, &e[i], runs[i], p);
        ctr_str_addf(&s, "%s", n == 1 ? "" : "}");
    }
    if (n > 1) {
        struct ctr_evaluation mean = mean_runs(e, n);
        ctr_str_addf(&s, "],\"mean\":{\"of\":%zu", n);
        json_own(&s, &mean, 1);
        json_columns(&s, &mean, p, 1);
        ctr_str_addf(&s, "}");
    }
    ctr_str_addf(&s, "}\n");
    return term_print(&s);
}
