/* cmd_report.c -- `clcontrast report RUN -o report.html`: a run on one page. In: a run's directory,
 * its images. Out: HTML that needs no network. What cannot be made is left out, with a line that
 * says why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/outfile.h"
#include "config.h"
#include "embed_data.h"
#include "interrupt.h"
#include "io/html.h"
#include "names.h"
#include "out.h"
#include "report.h"
#include "term.h"

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct report_options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(STR, out, .name = "out", .letter = 'o', .metavar = "FILE",
        .help = "the page to write, .html (required)"),
    ROW(STR, data, .name = "data", .letter = 'd', .metavar = "PATH",
        .shown = "what the run was trained on", .help = "images, as in train"),
    ROW(STR, split, .name = "split", .metavar = "NAME", .shown = "all", .names = &names_splits,
        .help = "part of the data set, for neighbours and the map"),
    ROW(U64, limit, .name = "limit", .metavar = "N", .init = "5000", .max = 4e9,
        .help = "images that are embedded, a fixed random choice; of each split for the scores; 0: "
                "all"),
    ROW(U64, points, .name = "points", .metavar = "N", .init = "3000", .min = 1, .max = 20000,
        .help = "of the map"),
    ROW(DOUBLE, perplexity, .name = "perplexity", .metavar = "N", .init = "30", .min = 1.5,
        .max = 1000, .help = "of the map, see map"),
    ROW(U64, seed, .name = "seed", .metavar = "N", .init = "1", .help = "of the map's sample"),
    ROW(FLAG, views, .name = "views", .init = "1", .help = "leave out the views of images"),
    ROW(FLAG, neighbours, .name = "neighbours", .init = "1",
        .help = "leave out the nearest neighbours"),
    ROW(FLAG, map, .name = "map", .init = "1", .help = "leave out the map"),
    ROW(FLAG, scores, .name = "scores", .init = "1",
        .help = "leave out the scores, which take longest"),
    OPT_DEVICE(struct report_options),
    OPT_BATCH(struct report_options, "256"),
    OPT_THREADS(struct report_options),
    ROW(FLAG, json, .name = "json",
        .help = "one JSON object about what was written, and what was left out"),
    {.name = NULL},
};

static const char style[] =
    "nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin:.5rem 0 1rem}a{color:var(--accent)}\n"
    "h2{border-top:1px solid var(--line);padding-top:1rem}h3{font-size:.95rem;margin:1rem 0 "
    ".25rem}\n"
    "code{font:.85em ui-monospace,monospace}\n"
    ".warnings{border-left:4px solid #c77700;margin:.75rem 0;padding:.5rem 1rem .5rem 2rem}"
    ".good{border-left:4px solid #2a7f3f;padding:.25rem 1rem}\n"
    ".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,32rem),1fr));gap:."
    "5rem}"
    ".pair .plot svg{min-width:30rem}\n"
    "img.wide{max-width:100%;image-rendering:pixelated}\n"
    "img.sheet{max-width:min(100%,44rem)}@media "
    "(prefers-color-scheme:dark){img.sheet{filter:invert(.909) hue-rotate(180deg)}}\n"
    "table.scores{border-collapse:collapse;min-width:34rem}table.scores "
    "th{font-weight:normal;text-align:left;color:var(--soft);"
    "padding:.35rem 1.25rem .35rem 0}table.scores td{position:relative;width:9rem;padding:0 .5rem}"
    "table.scores td "
    "i{position:absolute;left:0;top:.2rem;bottom:.2rem;background:var(--accent);opacity:.25;max-"
    "width:100%;"
    "border-radius:2px}table.scores td b{position:relative}\n"
    ".columns{columns:22rem}.columns section{break-inside:avoid}.columns h3{margin-top:.75rem}\n"
    "@media print{nav{display:none}body{max-width:none;padding:0}h2,h3{break-after:avoid}"
    ".row,.plot,img{break-inside:avoid}}\n";

/* ---- parts ---- */

