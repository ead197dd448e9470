/* cmd_train.c -- `clcontrast train`: parameters from the command line (or a run's configuration, to
 * resume it), progress on the terminal, the trainer does the rest. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "clcontrast/status.h"
#include "cmd.h"
#include "config.h"
#include "data/data.h"
#include "dry_run.h"
#include "interrupt.h"
#include "names.h"
#include "opt_train.h"
#include "profile.h"
#include "term.h"
#include "train_json.h"

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct train_options, member, __VA_ARGS__)

static const struct opt run_rows[] = {
    SETTING(out, .name = "out", .letter = 'o', .metavar = "RUN", .shown = "runs/NUMBER",
            .help = "new directory for configuration, metrics and checkpoints"),
    ROW(STR, resume, .name = "resume", .metavar = "RUN", .flag_only = 1,
        .help = "go on from the newest checkpoint of RUN, with RUN's configuration"),
    SETTING(init, .name = "init", .metavar = "MODEL", .shown = "drawn at random",
            .help =
                "weights to start from: the encoder, and heads that fit, of a run or a safetensors "
                "file"),
    SETTING(labels, .name = "labels", .metavar = "N", .shown = "all", .check = train_labels_check,
            .help =
                "for methods that need labels: those of a few images only, as many of each class, "
                "drawn by the seed: 1% of all, or 10 of each class"),
    SETTING(epochs, .name = "epochs", .letter = 'e', .metavar = "N",
            .help = "passes over the images"),
    SETTING(steps, .name = "steps", .metavar = "N", .shown = "all of the epochs",
            .help = "end after so many steps, if the epochs have more"),
    SETTING(seed, .name = "seed", .metavar = "N",
            .help = "of everything random: same seed, same device, same bits"),
    SETTING(validation, .name = "validation", .metavar = "SHARE",
            .help = "of the images, held out: the loss on them is told after each epoch"),
    SETTING(checkpoint_steps, .name = "checkpoint-steps", .metavar = "N",
            .shown = "at each epoch's end", .help = "save every so many steps, too"),
    SETTING(keep, .name = "keep", .metavar = "N", .help = "newest checkpoints to keep (0: all)"),
    SETTING(log_steps, .name = "log-steps", .metavar = "N",
            .help = "steps from one line of metrics.jsonl to the next"),
    SETTING(tune, .name = "tune", .metavar = "WHEN", .check = train_tune_check,
            .help =
                "auto, off or SECONDS: kernels found by `clcontrast tune` are used; on GPUs, or "
                "with SECONDS, unknown ones are searched for first"),
    ROW(FLAG, dry_run, .name = "dry-run", .flag_only = 1,
        .help =
            "check options, device, images and --out, print what the run would be and what a step "
            "takes, write nothing, and stop"),
    ROW(FLAG, print_config, .name = "print-config", .flag_only = 1,
        .help =
            "print all options of the run as a file for --config, each with who set it, and stop"),
    ROW(FLAG, json, .name = "json", .flag_only = 1,
        .help = "a JSON object a line: each epoch, the end of the run; or what --dry-run tells"),
    ROW(FLAG, profile, .name = "profile",
        .help = "time every kernel and print a table at the end (slower)"),
    {.name = NULL},
};

/* ---- what a person sees ---- */

static int stop(void *user)
{
    return interrupt_caught();
}

static void prepare(void *user, const char *what, size_t done, size_t total)
{
    term_progress("%s %zu/%zu", what, done, total);
}

static void line(struct ctr_str *s, const struct ctr_train_progress *p)
{
    ctr_str_addf(s, "epoch %llu/%llu  loss %.4f", (unsigned long long)p->epoch,
                 (unsigned long long)p->epochs, p->loss);
    if (p->chance > 0)
        ctr_str_addf(s, " (%.0f%% of chance)", 100 * p->loss / p->chance);
    if (p->positive_top1 == p->positive_top1)
        ctr_str_addf(s, "  top1 %.0f%%", 100 * p->positive_top1);
    if (p->pairs_right == p->pairs_right)
        ctr_str_addf(s, "  pairs right %.0f%%", 100 * p->pairs_right);
}

