/* cmd_plot.c -- `clcontrast plot RUN...`: the metrics of runs as a chart. */
#include <stdio.h>

#include "base/outfile.h"
#include "cmd.h"
#include "out.h"
#include "plot.h"
#include "term.h"

struct options {
    const char *out;
    struct opt_list metric;
};

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct options, member, __VA_ARGS__)

static const struct opt rows[] = {
    ROW(STR, out, .name = "out", .letter = 'o', .metavar = "FILE", .shown = "standard output",
        .help = "the drawing"),
    ROW(LIST, metric, .name = "metric", .letter = 'm', .metavar = "NAME",
        .shown = "loss, positive_top1 and pairs_right, where the runs have them",
        .help = "key of metrics.jsonl to draw, may be repeated"),
    {.name = NULL},
};

static int put(const struct ctr_str *svg, const char *path)
{
    int rc = 0;
    if (!path)
        fputs(svg->s, stdout);
    else if ((rc = ctr_file_write(path, svg->s, svg->n)) == 0)
        term_note("wrote %s", path);
    return rc;
}

static int run(void *options, const struct opt_set *set)
{
    static const char *const usual[] = {"loss", "positive_top1", "pairs_right"};
    const struct options *o = options;
    const struct plot_wish wish = {.key = o->metric.n ? o->metric.items : usual,
                                   .n = o->metric.n ? o->metric.n : sizeof usual / sizeof *usual,
                                   .all = o->metric.n > 0};
    struct ctr_str svg = {0};
    int rc = 0;
    CTR_TRY(out_check("out", o->out, 1));
    CTR_TRY(out_spares("out", o->out, set->args, set->n_args));
    CTR_TRY(plot_svg(&svg, set->args, set->n_args, &wish));
    CTR_TRY(put(&svg, o->out));
out:
    ctr_str_free(&svg);
    return rc;
}

static const struct cmd_example examples[] = {
    {"clcontrast plot runs/1 -o curve.svg", "loss and how many are right, epoch by epoch"},
    {"clcontrast plot runs/1 runs/2 -m loss -m effective_rank > both.svg",
     "two runs, side by side"},
    {NULL, NULL},
};

const struct cmd cmd_plot = {
    .name = "plot",
    .summary = "draw the metrics of runs",
    .args = "RUN...",
    .min_args = 1,
    .max_args = 9, /* as many as there are colours */
    .about =
        "Draws metrics over epochs as SVG, a panel for each. Fine lines are of training, where "
        "there are many points means of several; bold ones of held-out images (`clcontrast train "
        "--validation`).",
    .examples = examples,
    .options = rows,
    .bytes = sizeof(struct options),
    .run = run,
};
