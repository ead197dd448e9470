/* cmd_ablate.c -- `clcontrast ablate`: which transformations of images, alone and in pairs, make
 * views worth learning from. In: the options of train, operations. Out: a heat map, a table of its
 * numbers beside it, kept after each run so that the command goes on where it was.
 *
 * As in Chen et al. 2020, arXiv:2002.05709, section 3.1 and figure 5: only one view of an image is
 * transformed, the other is the image itself; a cell is the accuracy of a linear classifier. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ablate.h"
#include "base/os.h"
#include "base/outfile.h"
#include "cmd.h"
#include "interrupt.h"
#include "out.h"
#include "term.h"
#include "train/evaluate.h"

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct train_options, member, __VA_ARGS__)

static const struct opt ablate_rows[] = {
    ROW(STR, s.out, .name = "out", .letter = 'o', .metavar = "FILE", .init = "ablation.png",
        .help = "the picture; the table lies beside it, with .tsv for .png"),
    ROW(LIST, ops, .name = "op", .metavar = "[NAME=]LINE",
        .shown = "crop, cutout, color, sobel, noise, blur and rotate",
        .help = "an operation, as a line of `clcontrast augment --list`; may be repeated"),
    ROW(CHOICE, probe, .name = "probe", .metavar = "KIND", .choices = "sgd|ridge|lbfgs",
        .init = "sgd", .help = "linear classifier of the picture, see docs/EVALUATION.md"),
    ROW(U64, s.epochs, .name = "epochs", .letter = 'e', .metavar = "N", .init = "10", .min = 1,
        .max = 1e6, .help = "passes over the images in each run"),
    SETTING(steps, .name = "steps", .metavar = "N", .shown = "all of the epochs",
            .help = "end each run after so many steps, if the epochs have more"),
    SETTING(seed, .name = "seed", .metavar = "N",
            .help = "of everything random, the same for all runs"),
    ROW(FLAG, json, .name = "json", .flag_only = 1, .help = "print one JSON object"),
    {.name = NULL},
};

/* Those of the study. At p = 1 where they have one, but for the colours, which are SimCLR's. */
static const char *const usual_ops[] = {
    "crop=crop",   "cutout=cutout", "color=jitter gray", "sobel=sobel(1)",
    "noise=noise", "blur=blur(;1)", "rotate=rotate90",
};

/* ---- operations ---- */

static char *pipeline_text(struct ctr_arena *arena, const struct ctr_pipeline *pipeline)
{
    struct ctr_augment_params params = {.n = 1, .pipeline = {*pipeline}};
    struct ctr_str text = {0};
    ctr_augment_text(&text, &params);
    char *copy = text.failed ? NULL : ctr_arena_strdup(arena, text.s ? text.s : "none");
    ctr_str_free(&text);
    return copy;
}

/* The first n letters, which no other operation may have as its name. */
static int name_op(struct ablate_op *op, const struct ablation *a, const char *text, size_t n)
{
    char *name = ctr_arena_strdup(&a->c->arena, text);
    if (!name)
        return CTR_E_FAIL;
    name[n] = '\0';
    for (char *tab = name; (tab = strchr(tab, '\t')) != NULL;)
        *tab = ' '; /* they part the table's columns */
    for (size_t i = 0; i < a->n_ops; i++)
        if (strcmp(a->op[i].name, name) == 0)
            return ctr_fail(CTR_E_USAGE, "--op: there are two operations '%s'", name);
    op->name = name;
    return 0;
}

/* NAME=LINE, or LINE, whose own `=` stand behind a parenthesis. */
static int read_op(struct ablation *a, const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    int named = n > 0 && text[n] == '=';
    struct ctr_augment_params params;
    char what[64];
    if (a->n_ops == ABLATE_OPS)
        return ctr_fail(CTR_E_USAGE, "--op: more than %d", ABLATE_OPS);
    snprintf(what, sizeof what, "--op%s%.*s", named ? " " : "", named ? (int)n : 0, text);
    int rc = ctr_augment_parse(&params, named ? text + n + 1 : text);
    if (rc != 0)
        return ctr_fail_in(rc, "%s", what);
    if (params.n > 1)
        return ctr_hint(ctr_fail(CTR_E_USAGE, "%s: '%s' has more than one pipeline", what, text),
                        "one view is transformed, the other is the image itself");
    struct ablate_op *op = &a->op[a->n_ops];
    op->pipeline = params.pipeline[0];
    rc = name_op(op, a, text, named ? n : strlen(text));
    a->n_ops += rc == 0;
    return rc;
}

static int read_ops(struct ablation *a)
{
    const struct opt_list *given = &a->c->o.ops;
    size_t n = given->n ? given->n : sizeof usual_ops / sizeof *usual_ops;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = read_op(a, given->n ? given->items[i] : usual_ops[i]);
    return rc;
}

/* ---- rows ---- */