/* What the projections look like: at the ends of epochs. */
static void health(struct ctr_str *s, const struct ctr_health *h)
{
    if (h->alignment == h->alignment)
        ctr_str_addf(s, "  align %.2f", h->alignment);
    if (h->uniformity == h->uniformity)
        ctr_str_addf(s, "  uniform %.2f", h->uniformity);
    if (h->rank == h->rank)
        ctr_str_addf(s, "  rank %.0f/%.0f  std %.2f", h->rank, h->rank_max, h->std);
}

static void validation(struct ctr_str *s, const struct ctr_train_figures *v)
{
    if (v->loss == v->loss)
        ctr_str_addf(s, "  validation loss %.4f", v->loss);
    if (v->positive_top1 == v->positive_top1)
        ctr_str_addf(s, "  top1 %.0f%%", 100 * v->positive_top1);
    if (v->pairs_right == v->pairs_right)
        ctr_str_addf(s, "  pairs right %.1f%%", 100 * v->pairs_right);
}

static void progress(void *user, const struct ctr_train_progress *p)
{
    struct ctr_str s = {0};
    char eta[24];
    line(&s, p);
    if (s.s)
        term_progress("%s  %.0f images/s  step %llu/%llu  ETA %s", s.s, p->images_per_s,
                      (unsigned long long)p->step, (unsigned long long)p->steps,
                      term_duration(eta, p->eta_s));
    ctr_str_free(&s);
}

struct listener {
    enum ctr_verdict said; /* each once, and again at the end */
    int json;
};

static void epoch(void *user, const struct ctr_train_progress *p)
{
    struct ctr_str s = {0};
    char eta[24];
    struct listener *to = user;
    if (to->json)
        train_json_epoch(p);
    line(&s, p);
    validation(&s, &p->validation);
    health(&s, &p->health);
    if (s.s)
        term_note("%s  %.0f images/s  ETA %s", s.s, p->images_per_s, term_duration(eta, p->eta_s));
    if (p->verdict != to->said && ctr_verdict_text(p->verdict))
        term_warn("%s", ctr_verdict_text(p->verdict));
    to->said = p->verdict;
    ctr_str_free(&s);
}

/* A device of its own measures the peaks: the run's may be full. Without them there are no floors.
 */
static int measure_peaks(struct ctr_peaks *peaks, const struct train_options *o)
{
    ctr_dev *dev = NULL;
    int rc = ctr_dev_open(&dev, o->s.device, &(struct ctr_dev_params){.quirks = o->s.quirk});
    if (rc == 0)
        rc = ctr_dev_measure(peaks, dev);
    ctr_dev_destroy(&dev);
    return rc;
}

static void print_profile(ctr_dev *dev)
{
    struct ctr_profile_row *rows = NULL;
    unsigned n = 0;
    if (ctr_dev_profile(&rows, &n, dev) != 0)
        return;
    profile_print(rows, n, 0);
    free(rows);
}

static void say_skipped(ctr_trainer *t)
{
    size_t bad = ctr_trainer_n_skipped(t);
    for (size_t i = 0; i < bad && i < 5; i++) {
        struct ctr_data_skip skip = ctr_trainer_skip(t, i);
        struct ctr_str path = {0};
        term_escape(&path, skip.path);
        term_warn("skipped '%s': %s", path.s ? path.s : "", skip.reason);
        ctr_str_free(&path);
    }
    if (bad > 5)
        term_warn("%zu more images skipped", bad - 5);
}

static void say_start(ctr_trainer *t, uint64_t batch)
{
    const struct ctr_data_info *d = ctr_data_info(ctr_trainer_data(t));
    struct ctr_plan_report r = ctr_graph_report(ctr_trainer_graph(t));
    char kind[48];
    term_note("%s: %zu images of %ux%u%s (%s), %zu parameters, %llu steps%s", d->path, d->n,
              d->width, d->height, train_pixels(kind, d),
              ctr_trainer_resident_bytes(t) ? "on the device" : "streamed", r.param_count,
              (unsigned long long)ctr_trainer_total(t), ctr_trainer_done(t) ? ", resumed" : "");
    if (ctr_trainer_n_validation(t))
        term_note("%zu images more are held out for validation", ctr_trainer_n_validation(t));
    if (ctr_trainer_start(t))
        term_note("weights %s", ctr_trainer_start(t));
    if (ctr_trainer_held_out(t))
        term_note(
            "one image in five, told by name, is left out for `clcontrast eval`, since the method "
            "sees labels");
    if (d->n % batch)
        term_note("each epoch leaves out %zu images, others each time: batches are full",
                  (size_t)(d->n % batch));
}

