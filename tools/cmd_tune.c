/* cmd_tune.c -- `clcontrast tune`: searches the fastest kernels for the training step that the
 * options describe, and keeps them for `train`. In: the options of train that shape a step. Out: a
 * table, or one JSON object, of what is known for its shapes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "cmd.h"
#include "graph/tune.h"
#include "interrupt.h"
#include "io/json.h"
#include "opt_train.h"
#include "term.h"

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct train_options, member, __VA_ARGS__)

static const struct opt tune_rows[] = {
    ROW(DOUBLE, budget, .name = "budget", .metavar = "SECONDS", .init = "60", .min = 0.1,
        .max = 1e6, .help = "time to search; what is found until then is kept"),
    ROW(FLAG, full, .name = "full", .flag_only = 1,
        .help = "search everything, also what is known, however long it takes"),
    ROW(FLAG, list, .name = "list", .flag_only = 1,
        .help = "print what is kept for the device, and stop"),
    ROW(FLAG, clear, .name = "clear", .flag_only = 1,
        .help = "forget what is kept, for all devices, and stop"),
    ROW(FLAG, json, .name = "json", .flag_only = 1, .help = "print one JSON object"),
    {.name = NULL},
};

/* The candidate that runs when a second signal comes will be left out from now on. */
static int stop(void *user)
{
    return interrupt_caught();
}

/* ---- what a person sees ---- */

struct output {
    int json, n;
    struct ctr_str text;
};

static void row_json(struct ctr_str *s, const struct ctr_tuned_entry *e, unsigned nodes, int fresh)
{
    static const char *const depth[] = {"part", "quick", "full"};
    const struct ctr_json_field fields[] = {
        ctr_json_str("op", e->op),
        ctr_json_str("shape", e->shape),
        ctr_json_str("own", e->own),
        ctr_json_str("chosen", e->chosen),
        ctr_json_num("own_seconds", e->own_s),
        ctr_json_num("chosen_seconds", e->chosen_s),
        ctr_json_num("error", e->error),
        ctr_json_str("searched", depth[e->depth]),
        ctr_json_int("nodes", nodes),
        ctr_json_bool("fresh", fresh),
    };
    ctr_json_object(s, fields, sizeof fields / sizeof *fields);
}

static void row(void *user, const struct ctr_tuned_entry *e, unsigned nodes, int fresh)
{
    struct output *out = user;
    if (out->json) {
        ctr_str_addf(&out->text, out->n++ ? "," : "");
        row_json(&out->text, e, nodes, fresh);
        return;
    }
    if (out->n++ == 0)
        ctr_str_addf(&out->text, "%-14s %-44s %-16s %-16s %9s %9s %6s %8s\n", "op", "shape",
                     "default", "chosen", "ms", "ms", "gain", "error");
    ctr_str_addf(&out->text, "%-14s %-44s %-16s %-16s %9.3f %9.3f %5.1f%% %8.1e%s\n", e->op,
                 e->shape, e->own, e->chosen, e->own_s * 1e3, e->chosen_s * 1e3,
                 e->own_s > 0 ? 100 * (1 - e->chosen_s / e->own_s) : 0.0, e->error,
                 e->depth == CTR_TUNE_PART ? "  (not all tried)" : "");
}

/* Rows become the whole object: {"device":...,"shapes":[rows],"skipped":[...]}. */
static int print(struct output *out, const struct ctr_caps *caps, const ctr_tuned *tuned)
{
    struct ctr_str s = {0};
    if (out->json) {
        ctr_str_addf(&s, "{\"device\":");
        ctr_str_json(&s, caps->name);
        ctr_str_addf(&s, ",\"driver\":");
        ctr_str_json(&s, caps->driver);
        ctr_str_addf(&s, ",\"shapes\":[%s],\"skipped\":[", out->text.s ? out->text.s : "");
        for (size_t i = 0; ctr_tuned_skipped(tuned, i); i++) {
            ctr_str_addf(&s, i ? "," : "");
            ctr_str_json(&s, ctr_tuned_skipped(tuned, i));
        }
        ctr_str_addf(&s, "]}\n");
    } else {
        ctr_str_addf(&s, "%s", out->text.s ? out->text.s : "");
        for (size_t i = 0; ctr_tuned_skipped(tuned, i); i++)
            ctr_str_addf(&s, "never tried again: %s\n", ctr_tuned_skipped(tuned, i));
    }
    s.failed |= out->text.failed;
    ctr_str_free(&out->text);
    return term_print(&s);
}

static void prepare(void *user, const char *what, size_t done, size_t total)
{
    term_progress("%s %zu/%zu", what, done, total);
}

static int progress(void *user, const struct ctr_tune_progress *p)
{
    char left[24];
    term_progress("%zu/%zu shapes, %u candidates, ETA %s  %s", p->done, p->total, p->tried,
                  term_duration(left, p->left_s), p->what);
    return stop(NULL);
}

