/* cmd_eval.c -- `clcontrast eval RUN...`: what the features of one run, or of several, are worth.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "cmd.h"
#include "eval_print.h"
#include "names.h"
#include "out.h"
#include "term.h"

struct eval_options {
    const char *data, *device, *knn, *probe, *labels, *confusion;
    uint64_t limit, batch, threads, draws;
    int json, no_probe, baselines;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct eval_options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(STR, data, .name = "data", .letter = 'd', .metavar = "PATH",
        .shown = "what the run was trained on",
        .help = "labelled images; without a test split, a fifth of them is held out to test on"),
    OPT_DEVICE(struct eval_options),
    ROW(U64, limit, .name = "limit", .metavar = "N", .init = "0", .shown = "all", .max = 4e9,
        .help = "use at most so many images of each split"),
    ROW(STR, knn, .name = "knn", .metavar = "LIST", .init = "10,200@0.1",
        .help = "numbers of nearest neighbours that vote: K with one vote each, K@T weighted by "
                "exp(similarity / T), auto: both chosen on a part of the training images; or none"),
    ROW(STR, probe, .name = "probe", .metavar = "LIST", .init = "sgd",
        .help =
            "linear classifiers: sgd (AdamW, 100 epochs), ridge (least squares in closed form), "
            "lbfgs (softmax regression with a penalty); or none"),
    ROW(FLAG, no_probe, .name = "no-probe", .help = "the same as --probe none"),
    ROW(STR, labels, .name = "labels", .metavar = "N", .shown = "all",
        .help =
            "use the labels of a few training images only, as many of each class: 1% of all, or "
            "10 of each class"),
    ROW(U64, draws, .name = "draws", .metavar = "N", .init = "1", .min = 1, .max = 1000,
        .help =
            "repeat what is drawn at random (--labels, parts to choose on, order) and show mean "
            "and deviation"),
    ROW(STR, confusion, .name = "confusion", .metavar = "FILE",
        .help = "PNG of which classes are taken for which, by the last protocol of the trained "
                "encoder"),
    OPT_BATCH(struct eval_options, "256"),
    OPT_THREADS(struct eval_options),
    ROW(FLAG, baselines, .name = "baselines", .init = "1",
        .help = "leave out the untrained encoder and raw pixels"),
    ROW(FLAG, json, .name = "json", .help = "one JSON object instead of the table"),
    {.name = NULL},
};

/* user: the run's name when there are several. */
static void stage(void *user, const char *what)
{
    const char *run = user;
    term_progress("%s%s%s", run ? run : "", run ? ": " : "", what);
}

/* ---- what is asked for ---- */

/* The next word of a list parted by commas, cut to fit; 0 at the end. */
static int next_word(char *word, size_t room, const char **list)
{
    if (!*list)
        return 0;
    size_t n = strcspn(*list, ",");
    snprintf(word, room, "%.*s", (int)n, *list);
    *list = (*list)[n] ? *list + n + 1 : NULL;
    return 1;
}

static int full(const char *option)
{
    return ctr_fail(CTR_E_USAGE, "--%s: more than %d", option, CTR_SCORES_MAX);
}

static int parse_knn(struct ctr_score_params *out, const char *list)
{
    char word[32];
    if (strcmp(list, "none") == 0)
        return 0;
    while (next_word(word, sizeof word, &list)) {
        unsigned long long k = 0;
        double temperature = 0;
        char *at = strchr(word, '@');
        int weighted = at != NULL;
        if (weighted)
            *at++ = '\0';
        if (out->n_knn == CTR_SCORES_MAX)
            return full("knn");
        if (!weighted && strcmp(word, "auto") == 0) {
            out->knn[out->n_knn++] = (struct ctr_knn){0, 0};
            continue;
        }
        if (ctr_parse_u64(word, &k) != 0 || k < 1 || k > CTR_KNN_K_MAX ||
            (weighted && (ctr_parse_double(at, &temperature) != 0 ||
                          !(temperature >= 0.01 && temperature <= 100))))
            return ctr_hint(ctr_fail(CTR_E_USAGE, "--knn: '%s%s%s' is not a number of neighbours",
                                     word, weighted ? "@" : "", weighted ? at : ""),
                            "K from 1 to %d, or K@T with a temperature from 0.01 to 100, or auto: "
                            "--knn 10,200@0.1",
                            CTR_KNN_K_MAX);
        out->knn[out->n_knn++] = (struct ctr_knn){(unsigned)k, temperature};
    }
    return 0;
}

static int parse_probes(struct ctr_score_params *out, const char *list)
{
    char word[32];
    if (strcmp(list, "none") == 0)
        return 0;
    while (next_word(word, sizeof word, &list)) {
        struct opt_near near = {0};
        unsigned i = 0;
        while (i < CTR_PROBES && strcmp(word, ctr_probe_name(i)) != 0)
            opt_near_offer(&near, word, ctr_probe_name(i++));
        if (i == CTR_PROBES) {
            int rc = ctr_fail(CTR_E_USAGE, "--probe: there is no '%s'", word);
            return near.best ? ctr_hint(rc, "did you mean '%s'?", near.best) : rc;
        }
        if (out->n_probes == CTR_SCORES_MAX)
            return full("probe");
        out->probe[out->n_probes++] = (enum ctr_probe)i;
    }
    return 0;
}