/* ---- running ---- */

/* CTR_E_PARTIAL when images could not be used; `list`: the run that names them, or NULL. */
static int tell_skipped(ctr_trainer *t, const char *list)
{
    size_t bad = ctr_trainer_n_skipped(t);
    if (bad == 0)
        return 0;
    return ctr_fail(CTR_E_PARTIAL, "%zu file%s skipped%s%s%s", bad, bad == 1 ? " was" : "s were",
                    list ? ": see " : "", list ? list : "", list ? "/skipped.tsv" : "");
}

static int train(ctr_trainer *t, const struct train_command *c, const struct ctr_peaks *peaks,
                 const struct listener *listener, double start)
{
    char took[24];
    ctr_dev_set_peaks(ctr_trainer_dev(t), peaks);
    say_start(t, c->o.s.batch);
    say_skipped(t);
    int rc = ctr_trainer_run(t);
    term_progress_end();
    if (rc != 0)
        return rc;
    if (c->o.profile)
        print_profile(ctr_trainer_dev(t));
    term_note("%s after %llu of %llu steps, %s; in %s", interrupt_caught() ? "stopped" : "done",
              (unsigned long long)ctr_trainer_done(t), (unsigned long long)ctr_trainer_total(t),
              term_duration(took, ctr_now() - start), c->o.s.out);
    if (ctr_verdict_text(listener->said))
        term_warn("it ended %s", ctr_verdict_text(listener->said));
    if (c->o.json)
        train_json_end(t, c, ctr_verdict_text(listener->said), ctr_now() - start);
    return tell_skipped(t, c->o.s.out);
}

static int run_training(struct train_command *c)
{
    struct ctr_train_params params;
    struct listener listener = {.said = CTR_VERDICT_EARLY, .json = c->o.json};
    const struct ctr_train_events events = {
        .user = &listener, .prepare = prepare, .progress = progress, .epoch = epoch, .stop = stop};
    ctr_trainer *t = NULL;
    struct ctr_peaks peaks = {0};
    double start = ctr_now();
    int rc = train_params(&params, c);
    if (rc == 0 && c->o.dry_run)
        rc = dry_run_check(&params, c);
    else if (rc == 0 && c->o.profile)
        rc = measure_peaks(&peaks, &c->o);
    if (rc == 0)
        rc = ctr_trainer_create(&t, &params, &events);
    term_progress_end();
    if (rc == CTR_E_FAIL && interrupt_caught()) {
        term_note("stopped before training began");
        rc = 0;
    } else if (rc == 0 && c->o.dry_run) {
        say_skipped(t);
        if (c->o.json)
            train_json_plan(t, c);
        else
            rc = dry_run_print(t, c);
        rc = rc ? rc : tell_skipped(t, NULL);
    } else if (rc == 0) {
        rc = train(t, c, &peaks, &listener, start);
    }
    ctr_trainer_destroy(&t);
    return rc;
}

/* runs/1, runs/2, ...: the first that is not there. */
static void default_out(struct train_command *c)
{
    for (unsigned i = 1; i < 100000; i++) {
        snprintf(c->out, sizeof c->out, "runs/%u", i);
        if (access(c->out, F_OK) != 0)
            break;
    }
    c->o.s.out = c->out;
}

/* What the command line says against the run's own configuration. */
static int check_resume(struct train_command *c)
{
    static const char *const may_change[] = {
        "device", "threads", "profile", "sync",      "stream", "kernel",       "quirk", "resume",
        "keep",   "dry-run", "json",    "recompute", "tune",   "print-config", NULL};
    for (unsigned g = 0; g < c->set->n_groups; g++)
        for (const struct opt *row = c->set->groups[g].rows; row->name; row++) {
            const char *const *ok = may_change;
            while (*ok && strcmp(*ok, row->name) != 0)
                ok++;
            if (!*ok && opt_source(c->set, row->name) == OPT_COMMAND_LINE)
                return ctr_hint(
                    ctr_fail(CTR_E_USAGE, "--%s cannot change when a run is resumed", row->name),
                    "leave it out, or start a new run");
        }
    return 0;
}

