/* report_run.c -- the parts of a report that a run's own files tell: train.log, metrics.jsonl,
 * config.toml. */
#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "io/columns.h"
#include "io/html.h"
#include "plot.h"
#include "term.h"

enum { LOG_BYTES = 64 << 20, STAMP = 21, WARNINGS = 20 };

/* ---- train.log ---- */

static int read_beside(char **text, const char *run, const char *name)
{
    void *bytes = NULL;
    size_t n = 0;
    char *path = ctr_path_join(run, name);
    int rc = path ? ctr_file_read(&bytes, &n, path, LOG_BYTES) : CTR_E_FAIL;
    free(path);
    *text = bytes;
    return rc;
}

/* The next line's words behind the time, or NULL; *time is it, *at moves behind the line, which is
 * cut off. */
static const char *next_line(const char **time, char **at)
{
    char *line = *at;
    if (!line || !*line)
        return NULL;
    char *end = strchr(line, '\n');
    *at = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    *time = line;
    return strlen(line) > STAMP ? line + STAMP : "";
}

static int begins(const char *line, const char *word)
{
    return strncmp(line, word, strlen(word)) == 0;
}

struct log {
    const char *start[3]; /* program and device, images, training; of the last start */
    const char *from, *last_time, *last;
    const char *warning[WARNINGS]; /* the last ones */
    size_t n_warnings, starts;
};

static void read_log(struct log *log, char *text)
{
    const char *time = NULL;
    size_t behind = 3;
    for (const char *line; (line = next_line(&time, &text)) != NULL;
         log->last = line, log->last_time = time) {
        if (begins(line, "clcontrast ")) {
            behind = 0;
            log->starts++;
        }
        if (behind < 3 && !begins(line, "warn: "))
            log->start[behind++] = line;
        if (!log->from)
            log->from = time;
        if (begins(line, "warn: ") || begins(line, "error: "))
            log->warning[log->n_warnings++ % WARNINGS] = line;
    }
}

static void add_warnings(struct ctr_str *s, const struct log *log)
{
    size_t first = log->n_warnings > WARNINGS ? log->n_warnings - WARNINGS : 0;
    if (log->n_warnings == 0) {
        ctr_str_addf(s, "<p class=\"good\">No warnings.</p>\n");
        return;
    }
    ctr_str_addf(s, "<ul class=\"warnings\">\n");
    for (size_t i = first; i < log->n_warnings; i++) {
        const char *line = log->warning[i % WARNINGS];
        ctr_str_addf(s, "<li>");
        ctr_html_text(s, begins(line, "warn: ") ? line + 6 : line);
        ctr_str_addf(s, "</li>\n");
    }
    ctr_str_addf(s, "</ul>\n");
    if (first)
        ctr_str_addf(s, "<p class=\"note\">and %zu before these, in train.log.</p>\n", first);
}

/* ---- metrics.jsonl ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The median of a column's numbers; NaN: there are none. Sorts them to the front. */
static double median(double *value, size_t n)
{
    size_t some = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(value[i]))
            value[some++] = value[i];
    qsort(value, some, sizeof *value, by_value);
    return some ? value[some / 2] : NAN;
}

static double last_number(const struct ctr_columns *c, const char *key)
{
    const double *v = ctr_columns_find(c, key);
    for (size_t i = c->rows; v && i > 0; i--)
        if (isfinite(v[i - 1]))
            return v[i - 1];
    return NAN;
}

static void number_fact(struct ctr_str *s, const char *what, const char *format, double value)
{
    char text[64];
    snprintf(text, sizeof text, format, value);
    ctr_html_fact(s, what, isfinite(value) ? text : NULL);
}

