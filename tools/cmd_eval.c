/* cmd_eval.c -- `clcontrast eval RUN`: what the features are worth, as a table or JSON. */
#include <stdio.h>
#include <string.h>

#include "base/os.h"
#include "cmd.h"
#include "term.h"
#include "train/evaluate.h"

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
    ROW(STR, device, .name = "device", .metavar = "D", .shown = "first GPU, else first device",
        .help = "number from `clcontrast devices`, cpu, gpu, or part of a name"),
    ROW(U64, limit, .name = "limit", .metavar = "N", .init = "0", .shown = "all", .max = 4e9,
        .help = "use at most so many images of each split"),
    ROW(STR, knn, .name = "knn", .metavar = "LIST", .init = "10,200@0.1",
        .help = "numbers of nearest neighbours that vote: K with one vote each, K@T weighted by "
                "exp(similarity / T); or none"),
    ROW(STR, probe, .name = "probe", .metavar = "LIST", .init = "sgd",
        .help = "linear classifiers: sgd (AdamW, 100 epochs), ridge (least squares in closed form), "
                "lbfgs (softmax regression with a penalty); or none"),
    ROW(FLAG, no_probe, .name = "no-probe", .help = "the same as --probe none"),
    ROW(STR, labels, .name = "labels", .metavar = "N", .shown = "all",
        .help = "use the labels of a few training images only, as many of each class: 1% of all, or "
                "10 of each class"),
    ROW(U64, draws, .name = "draws", .metavar = "N", .init = "1", .min = 1, .max = 1000,
        .help = "repeat what is drawn at random (--labels, parts to choose on, order) and show mean "
                "and deviation"),
    ROW(STR, confusion, .name = "confusion", .metavar = "FILE",
        .help = "PNG of which classes are taken for which, by the last protocol of the trained "
                "encoder"),
    ROW(U64, batch, .name = "batch", .letter = 'b', .metavar = "N", .init = "256", .min = 1,
        .max = 65536, .help = "images that go through the encoder at a time"),
    ROW(U64, threads, .name = "threads", .metavar = "N", .init = "0", .shown = "all processors",
        .max = 256, .help = "that decode images"),
    ROW(FLAG, baselines, .name = "baselines", .init = "1",
        .help = "leave out the untrained encoder and raw pixels"),
    ROW(FLAG, json, .name = "json", .help = "one JSON object instead of the table"),
    {.name = NULL},
};