/* ---- what is done ---- */

static int clear(void)
{
    size_t n;
    int rc = ctr_tuned_clear(&n);
    if (rc == 0)
        term_note("forgot what was kept for %zu device%s", n, n == 1 ? "" : "s");
    return rc;
}

static int list(const struct train_options *o)
{
    int rc = 0;
    struct output out = {.json = o->json};
    const struct ctr_tuned_entry *e;
    ctr_dev *dev = NULL;
    ctr_tuned *tuned = NULL;
    CTR_TRY(ctr_dev_open(
        &dev, o->s.device,
        &(struct ctr_dev_params){.quirks = o->s.quirk, .tf32 = CTR_SETTING_PLACE(&o->s, math)}));
    CTR_TRY(ctr_tuned_open(&tuned, dev));
    for (size_t i = 0; (e = ctr_tuned_entry(tuned, i)) != NULL; i++)
        row(&out, e, 0, 0);
    if (out.n == 0 && !o->json)
        term_note("nothing is kept for '%s'", ctr_dev_caps(dev)->name);
    CTR_TRY(print(&out, ctr_dev_caps(dev), tuned));
out:
    ctr_tuned_close(&tuned);
    ctr_dev_destroy(&dev);
    return rc;
}

static void say(const struct ctr_tune_report *r)
{
    char took[24];
    term_note("%zu of %zu shapes known; %u candidates tried, %u refused; %s", r->known, r->shapes,
              r->tried, r->refused, term_duration(took, r->seconds));
    if (r->own_s > 0)
        term_note("these ops of a step: %.1f ms by default, %.1f ms as chosen (%.1f%% less)",
                  r->own_s * 1e3, r->chosen_s * 1e3, 100 * (1 - r->chosen_s / r->own_s));
    if (r->out_of_time)
        term_note("out of time: what was found is kept; run it again for the others, or with a "
                  "longer --budget");
    else if (r->stopped)
        term_note("stopped: what was found is kept");
}

static int tune(struct train_command *c)
{
    int rc = 0;
    struct ctr_train_params params;
    struct ctr_tune_report report;
    struct output out = {.json = c->o.json};
    ctr_dev *dev = NULL;
    ctr_tuned *tuned = NULL;
    const struct ctr_train_events events = {.prepare = prepare, .stop = stop};
    const struct ctr_tune_params how = {.budget_s = c->o.full ? 0 : c->o.budget,
                                        .full = c->o.full,
                                        .user = &out,
                                        .progress = progress,
                                        .row = row};
    CTR_TRY(train_params(&params, c));
    rc = ctr_train_tune(&report, &params, &events, &how);
    term_progress_end();
    if (rc != 0)
        goto out;
    CTR_TRY(ctr_dev_open(&dev, c->o.s.device,
                         &(struct ctr_dev_params){.quirks = c->o.s.quirk,
                                                  .tf32 = CTR_SETTING_PLACE(&c->o.s, math)}));
    CTR_TRY(ctr_tuned_open(&tuned, dev));
    CTR_TRY(print(&out, ctr_dev_caps(dev), tuned));
    say(&report);
out:
    ctr_str_free(&out.text);
    ctr_tuned_close(&tuned);
    ctr_dev_destroy(&dev);
    return rc;
}

static int tables(struct opt_set *set, void *options, int argc, char **argv)
{
    return train_tables(options, set, &cmd_tune, argc, argv, opt_peek(argc, argv, "config"));
}

static int run(void *options, const struct opt_set *set)
{
    struct train_command *c = options;
    if (c->o.clear)
        return clear();
    if (c->o.list)
        return list(&c->o);
    int rc = train_settle(c, cmd_train.options);
    if (rc != 0)
        return rc;
    c->o.s.epochs = 1;
    interrupt_catch();
    return tune(c);
}

static const struct cmd_example examples[] = {
    {"clcontrast tune --encoder resnet18 --batch 64", "for `clcontrast train` with these options"},
    {"clcontrast tune --full --device gpu", "everything, on the first GPU"},
    {"clcontrast tune --list", "what has been found on this device"},
    {NULL, NULL},
};

const struct cmd cmd_tune = {
    .name = "tune",
    .summary = "search the fastest kernels for a training step on this device",
    .args = "",
    .about = "Times the variants of each op with the shapes of a training step, on made-up "
             "numbers. One is kept for later calls of `clcontrast train` when it is faster than "
             "the default by 3 % at least and computes the same. What is found holds for this "
             "device, driver and version. A candidate that takes the driver down is never tried "
             "again.",
    .examples = examples,
    .options = tune_rows,
    .tables = tables,
    .finish = train_finish,
    .bytes = sizeof(struct train_command),
    .run = run,
};
