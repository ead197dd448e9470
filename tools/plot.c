/* plot.c -- see plot.h. In: metrics.jsonl of each run's directory. Out: SVG, a panel for each
 * metric; with a metric its counterpart on held-out images. */
#include "plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "clcontrast/status.h"
#include "io/chart.h"
#include "io/columns.h"

/* How they are called, and by what they are multiplied, in a drawing; others as they are. */
static const struct {
    const char *key, *title;
    double times;
} known[] = {
    {"loss", "loss", 1},
    {"positive_top1", "positives that are nearest, %", 100},
    {"pairs_right", "pairs on the right side, %", 100},
    {"effective_rank", "effective_rank: directions in use", 1},
    {"feature_std", "feature_std: spread of the projections, 1 is even", 1},
    {"uniformity", "uniformity: 0 is all the same", 1},
    {"alignment", "alignment: distance of two views", 1},
    {"learning_rate", "learning_rate", 1},
};
enum { KNOWN = sizeof known / sizeof *known };

struct run {
    const char *name;
    struct ctr_columns metrics;
    double *epoch; /* of each row; NaN where it has no step */
};

struct plot {
    const struct plot_wish *wish;
    struct run *run;
    size_t n_runs;
    struct ctr_chart_panel *panel;
    struct ctr_arena mem; /* lines and their values */
};

/* Rows tell whole epochs: how many steps an epoch has comes from a row at the end of one, or near
 * it. */
static int set_epochs(struct run *r)
{
    const double *step = ctr_columns_find(&r->metrics, "step");
    const double *epoch = ctr_columns_find(&r->metrics, "epoch");
    double each = 1;
    if (!step || !epoch)
        return ctr_fail(CTR_E_DATA, "'%s' has no metrics yet", r->name);
    for (size_t i = 0; i < r->metrics.rows; i++)
        each = step[i] / epoch[i] > each ? step[i] / epoch[i] : each;
    if (!(r->epoch = ctr_alloc(r->metrics.rows, sizeof *r->epoch)))
        return CTR_E_FAIL;
    for (size_t i = 0; i < r->metrics.rows; i++)
        r->epoch[i] = step[i] / each;
    return 0;
}

static int read_run(struct run *r, const char *dir)
{
    char *path = ctr_path_join(dir, "metrics.jsonl");
    if (!path)
        return CTR_E_FAIL;
    r->name = dir;
    int rc = ctr_columns_read(&r->metrics, path);
    if (rc == CTR_E_IO)
        rc = ctr_hint(
            ctr_fail(CTR_E_MODEL, "'%s' is no run with metrics: cannot read '%s'", dir, path),
            "RUN is the directory that `clcontrast train --out` named");
    free(path);
    return rc == 0 ? set_epochs(r) : rc;
}

/* Whether a metric has any number in any run. */
static int is_there(const struct plot *p, const char *key)
{
    for (size_t i = 0; i < p->n_runs; i++) {
        const double *y = ctr_columns_find(&p->run[i].metrics, key);
        for (size_t k = 0; y && k < p->run[i].metrics.rows; k++)
            if (isfinite(y[k]))
                return 1;
    }
    return 0;
}

static int no_metric(const struct plot *p, const char *key)
{
    struct opt_near near = {0};
    for (size_t i = 0; i < p->n_runs; i++)
        for (size_t k = 0; k < p->run[i].metrics.n; k++)
            opt_near_offer(&near, key, p->run[i].metrics.column[k].key);
    int rc = ctr_fail(CTR_E_USAGE, "no run has a metric '%s'", key);
    return near.best ? ctr_hint(rc, "did you mean '%s'?", near.best)
                     : ctr_hint(rc, "they are the keys of metrics.jsonl");
}

/* The last part of a run's path. */
static const char *short_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* A line of the panel, when the run has the metric. The key tells training from validation of one
 * run, one from another of several. */
static int add_line(struct plot *p, struct ctr_chart_panel *panel, struct ctr_chart_line *line,
                    size_t run, const char *key, double times, int validation)
{
    const struct run *r = &p->run[run];
    const double *y = ctr_columns_find(&r->metrics, key);
    if (!y)
        return 0;
    double *scaled = ctr_arena_alloc(&p->mem, r->metrics.rows * sizeof *scaled);
    if (!scaled)
        return CTR_E_FAIL;
    for (size_t i = 0; i < r->metrics.rows; i++)
        scaled[i] = times * y[i];
    int one = p->n_runs == 1, named = one || panel->n == 0 || line[panel->n - 1].x != r->epoch;
    line[panel->n++] = (struct ctr_chart_line){.name = !named       ? NULL
                                                       : !one       ? short_name(r->name)
                                                       : validation ? "validation"
                                                                    : "training",
                                               .x = r->epoch,
                                               .y = scaled,
                                               .n = r->metrics.rows,
                                               .colour = one ? (size_t)validation : run,
                                               .marked = validation};
    return 0;
}

static int add_panel(struct plot *p, struct ctr_chart *chart, const char *key)
{
    struct ctr_chart_panel *panel = &p->panel[chart->n];
    struct ctr_chart_line *line = ctr_arena_alloc(&p->mem, 2 * p->n_runs * sizeof *line);
    char other[128];
    double times = 1;
    int rc = 0;
    if (!line)
        return CTR_E_FAIL;
    *panel = (struct ctr_chart_panel){.title = key, .line = line};
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(known[i].key, key) == 0) {
            panel->title = known[i].title;
            times = known[i].times;
        }
    snprintf(other, sizeof other, "validation_%s", key);
    for (size_t i = 0; rc == 0 && i < p->n_runs; i++) {
        rc = add_line(p, panel, line, i, key, times, 0);
        if (rc == 0)
            rc = add_line(p, panel, line, i, other, times, 1);
    }
    chart->n++;
    return rc;
}

static int draw(struct ctr_str *out, struct plot *p)
{
    struct ctr_chart chart = {
        .title = p->n_runs == 1 ? short_name(p->run[0].name) : "runs",
        .x_label = p->n_runs == 1 ? "epochs" : "epochs (fine: training, bold: validation)"};
    size_t wanted = p->wish->n;
    int rc = 0;
    if (!(p->panel = ctr_alloc(wanted, sizeof *p->panel)))
        return CTR_E_FAIL;
    chart.panel = p->panel;
    for (size_t i = 0; i < wanted; i++) {
        const char *key = p->wish->key[i];
        int there = is_there(p, key);
        if (!there && p->wish->all)
            CTR_TRY(no_metric(p, key));
        if (there)
            CTR_TRY(add_panel(p, &chart, key));
    }
    ctr_chart_svg(out, &chart);
    if (out->failed)
        rc = ctr_fail(CTR_E_FAIL, "out of host memory");
out:
    return rc;
}

int plot_svg(struct ctr_str *out, const char *const *runs, size_t n, const struct plot_wish *wish)
{
    struct plot p = {.wish = wish};
    int rc = 0;
    if (!(p.run = ctr_alloc(n, sizeof *p.run)))
        CTR_TRY(CTR_E_FAIL);
    for (p.n_runs = 0; p.n_runs < n; p.n_runs++)
        CTR_TRY(read_run(&p.run[p.n_runs], runs[p.n_runs]));
    CTR_TRY(draw(out, &p));
out:
    for (size_t i = 0; p.run && i < n; i++) {
        ctr_columns_free(&p.run[i].metrics);
        free(p.run[i].epoch);
    }
    free(p.run);
    free(p.panel);
    ctr_arena_free(&p.mem);
    return rc;
}