static int add_cell(struct ablation *a, size_t first, size_t second)
{
    const struct ablate_op *x = &a->op[first], *y = &a->op[second];
    struct ctr_pipeline *pipeline = ctr_arena_alloc(&a->c->arena, sizeof *pipeline);
    struct ctr_str name = {0};
    int rc = pipeline ? 0 : CTR_E_FAIL;
    ctr_str_addf(&name, first == second ? "%s" : "%s+%s", x->name, y->name);
    if (rc == 0 && first == second)
        *pipeline = x->pipeline;
    else if (rc == 0)
        rc = ctr_pipeline_join(pipeline, &x->pipeline, &y->pipeline);
    if (rc != 0)
        CTR_TRY(ctr_fail_in(rc, "%s+%s", x->name, y->name));
    struct ablate_row row = {.name = name.failed ? NULL : ctr_arena_strdup(&a->c->arena, name.s),
                             .line = pipeline_text(&a->c->arena, pipeline),
                             .pipeline = pipeline};
    if (!row.name || !row.line)
        CTR_TRY(CTR_E_FAIL);
    if (!ablate_table_find(&a->at[first][second], &a->table, row.line))
        rc = ablate_table_add(&a->table, row);
out:
    ctr_str_free(&name);
    return rc;
}

static int make_rows(struct ablation *a)
{
    int rc = ablate_table_add(&a->table, (struct ablate_row){.name = "untrained", .line = "-"});
    for (size_t i = 0; i < a->n_ops; i++)
        for (size_t j = 0; rc == 0 && j < a->n_ops; j++)
            rc = add_cell(a, i, j);
    a->total = a->table.n;
    return rc;
}

/* ---- runs ---- */

static int stop(void *user)
{
    return interrupt_caught();
}

/* Seconds to the end of all runs, when the one under way still takes so many. */
static double left(const struct ablation *a, double run_left_s)
{
    double spent = ctr_now() - a->started;
    double each = a->fresh ? a->spent_s / (double)a->fresh : spent + run_left_s;
    return run_left_s + each * (double)(a->total - a->done - 1);
}

static void progress(void *user, const struct ctr_train_progress *p)
{
    struct ablation *a = user;
    char eta[24];
    a->loss = p->loss; /* of an epoch's last step: its mean takes this place */
    term_progress("%zu/%zu %s: epoch %llu/%llu  loss %.4f  ETA %s", a->done + 1, a->total,
                  a->now->name, (unsigned long long)p->epoch, (unsigned long long)p->epochs,
                  p->loss, term_duration(eta, left(a, p->eta_s)));
}

static void epoch(void *user, const struct ctr_train_progress *p)
{
    struct ablation *a = user;
    a->loss = p->loss;
}

static int score(struct ablate_row *row, struct ablation *a, ctr_trainer *t)
{
    const struct train_options *o = &a->c->o;
    const struct ctr_evaluate_params params = {
        .limit = o->s.limit,
        .batch = 256,
        .threads = o->s.threads,
        .score = {
            .knn = {{10, 0}}, .n_knn = 1, .probe = {(enum ctr_probe)o->probe}, .n_probes = 1}};
    struct ctr_evaluation e;
    int rc = ctr_evaluate_trainer(&e, t, &params);
    if (rc != 0)
        return rc;
    row->loss = a->loss;
    row->knn = e.trained.knn[0].mean;
    row->probe = e.trained.probe[0].mean;
    a->n_skipped = e.n_skipped;
    return 0;
}

/* The other view stays as it is; without a pipeline nothing is trained. */
static int train_row(struct ablate_row *row, struct ablation *a)
{
    const struct ctr_train_events events = {
        .user = a, .progress = progress, .epoch = epoch, .stop = stop};
    struct ctr_augment_params *views = &a->params.augment;
    ctr_trainer *t = NULL;
    int rc = 0;
    a->now = row;
    a->loss = NAN;
    a->started = ctr_now();
    views->n = 2;
    views->pipeline[0].n = 0;
    views->pipeline[1] = row->pipeline ? *row->pipeline : views->pipeline[0];
    CTR_TRY(ctr_trainer_create(&t, &a->params, &events));
    if (row->pipeline)
        rc = ctr_trainer_run(t);
    if (interrupt_caught())
        goto out;
    if (rc == 0)
        rc = score(row, a, t);
    if (rc == CTR_E_DIVERGED || rc == CTR_E_MODEL) { /* loss or features are not finite */
        term_progress_end();
        term_warn("%s: %s", row->name, ctr_error_text());
        row->loss = row->knn = row->probe = NAN;
        rc = 0;
    }
    row->done = rc == 0;
    a->spent_s += ctr_now() - a->started;
out:
    ctr_trainer_destroy(&t);
    return rc != 0 ? ctr_fail_in(rc, "%s", row->name) : 0;
}

static int run_rows(struct ablation *a)
{
    int rc = 0;
    char eta[24];
    for (size_t i = 0; i < a->total && !interrupt_caught(); i++) {
        struct ablate_row *row = &a->table.row[i];
        if (row->done)
            continue;
        rc = train_row(row, a);
        term_progress_end();
        if (!row->done)
            return rc == CTR_E_FAIL && interrupt_caught() ? 0 : rc;
        a->fresh++;
        a->done++;
        CTR_TRY(ablate_table_write(&a->table));
        CTR_TRY(ablate_draw(a));
        if (isfinite(row->probe))
            term_note(
                "%zu/%zu %s: kNN %.2f %%, linear probe %.2f %%  ETA %s", a->done, a->total,
                row->name, 100 * row->knn, 100 * row->probe,
                term_duration(eta, a->spent_s / (double)a->fresh * (double)(a->total - a->done)));
    }
out:
    return rc;
}

