/* report_scores.c -- what the features are worth: the protocols of `clcontrast eval`, as a table
 * and a picture of which classes are taken for which. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>

#include "io/html.h"
#include "term.h"
#include "train/evaluate.h"

static void stage(void *user, const char *what)
{
    term_progress("scores: %s", what);
}

static void cell(struct ctr_str *s, const struct ctr_scores *of, const struct ctr_score *score)
{
    if (of->there)
        ctr_str_addf(s, "<td><i style=\"width:%.1f%%\"></i><b>%.2f %%</b></td>", 100 * score->mean,
                     100 * score->mean);
}

static void line(struct ctr_str *s, const char *name, const struct ctr_evaluation *e, size_t i,
                 int probe)
{
    ctr_str_addf(s, "<tr><th>%s</th>", name);
    cell(s, &e->trained, probe ? &e->trained.probe[i] : &e->trained.knn[i]);
    cell(s, &e->untrained, probe ? &e->untrained.probe[i] : &e->untrained.knn[i]);
    cell(s, &e->pixels, probe ? &e->pixels.probe[i] : &e->pixels.knn[i]);
    ctr_str_addf(s, "</tr>\n");
}

static void table(struct ctr_str *s, const struct ctr_evaluation *e)
{
    ctr_str_addf(s,
                 "<p>Of %zu test images%s, by %zu training images and their labels, %u classes: "
                 "how many are right.</p>\n",
                 e->n_test, e->held_out ? " (held out by name)" : "", e->n_train, e->classes);
    ctr_str_addf(s, "<div class=\"plot\"><table class=\"scores\">\n<tr><th></th><th>trained "
                    "encoder</th><th>untrained encoder</th>"
                    "<th>raw pixels</th></tr>\n");
    line(s, "10 nearest neighbours vote", e, 0, 0);
    line(s, "200 nearest, weighted", e, 1, 0);
    line(s, "linear classifier", e, 0, 1);
    ctr_str_addf(s, "</table></div>\n<p class=\"note\">Guessing: %.2f %%.", 100.0 / e->classes);
    if (e->trained.own.mean == e->trained.own.mean)
        ctr_str_addf(s, " The run's own classifier: %.2f %%.", 100 * e->trained.own.mean);
    ctr_str_addf(s, " The protocols are those of <code>clcontrast eval</code>; docs/EVALUATION.md "
                    "defines them.</p>\n");
}

int report_scores(struct report *r)
{
    int rc = 0;
    struct ctr_evaluation e;
    struct ctr_canvas picture = {0};
    ctr_model *model = r->given.model; /* the checkpoint that other parts are of */
    const struct ctr_evaluate_params params = {.run = model ? ctr_model_info(model)->path : r->run,
                                               .data = r->o->data,
                                               .device = r->o->device,
                                               .limit = r->o->limit,
                                               .batch = r->o->batch,
                                               .threads = r->o->threads,
                                               .score = {.knn = {{10, 0}, {200, 0.1}},
                                                         .n_knn = 2,
                                                         .probe = {CTR_PROBE_SGD},
                                                         .n_probes = 1},
                                               .picture = &picture};
    CTR_TRY(ctr_evaluate(&e, &params, stage, NULL));
    table(&r->s, &e);
    ctr_str_addf(
        &r->s,
        "<h3>Which classes are taken for which</h3>\n<div class=\"plot\"><img class=\"sheet\" "
        "alt=\"Confusion matrix of the linear classifier\" ");
    CTR_TRY(ctr_html_png(&r->s, picture.pixels, picture.width, picture.height));
    ctr_str_addf(&r->s, "></div>\n");
out:
    free(picture.pixels);
    return rc;
}