static void add_metrics(struct ctr_str *s, const char *run)
{
    struct ctr_columns c = {0};
    char *path = ctr_path_join(run, "metrics.jsonl");
    if (path && ctr_columns_read(&c, path) == 0) {
        const struct {
            const char *key, *what, *format;
        } shown[] = {{"step", "steps", "%.0f"},
                     {"epoch", "epochs", "%.0f"},
                     {"loss", "last loss", "%.4f"},
                     {"validation_loss", "last loss of held-out images", "%.4f"},
                     {"effective_rank", "directions in use", "%.1f"}};
        for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
            number_fact(s, shown[i].what, shown[i].format, last_number(&c, shown[i].key));
        double *speed =
            (double *)ctr_columns_find(&c, "images_per_s"); /* ours, and of no more use */
        number_fact(s, "speed", "%.0f images/s, the median", speed ? median(speed, c.rows) : NAN);
    }
    ctr_columns_free(&c);
    free(path);
}

int report_about(struct report *r)
{
    static const char *const what[3] = {"program, device", "images", "training"};
    struct ctr_str *s = &r->s;
    struct log log = {0};
    char *text = NULL, *full = realpath(r->run, NULL), span[96] = "";
    int rc = read_beside(&text, r->run, "train.log");
    if (rc == 0)
        read_log(&log, text);
    ctr_str_addf(s, "<table class=\"facts\">\n");
    ctr_html_fact(s, "run", full ? full : r->run);
    for (size_t i = 0; i < 3; i++)
        ctr_html_fact(s, what[i], log.start[i]);
    if (log.from && log.last_time)
        snprintf(span, sizeof span, "%.20s to %.20s, started %zu time%s", log.from, log.last_time,
                 log.starts, log.starts == 1 ? "" : "s");
    ctr_html_fact(s, "time", span);
    add_metrics(s, r->run);
    ctr_html_fact(s, "last line of its log", log.last);
    ctr_str_addf(s, "</table>\n");
    if (rc == 0)
        add_warnings(s, &log);
    free(full);
    free(text);
    return rc;
}

static int curves(struct report *r, const char *const *keys, size_t n)
{
    const struct plot_wish wish = {.key = keys, .n = n};
    ctr_str_addf(&r->s, "<div class=\"plot\">\n");
    int rc = plot_svg(&r->s, &r->run, 1, &wish);
    ctr_str_addf(&r->s, "</div>\n");
    return rc;
}

/* What is learnt, and beside it how the projections are. */
int report_curves(struct report *r)
{
    static const char *const learnt[] = {"loss", "positive_top1", "pairs_right", "learning_rate"};
    static const char *const health[] = {"effective_rank", "feature_std", "uniformity",
                                         "alignment"};
    ctr_str_addf(&r->s, "<div class=\"pair\">\n");
    int rc = curves(r, learnt, sizeof learnt / sizeof *learnt);
    if (rc == 0)
        rc = curves(r, health, sizeof health / sizeof *health);
    ctr_str_addf(&r->s, "</div>\n");
    return rc;
}

/* ---- config.toml ---- */

int report_settings(struct report *r)
{
    struct ctr_str *s = &r->s;
    ctr_str_addf(s, "<details open><summary>config.toml; <code>clcontrast train --config</code> "
                    "takes it</summary>\n<div class=\"columns\">\n");
    for (unsigned g = 0; g < r->config.set->n_groups; g++) {
        const struct opt_group *group = &r->config.set->groups[g];
        ctr_str_addf(s, "<section><h3>");
        ctr_html_text(s, strcmp(group->title, "Options") == 0 ? "Run" : group->title);
        ctr_str_addf(s, "</h3>\n<table class=\"facts\">\n");
        for (const struct opt *row = group->rows; row->name; row++) {
            struct ctr_str value = {0};
            if (!row->flag_only)
                opt_value(&value, group, row);
            if (value.s)
                ctr_html_fact(s, row->name, value.s);
            ctr_str_free(&value);
        }
        ctr_str_addf(s, "</table></section>\n");
    }
    ctr_str_addf(s, "</div></details>\n");
    return 0;
}