/* FILE.tsv beside FILE.png. */
static int name_table(struct ablation *a)
{
    const char *out = a->c->o.s.out;
    size_t n = strlen(out);
    struct ctr_str path = {0};
    ctr_str_addf(&path, "%.*s.tsv", (int)(n > 4 && strcmp(out + n - 4, ".png") == 0 ? n - 4 : n),
                 out);
    a->table.path = path.failed ? NULL : ctr_arena_strdup(&a->c->arena, path.s);
    ctr_str_free(&path);
    return a->table.path ? 0 : CTR_E_FAIL;
}

/* What is wrong with operations and files is found out before the first run. */
static int begin(struct ablation *a)
{
    int rc = 0;
    CTR_TRY(read_ops(a));
    CTR_TRY(make_rows(a));
    CTR_TRY(train_params(&a->params, a->c));
    a->params.out = NULL; /* no run's directory */
    CTR_TRY(name_table(a));
    CTR_TRY(out_check("out", a->c->o.s.out, 1));
    CTR_TRY(out_check("out", a->table.path, 1));
    CTR_TRY(ctr_outfile_resume(&a->lock, a->c->o.s.out));
    a->lock.keep = lseek(a->lock.fd, 0, SEEK_END) > 0; /* an empty one is ours */
    CTR_TRY(ablate_table_options(&a->table, a->c->set));
    CTR_TRY(ablate_table_read(&a->table));
    for (size_t i = 0; i < a->total; i++)
        a->done += (size_t)a->table.row[i].done;
    if (a->done)
        CTR_TRY(ablate_draw(a));
out:
    return rc;
}

static int ablate(struct ablation *a)
{
    int rc = begin(a);
    if (rc == 0 && a->done)
        term_note("%zu of %zu runs are in %s", a->done, a->total, a->table.path);
    interrupt_catch();
    if (rc == 0)
        rc = run_rows(a);
    if (rc != 0)
        return rc;
    if (interrupt_caught() && a->done == 0) {
        term_note("stopped before a run was done");
        return 0;
    }
    if (interrupt_caught()) {
        term_note("stopped: %zu of %zu runs are in %s; the same command goes on", a->done, a->total,
                  a->table.path);
        return 0;
    }
    if (a->c->o.json && (rc = ablate_print_json(a)) != 0)
        return rc;
    if (!a->c->o.json)
        ablate_print(a);
    term_note("wrote %s and %s", a->c->o.s.out, a->table.path);
    return a->n_skipped == 0 ? 0
                             : ctr_fail(CTR_E_PARTIAL, "%zu file%s skipped", a->n_skipped,
                                        a->n_skipped == 1 ? " was" : "s were");
}

static int tables(struct opt_set *set, void *options, int argc, char **argv)
{
    return train_tables(options, set, &cmd_ablate, argc, argv, opt_peek(argc, argv, "config"));
}

static int run(void *options, const struct opt_set *set)
{
    struct train_command *c = options;
    struct ablation *a = ctr_alloc(1, sizeof *a); /* large */
    int rc = 0;
    if (!a)
        return CTR_E_FAIL;
    a->c = c;
    if (c->augment.line)
        CTR_TRY(ctr_hint(ctr_fail(CTR_E_USAGE, "--augment is what the runs differ in"),
                         "give the transformations as --op"));
    CTR_TRY(train_settle(c, cmd_train.options));
    rc = ablate(a);
out:
    ablate_table_finish(&a->table);
    if (a->lock.path)
        ctr_outfile_abort(&a->lock);
    free(a);
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast ablate --data photos -o ablation.png",
     "seven transformations alone and in pairs, 43 short runs"},
    {"clcontrast ablate --data photos --limit 10000 --op crop --op 'color=jitter gray' --op blur",
     "of three operations, on some of the images"},
    {NULL, NULL},
};

const struct cmd cmd_ablate = {
    .name = "ablate",
    .summary = "which transformations of images are worth learning from, as a picture",
    .args = "",
    .about =
        "Trains the encoder once for each operation alone and for each pair of them, one after the "
        "other, and draws the accuracy of a linear classifier on its features as a heat map: row "
        "the first operation, column the second, the last column the row's average. Only one view "
        "is transformed, as --op says and not --augment; the other is the image itself (Chen et "
        "al. 2020, section 3.1). Crops come first in either order, so such pairs are trained once. "
        "The images need labels, for the classifier alone. Results are kept in a table beside the "
        "picture after each run; the same command goes on from there, and runs what further --op "
        "need.",
    .examples = examples,
    .options = ablate_rows,
    .tables = tables,
    .finish = train_finish,
    .bytes = sizeof(struct train_command),
    .run = run,
};