static void stage(void *user, const char *what)
{
    term_progress("%s", what);
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
        if (ctr_parse_u64(word, &k) != 0 || k < 1 || k > CTR_KNN_K_MAX ||
            (weighted && (ctr_parse_double(at, &temperature) != 0 || !(temperature >= 0.01 && temperature <= 100))))
            return ctr_hint(ctr_fail(CTR_E_USAGE, "--knn: '%s%s%s' is not a number of neighbours",
                                     word, weighted ? "@" : "", weighted ? at : ""),
                            "K from 1 to %d, or K@T with a temperature from 0.01 to 100: --knn 10,200@0.1",
                            CTR_KNN_K_MAX);
        if (out->n_knn == CTR_SCORES_MAX)
            return full("knn");
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

/* ---- the table ---- */

static void cell(const struct ctr_scores *scores, const struct ctr_score *s, size_t draws)
{
    if (!scores->there)
        return;
    if (draws > 1)
        printf("  %8.2f +- %4.2f %%", 100 * s->mean, 100 * s->deviation);
    else
        printf("  %15.2f %%", 100 * s->mean);
}

static void line(const char *name, const struct ctr_evaluation *e, const struct ctr_score *trained,
                 const struct ctr_score *untrained, const struct ctr_score *pixels, size_t draws)
{
    printf("%-22s", name);
    cell(&e->trained, trained, draws);
    cell(&e->untrained, untrained, draws);
    cell(&e->pixels, pixels, draws);
    printf("\n");
}

static void knn_name(char *name, size_t room, const struct ctr_knn *knn)
{
    if (knn->temperature > 0)
        snprintf(name, room, "kNN k=%u T=%g", knn->k, knn->temperature);
    else
        snprintf(name, room, "kNN k=%u", knn->k);
}

static void print_scores(const struct ctr_evaluation *e, const struct ctr_score_params *p)
{
    char name[64];
    printf("%-22s  %17s", "", "trained encoder");
    if (e->untrained.there)
        printf("  %17s  %17s", "untrained encoder", "raw pixels");
    printf("\n");
    for (size_t i = 0; i < p->n_knn; i++) {
        knn_name(name, sizeof name, &p->knn[i]);
        line(name, e, &e->trained.knn[i], &e->untrained.knn[i], &e->pixels.knn[i], p->draws);
    }
    for (size_t i = 0; i < p->n_probes; i++) {
        snprintf(name, sizeof name, "linear probe, %s", ctr_probe_name(p->probe[i]));
        line(name, e, &e->trained.probe[i], &e->untrained.probe[i], &e->pixels.probe[i], p->draws);
    }
    if (e->classifier == e->classifier)
        printf("%-22s  %15.2f %%\n", "own classifier", 100 * e->classifier);
}

/* ---- the protocols in words ---- */

static const char *const probe_words[CTR_PROBES] = {
    [CTR_PROBE_SGD] = "softmax regression on standardised features, AdamW without decay, learning rate "
                      "0.01 falling as a cosine, 100 epochs, the last one counts",
    [CTR_PROBE_RIDGE] = "least squares onto the classes, standardised features, L2 penalty",
    [CTR_PROBE_LBFGS] = "softmax regression on standardised features, minimised by L-BFGS, L2 penalty",
};

static void sentence(const char *text)
{
    struct ctr_str s = {0};
    opt_wrap(&s, text, 2, 0, 80);
    if (!s.failed)
        fputs(s.s, stdout);
    ctr_str_free(&s);
}

static void print_words(const struct ctr_evaluation *e, const struct ctr_score_params *p)
{
    char name[64], text[512];
    printf("\n");
    for (size_t i = 0; i < p->n_knn; i++) {
        knn_name(name, sizeof name, &p->knn[i]);
        snprintf(text, sizeof text, "%s: the %u training images nearest by cosine similarity vote, ",
                 name, p->knn[i].k);
        size_t at = strlen(text);
        if (p->knn[i].k == 1)
            snprintf(text, sizeof text, "%s: the training image nearest by cosine similarity", name);
        else if (p->knn[i].temperature > 0)
            snprintf(text + at, sizeof text - at, "weighted by exp(similarity / %g)",
                     p->knn[i].temperature);
        else
            snprintf(text + at, sizeof text - at, "one vote each");
        sentence(text);
    }
    for (size_t i = 0; i < p->n_probes; i++) {
        int n = snprintf(text, sizeof text, "linear probe, %s: %s", ctr_probe_name(p->probe[i]),
                         probe_words[p->probe[i]]);
        if (e->trained.probe[i].penalty > 0)
            snprintf(text + n, sizeof text - (size_t)n,
                     " %g for the trained encoder, chosen on one training image in five, then fitted to all",
                     e->trained.probe[i].penalty);
        sentence(text);
    }
    if (p->labels.share > 0 || p->labels.per_class > 0) {
        snprintf(text, sizeof text, "labels: of %zu training images only, as many of each class; no "
                 "other training image is seen by any protocol", e->trained.n_train);
        sentence(text);
    }
    if (e->classifier == e->classifier) {
        snprintf(text, sizeof text, "own classifier: the linear layer that the run has trained along with "
                 "its encoder on %zu images with labels", e->n_learnt_from);
        sentence(text);
    }
    if (p->draws > 1) {
        snprintf(text, sizeof text, "mean and standard deviation of %zu draws of what is random in the "
                 "evaluation; the encoder is the same", p->draws);
        sentence(text);
    }
}

static void print_table(const struct ctr_evaluation *e, const struct ctr_evaluate_params *params)
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
    print_scores(e, &params->score);
    print_words(e, &params->score);
}

/* ---- JSON ---- */

static void json_score(struct ctr_str *s, const struct ctr_score *score, size_t draws)
{
    ctr_str_addf(s, ",\"accuracy\":");
    ctr_str_json_num(s, score->mean);
    if (draws > 1) {
        ctr_str_addf(s, ",\"deviation\":");
        ctr_str_json_num(s, score->deviation);
    }
    ctr_str_addf(s, "}");
}