/* A run's own configuration, what the command line may change of it, and its place. */
static int settle_resumed(struct train_command *c)
{
    static const struct opt gone[] = {{.name = "plan"}, {.name = NULL}}; /* before --dry-run */
    char *config = NULL;
    int rc = check_resume(c);
    if (rc != 0)
        return rc;
    if (!(config = ctr_path_join(c->o.resume, "config.toml")))
        return CTR_E_FAIL;
    rc = config_read(c->set, &c->arena, config, gone);
    free(config);
    c->o.s.out = c->o.resume;
    return rc ? ctr_hint(ctr_fail_in(CTR_E_MODEL, "cannot resume '%s'", c->o.resume),
                         "RUN is the directory that --out named")
              : 0;
}

static int print_config(const struct train_command *c)
{
    struct ctr_str text = {0}, recipe = {0}, file = {0};
    ctr_str_addf(&recipe, "recipe %s", train_recipe(c));
    term_escape(&file, c->o.resume ? c->o.resume : c->o.config ? c->o.config : "");
    ctr_str_addf(&text,
                 "# clcontrast " CTR_VERSION " train: all options of a run, for --config FILE\n");
    int failed = recipe.failed || file.failed || (!file.s && (c->o.resume || c->o.config));
    const char *from[OPT_SOURCES] = {
        [OPT_RECIPE] = recipe.s, [OPT_CONFIG] = file.s, [OPT_COMMAND_LINE] = "command line"};
    if (!failed)
        config_show(&text, c->set, from);
    text.failed |= failed;
    ctr_str_free(&recipe);
    ctr_str_free(&file);
    return term_print(&text);
}

/* The configuration is the run's, not where it goes: given back, it starts another one. */
static int keep_config(struct train_command *c)
{
    const char *out = c->o.s.out;
    int rc = 0;
    c->o.s.out = NULL;
    if (c->o.print_config)
        rc = print_config(c);
    else
        config_write(&c->config, c->set);
    c->o.s.out = out;
    return rc == 0 && c->config.failed ? ctr_fail(CTR_E_FAIL, "out of host memory") : rc;
}

static int tables(struct opt_set *set, void *options, int argc, char **argv)
{
    const char *resume = opt_peek(argc, argv, "resume");
    char *config = resume ? ctr_path_join(resume, "config.toml") : NULL;
    if (resume && !config)
        return CTR_E_FAIL;
    int rc = train_tables(options, set, &cmd_train, argc, argv,
                          config ? config : opt_peek(argc, argv, "config"));
    free(config);
    return rc;
}

static int run(void *options, const struct opt_set *set)
{
    struct train_command *c = options;
    int rc = 0;
    if (c->o.json && c->o.profile)
        CTR_TRY(ctr_fail(CTR_E_USAGE, "--profile prints a table, which is no JSON"));
    CTR_TRY(c->o.resume ? settle_resumed(c) : train_settle(c, NULL));
    CTR_TRY(keep_config(c));
    if (c->o.print_config)
        return 0;
    if (!c->o.s.out)
        default_out(c);
    interrupt_catch();
    rc = run_training(c);
out:
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast train", "learn from the built-in shapes, on the first GPU or else the CPU"},
    {"clcontrast train --data photos --out runs/photos", "learn from a folder of images"},
    {"clcontrast train --data photos --encoder resnet18 --epochs 200 --device gpu",
     "the network and length that published results use"},
    {"clcontrast train --data cifar10 --recipe simclr-cifar10", "as a publication did it"},
    {"clcontrast train --data photos --method supervised --init runs/photos --labels 1% --batch 50",
     "fine-tune it to a classifier by few labels"},
    {"clcontrast train --resume runs/photos", "go on after an interruption, bit for bit"},
    {"clcontrast train --data photos --print-config > photos.toml",
     "all options in a file, to edit"},
    {"clcontrast train --config photos.toml --dry-run", "see that all is well, and what it takes"},
    {NULL, NULL},
};

const struct cmd cmd_train = {
    .name = "train",
    .summary = "learn an encoder from images",
    .args = "",
    .about =
        "Learns an encoder from augmented views of images, by the method that --method names; its "
        "options are listed by `clcontrast train --method NAME -h`. The run's directory gets "
        "config.toml, "
        "metrics.jsonl, event files for TensorBoard, train.log and checkpoints; SIGINT and "
        "SIGTERM finish the step and save. `clcontrast eval RUN` tells what was learnt.",
    .lists = &names_methods,
    .examples = examples,
    .options = run_rows,
    .tables = tables,
    .finish = train_finish,
    .bytes = sizeof(struct train_command),
    .run = run,
};