static int parse_labels(struct ctr_few *out, const char *text)
{
    int rc = text ? ctr_few_parse(out, text) : 0;
    return rc ? ctr_fail_in(rc, "--labels") : 0;
}

static int parse(struct ctr_score_params *out, const struct eval_options *o)
{
    int rc = parse_knn(out, o->knn);
    if (rc == 0 && !o->no_probe)
        rc = parse_probes(out, o->probe);
    if (rc == 0)
        rc = parse_labels(&out->labels, o->labels);
    out->draws = (size_t)o->draws;
    if (rc == 0 && out->n_knn + out->n_probes == 0)
        rc = ctr_fail(CTR_E_USAGE, "neither --knn nor --probe leaves anything to do");
    return rc;
}

/* ---- running ---- */

/* A mean is of runs that differ in nothing but what training draws. */
static int check_alike(const struct ctr_evaluation *e, const char *const *runs, size_t n)
{
    const struct ctr_evaluation *a = &e[0], *b = &e[n];
    int same = strcmp(a->encoder, b->encoder) == 0 && a->dim == b->dim &&
               strcmp(a->data, b->data) == 0 && a->n_train == b->n_train && a->n_test == b->n_test;
    if (!same)
        return ctr_hint(ctr_fail(CTR_E_USAGE,
                                 "'%s' and '%s' differ in encoder or images: a mean of them "
                                 "says nothing",
                                 runs[0], runs[n]),
                        "evaluate them one by one, or name the same images for all by --data");
    for (size_t i = 0; i < n; i++)
        if (e[i].seed == b->seed)
            term_warn("'%s' and '%s' have the same seed: their deviation says nothing", runs[i],
                      runs[n]);
    return 0;
}

/* Each run in turn, its table as soon as it is there. */
static int evaluate(struct ctr_evaluation *e, const char *const *runs, size_t n,
                    struct ctr_evaluate_params *params, int json)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        params->run = runs[i];
        rc = ctr_evaluate(&e[i], params, stage, n > 1 ? (void *)runs[i] : NULL);
        term_progress_end();
        CTR_TRY(rc);
        if (i > 0)
            CTR_TRY(check_alike(e, runs, i));
        if (!json) {
            printf("%s", i ? "\n" : "");
            eval_print_table(&e[i], params);
        }
    }
    if (json)
        CTR_TRY(eval_print_json(e, runs, &params->score, n));
    if (!json && n > 1)
        eval_print_mean(e, &params->score, n);
    if (!json)
        eval_print_words(&e[0], &params->score, n > 1);
out:
    return rc;
}

static int run(void *options, const struct opt_set *set)
{
    const struct eval_options *o = options;
    struct ctr_evaluation *e = NULL;
    struct ctr_evaluate_params params = {.data = o->data,
                                         .device = o->device,
                                         .limit = o->limit,
                                         .batch = o->batch,
                                         .threads = o->threads,
                                         .confusion = o->confusion,
                                         .no_baselines = !o->baselines};
    size_t n_skipped = 0;
    int rc = 0;
    CTR_TRY(parse(&params.score, o));
    if (o->confusion && set->n_args > 1)
        CTR_TRY(ctr_fail(CTR_E_USAGE, "--confusion is the picture of one run, not of %zu",
                         set->n_args));
    CTR_TRY(out_check("confusion", o->confusion, 1));
    CTR_TRY(out_spares("confusion", o->confusion, set->args, set->n_args));
    if (!(e = ctr_alloc(set->n_args, sizeof *e)))
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(evaluate(e, set->args, set->n_args, &params, o->json));
    for (size_t i = 0; i < set->n_args; i++)
        n_skipped += e[i].n_skipped;
    if (n_skipped)
        rc = ctr_fail(CTR_E_PARTIAL, "%zu file%s skipped", n_skipped,
                      n_skipped == 1 ? " was" : "s were");
out:
    free(e);
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast eval runs/1", "score the newest checkpoint on the data it was trained on"},
    {"clcontrast eval runs/1 --data cifar10 --json", "on other labelled images, as JSON"},
    {"clcontrast eval runs/1 --knn 1,10,20,200 --probe ridge --confusion confusion.png",
     "more neighbours, a probe in closed form, a picture"},
    {"clcontrast eval runs/1 --labels 1% --probe ridge --draws 5", "with few labels, five times"},
    {"clcontrast eval runs/seed1 runs/seed2 runs/seed3 --knn auto",
     "three runs that differ in --seed, and the mean of their scores"},
    {NULL, NULL},
};

const struct cmd cmd_eval = {
    .name = "eval",
    .summary = "score a trained encoder: nearest neighbours, linear probe, baselines",
    .args = "RUN...",
    .min_args = 1,
    .max_args = CTR_RUNS_MAX,
    .about =
        "Embeds the train and test images with RUN's newest checkpoint (features before the "
        "projection head) and scores them by the nearest neighbours and by linear classifiers. "
        "Beside it the same encoder untrained, and raw pixels. Several RUNs, of several seeds, "
        "end in the mean and deviation of their scores. What has to be chosen, such as a "
        "penalty, is chosen on a part of the training images; the test images are scored once. "
        "Where the data have no test split, one image in five, chosen by its name, is held out "
        "as one. docs/EVALUATION.md defines each protocol.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct eval_options),
    .run = run,
};