/* "knn10", "knn200", "linear": the usual protocols by short names; then a list of all. */
static void json_scores(struct ctr_str *s, const char *name, const struct ctr_scores *scores,
                        const struct ctr_score_params *p)
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
        ctr_str_addf(s, "%s{\"protocol\":\"knn\",\"k\":%u,\"temperature\":", i ? "," : "", p->knn[i].k);
        ctr_str_json_num(s, p->knn[i].temperature);
        json_score(s, &scores->knn[i], p->draws);
    }
    for (size_t i = 0; i < p->n_probes; i++) {
        ctr_str_addf(s, "%s{\"protocol\":\"%s\",\"penalty\":", i + p->n_knn ? "," : "",
                     ctr_probe_name(p->probe[i]));
        ctr_str_json_num(s, scores->probe[i].penalty);
        json_score(s, &scores->probe[i], p->draws);
    }
    ctr_str_addf(s, "]}");
}

static int print_json(const struct ctr_evaluation *e, const struct ctr_evaluate_params *params)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "{\"schema\":1,\"run\":");
    ctr_str_json(&s, params->run);
    ctr_str_addf(&s, ",\"encoder\":\"%s\",\"step\":%llu,\"features\":%zu,\"data\":", e->encoder,
                 (unsigned long long)e->step, e->dim);
    ctr_str_json(&s, e->data);
    ctr_str_addf(&s, ",\"train\":%zu,\"test\":%zu,\"held_out\":%s,\"skipped\":%zu,\"classes\":%u",
                 e->n_train, e->n_test, e->held_out ? "true" : "false", e->n_skipped, e->classes);
    ctr_str_addf(&s, ",\"draws\":%zu", params->score.draws);
    if (e->classifier == e->classifier) {
        ctr_str_addf(&s, ",\"classifier\":{\"images\":%zu,\"accuracy\":", e->n_learnt_from);
        ctr_str_json_num(&s, e->classifier);
        ctr_str_addf(&s, "}");
    }
    json_scores(&s, "trained", &e->trained, &params->score);
    json_scores(&s, "untrained", &e->untrained, &params->score);
    json_scores(&s, "pixels", &e->pixels, &params->score);
    ctr_str_addf(&s, "}\n");
    int failed = s.failed;
    if (!failed)
        fputs(s.s, stdout);
    ctr_str_free(&s);
    return failed ? CTR_E_FAIL : 0;
}

static int run(int argc, char **argv)
{
    struct opt_set set = {0};
    struct eval_options o = {0};
    struct ctr_evaluation e;
    int rc = 0;
    CTR_TRY(cmd_options(&set, &cmd_eval, &o));
    CTR_TRY(cmd_parse(&set, &cmd_eval, argc, argv));
    struct ctr_evaluate_params params = {.run = set.args[0],
                                         .data = o.data,
                                         .device = o.device,
                                         .limit = o.limit,
                                         .batch = o.batch,
                                         .threads = o.threads,
                                         .confusion = o.confusion,
                                         .no_baselines = !o.baselines};
    CTR_TRY(parse(&params.score, &o));
    rc = ctr_evaluate(&e, &params, stage, NULL);
    term_progress_end();
    if (rc == 0 && o.json)
        rc = print_json(&e, &params);
    else if (rc == 0)
        print_table(&e, &params);
    if (rc == 0 && e.n_skipped)
        rc = ctr_fail(CTR_E_PARTIAL, "%zu file%s skipped", e.n_skipped,
                      e.n_skipped == 1 ? " was" : "s were");
out:
    opt_finish(&set);
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast eval runs/1", "score the newest checkpoint on the data it was trained on"},
    {"clcontrast eval runs/1 --data cifar10 --json", "on other labelled images, as JSON"},
    {"clcontrast eval runs/1 --knn 1,10,20,200 --probe ridge --confusion confusion.png",
     "more neighbours, a probe in closed form, a picture"},
    {"clcontrast eval runs/1 --labels 1% --probe ridge --draws 5", "with few labels, five times"},
    {NULL, NULL},
};

const struct cmd cmd_eval = {
    .name = "eval",
    .summary = "score a trained encoder: nearest neighbours, linear probe, baselines",
    .args = "RUN",
    .min_args = 1,
    .max_args = 1,
    .about = "Embeds the train and test images with RUN's newest checkpoint (features before the "
             "projection head) and scores them by the nearest neighbours and by linear classifiers. "
             "Beside it the same encoder untrained, and raw pixels. What has to be chosen, such as a "
             "penalty, is chosen on a part of the training images; the test images are scored once. "
             "Where the data have no test split, one image in five, chosen by its name, is held out "
             "as one. docs/EVALUATION.md defines each protocol.",
    .examples = examples,
    .options = rows,
    .run = run,
};
