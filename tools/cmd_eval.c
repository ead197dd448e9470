/* cmd_eval.c -- `clcontrast eval RUN`: what the features are worth, as a table or JSON. */
#include <stdio.h>

#include "base/os.h"
#include "cmd.h"
#include "term.h"
#include "train/evaluate.h"

struct eval_options {
    const char *data, *device;
    uint64_t limit, batch, threads;
    int json, probe, baselines;
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
    ROW(U64, batch, .name = "batch", .letter = 'b', .metavar = "N", .init = "256", .min = 1,
        .max = 65536, .help = "images that go through the encoder at a time"),
    ROW(U64, threads, .name = "threads", .metavar = "N", .init = "0", .shown = "all processors",
        .max = 256, .help = "that decode images"),
    ROW(FLAG, probe, .name = "probe", .init = "1",
        .help = "leave out the linear classifiers, which take longest"),
    ROW(FLAG, baselines, .name = "baselines", .init = "1",
        .help = "leave out the untrained encoder and raw pixels"),
    ROW(FLAG, json, .name = "json", .help = "one JSON object instead of the table"),
    {.name = NULL},
};

static void stage(void *user, const char *what)
{
    term_progress("%s", what);
}

static void percent(double share)
{
    if (share < 0)
        printf("  %12s", "-");
    else
        printf("  %10.2f %%", 100 * share);
}

static void table_row(const char *name, const struct ctr_scores *s)
{
    if (s->knn10 < 0)
        return;
    printf("%-20s", name);
    percent(s->knn10);
    percent(s->knn200);
    percent(s->linear);
    printf("\n");
}

static void print_table(const struct ctr_evaluation *e, const char *run)
{
    struct ctr_str path = {0};
    term_escape(&path, run);
    printf("%s: %s, step %llu, %zu features\n", path.s ? path.s : "", e->encoder,
           (unsigned long long)e->step, e->dim);
    ctr_str_free(&path);
    term_escape(&path, e->data);
    printf("%s: %zu training and %zu test images%s, %u classes\n\n", path.s ? path.s : "",
           e->n_train, e->n_test, e->held_out ? " (held out by name)" : "", e->classes);
    ctr_str_free(&path);
    printf("%-20s  %12s  %12s  %12s\n", "", "kNN k=10", "kNN k=200", "linear probe");
    table_row("trained encoder", &e->trained);
    table_row("untrained encoder", &e->untrained);
    table_row("raw pixels", &e->pixels);
}

static void json_scores(struct ctr_str *s, const char *name, const struct ctr_scores *scores)
{
    if (scores->knn10 < 0)
        return;
    ctr_str_addf(s, ",\"%s\":{\"knn10\":", name);
    ctr_str_json_num(s, scores->knn10);
    ctr_str_addf(s, ",\"knn200\":");
    ctr_str_json_num(s, scores->knn200);
    if (scores->linear >= 0) {
        ctr_str_addf(s, ",\"linear\":");
        ctr_str_json_num(s, scores->linear);
    }
    ctr_str_addf(s, "}");
}

static int print_json(const struct ctr_evaluation *e, const char *run)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "{\"schema\":1,\"run\":");
    ctr_str_json(&s, run);
    ctr_str_addf(&s, ",\"encoder\":\"%s\",\"step\":%llu,\"features\":%zu,\"data\":", e->encoder,
                 (unsigned long long)e->step, e->dim);
    ctr_str_json(&s, e->data);
    ctr_str_addf(&s, ",\"train\":%zu,\"test\":%zu,\"held_out\":%s,\"skipped\":%zu,\"classes\":%u",
                 e->n_train, e->n_test, e->held_out ? "true" : "false", e->n_skipped, e->classes);
    json_scores(&s, "trained", &e->trained);
    json_scores(&s, "untrained", &e->untrained);
    json_scores(&s, "pixels", &e->pixels);
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
    const struct ctr_evaluate_params params = {.run = set.args[0],
                                               .data = o.data,
                                               .device = o.device,
                                               .limit = o.limit,
                                               .batch = o.batch,
                                               .threads = o.threads,
                                               .no_probe = !o.probe,
                                               .no_baselines = !o.baselines};
    rc = ctr_evaluate(&e, &params, stage, NULL);
    term_progress_end();
    if (rc == 0 && o.json)
        rc = print_json(&e, params.run);
    else if (rc == 0)
        print_table(&e, params.run);
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
    {NULL, NULL},
};

const struct cmd cmd_eval = {
    .name = "eval",
    .summary = "score a trained encoder: nearest neighbours, linear probe, baselines",
    .args = "RUN",
    .min_args = 1,
    .max_args = 1,
    .about = "Embeds the train and test images with RUN's newest checkpoint (features before the "
             "projection head) and scores them: k nearest neighbours by cosine similarity (10 with "
             "one vote each; 200 weighted by exp(similarity / 0.1)) and a linear probe (AdamW, 100 "
             "epochs, last epoch). Beside it the same encoder untrained, and raw pixels. Where the "
             "data have no test split, one image in five, chosen by its name, is held out as one.",
    .examples = examples,
    .options = rows,
    .run = run,
};