struct part {
    const char *title, *id;
    int (*add)(struct report *r);
    size_t wanted;      /* where in the options, 0: always */
    const char *option; /* that leaves it out */
    int needs_vectors;
};
#define WANTED(member) offsetof(struct report_options, member), "--no-" #member

static const struct part parts[] = {
    {"The run", "run", report_about, 0, NULL, 0},
    {"Curves", "curves", report_curves, 0, NULL, 0},
    {"What training sees", "views", report_views, WANTED(views), 0},
    {"Nearest neighbours", "neighbours", report_neighbours, WANTED(neighbours), 1},
    {"Map", "map", report_map, WANTED(map), 1},
    {"Scores", "scores", report_scores, WANTED(scores), 0},
    {"All settings", "settings", report_settings, 0, NULL, 0},
};
enum { PARTS = sizeof parts / sizeof *parts };

static int wanted(const struct report *r, const struct part *p)
{
    return !p->option || *(const int *)((const char *)r->o + p->wanted);
}

/* The vectors that several parts need, once; a failure stays one. */
static int vectors(struct report *r, int *rc)
{
    if (*rc == 0 && !r->given.vectors.x)
        *rc = given_open(&r->given, r->run);
    return *rc;
}

struct progress {
    int vectors_rc;
    char vectors_why[512];
    struct ctr_str left_out; /* JSON */
    size_t n_left_out;
};

static void leave_out(struct report *r, struct progress *to, const struct part *p, const char *why)
{
    ctr_str_addf(&r->s, "<p class=\"note\">Left out: ");
    ctr_html_text(&r->s, why);
    ctr_str_addf(&r->s, ".</p>\n");
    ctr_str_addf(&to->left_out, "%s{\"part\":\"%s\",\"why\":", to->n_left_out++ ? "," : "", p->id);
    ctr_str_json(&to->left_out, why);
    ctr_str_addf(&to->left_out, "}");
}

/* What fails is left out; but not what memory or a signal ends. */
static int add_part(struct report *r, struct progress *to, const struct part *p)
{
    char by[64];
    ctr_str_addf(&r->s, "<h2 id=\"%s\">%s</h2>\n", p->id, p->title);
    if (!wanted(r, p)) {
        snprintf(by, sizeof by, "by %s", p->option);
        leave_out(r, to, p, by);
        return 0;
    }
    size_t at = r->s.n;
    int rc = 0;
    if (p->needs_vectors && (to->vectors_rc || (rc = vectors(r, &to->vectors_rc)) != 0)) {
        if (rc != 0)
            snprintf(to->vectors_why, sizeof to->vectors_why, "%s", ctr_error_text());
        rc = to->vectors_rc;
    } else {
        rc = p->add(r);
        if (rc == 0)
            return 0;
    }
    if (interrupt_caught() || r->s.failed)
        return rc;
    r->s.n = at;
    leave_out(r, to, p, p->needs_vectors && to->vectors_rc ? to->vectors_why : ctr_error_text());
    return 0;
}

/* ---- the page ---- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static int fill_page(struct report *r, struct progress *to)
{
    struct ctr_str title = {0};
    int rc = 0;
    ctr_str_addf(&title, "Run %s", last_part(r->run));
    ctr_html_begin(&r->s, title.s ? title.s : "Run", style);
    ctr_str_addf(&r->s, "<nav>");
    for (size_t i = 0; i < PARTS; i++)
        ctr_str_addf(&r->s, "<a href=\"#%s\">%s</a>", parts[i].id, parts[i].title);
    ctr_str_addf(&r->s, "</nav>\n");
    for (size_t i = 0; rc == 0 && i < PARTS; i++)
        rc = interrupt_caught() ? ctr_fail(CTR_E_FAIL, "interrupted") : add_part(r, to, &parts[i]);
    ctr_html_end(&r->s);
    ctr_str_free(&title);
    return rc == 0 && r->s.failed ? ctr_fail(CTR_E_FAIL, "out of host memory for the page") : rc;
}

static int open_run(struct report *r)
{
    static const struct opt gone[] = {{.name = "plan"}, {.name = NULL}}; /* before --dry-run */
    char *path = ctr_path_join(r->run, "config.toml");
    int rc = path ? 0 : CTR_E_FAIL;
    if (rc == 0 && access(path, F_OK) != 0)
        rc = ctr_hint(ctr_fail(CTR_E_MODEL, "'%s' is no run: there is no '%s'", r->run, path),
                      "RUN is the directory that `clcontrast train --out` named");
    if (rc == 0)
        rc = train_tables(&r->config, &r->config_set, &cmd_train, 0, NULL, path);
    if (rc == 0)
        rc = config_read(&r->config_set, &r->config.arena, path, gone);
    free(path);
    return rc;
}

static int tell(const struct report *r, const struct progress *p, double seconds)
{
    char took[24];
    struct ctr_str s = {0};
    if (!r->o->json) {
        term_note("wrote %s, %s%s", r->o->out, term_duration(took, seconds),
                  p->n_left_out ? "; some parts are left out, the page says why" : "");
        return 0;
    }
    ctr_str_addf(&s, "{\"schema\":1,\"out\":");
    ctr_str_json(&s, r->o->out);
    ctr_str_addf(&s, ",\"bytes\":%zu,\"seconds\":", r->s.n);
    ctr_str_json_num(&s, seconds);
    ctr_str_addf(&s, ",\"left_out\":[%s]}\n", p->left_out.s ? p->left_out.s : "");
    s.failed |= p->left_out.failed;
    return term_print(&s);
}

static int report(const char *run, const struct report_options *o)
{
    int rc = 0;
    double start = ctr_now();
    struct progress progress = {0};
    struct report r = {.o = o,
                       .run = run,
                       .given.o = {o->device, o->data, o->split, o->limit, o->batch, o->threads}};
    CTR_TRY(open_run(&r));
    if (o->device) /* one that was asked for is not left out in silence */
        CTR_TRY(given_dev(&r.given));
    CTR_TRY(fill_page(&r, &progress));
    CTR_TRY(ctr_file_write(o->out, r.s.s, r.s.n));
    term_progress_end();
    CTR_TRY(tell(&r, &progress, ctr_now() - start));
    rc = r.given.data ? embed_skipped(r.given.data) : 0;
out:
    term_progress_end();
    given_close(&r.given);
    opt_finish(&r.config_set);
    train_finish(&r.config);
    ctr_str_free(&progress.left_out);
    ctr_str_free(&r.s);
    return rc;
}

static int run(void *options, const struct opt_set *set)
{
    const struct report_options *o = options;
    int rc = 0;
    CTR_TRY(out_given(o->out, "-o report.html"));
    CTR_TRY(out_check("out", o->out, 1));
    CTR_TRY(out_spares("out", o->out, set->args, 1));
    interrupt_catch();
    rc = report(set->args[0], o);
out:
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast report runs/1 -o report.html", "all about a run, on one page"},
    {"clcontrast report runs/1 -o report.html --limit 0", "with the scores of all images"},
    {"clcontrast report runs/1 -o report.html --no-scores --no-map",
     "without the parts that take longest"},
    {"clcontrast report runs/1 --data photos -o report.html", "on other images"},
    {NULL, NULL},
};

const struct cmd cmd_report = {
    .name = "report",
    .summary = "write a run's report: curves, views, neighbours, map, scores",
    .args = "RUN",
    .min_args = 1,
    .max_args = 1,
    .about = "Writes one HTML page about RUN, the directory of a run: what it ran on and how fast, "
             "warnings, curves of loss and "
             "health, the views that training makes of images, nearest neighbours and a map by the "
             "newest checkpoint, scores "
             "beside the untrained encoder and raw pixels with a confusion matrix where the images "
             "have labels, all settings. "
             "The page needs no network and no other file. What cannot be made is left out, and "
             "the page says why.",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct report_options),
    .run = run,
};
