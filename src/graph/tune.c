/* tune.c -- searching the fastest variant and configuration for each shape of a graph.
 *
 * In: a recorded graph and what is known (tune.h). Out: more of it. Shapes are taken by the work
 * that they make up in the graph. A candidate is written down before it runs, timed beside the op's
 * own choice (trial.h), and a winner once more. Time is looked at between candidates. */
#include "graph/tune.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/os.h"
#include "graph/trial.h"

#define MAX_CANDIDATES 128 /* of one shape */
#define QUICK_SAMPLES  5

/* A shape that occurs in the graph. */
struct task {
    const ctr_node *node;
    struct ctr_str shape;
    unsigned nodes;
    double cost; /* to order by; negative: nothing to search */
};

struct tuner {
    ctr_tuned *tuned;
    const ctr_graph *g;
    const struct ctr_tune_params *params;
    struct ctr_tune_report *report;
    struct task *tasks;
    size_t n, cap;
    size_t todo, at; /* the first `todo` tasks are searched */
    int ended;       /* no more candidates */
    double began;
};

/* The shape now searched, and the best so far: `ratio` of its time to the own choice's. */
struct search {
    struct tuner *t;
    const struct task *task;
    struct ctr_bench bench;
    struct ctr_candidate best;
    double ratio, error;
};

static const struct ctr_tuned_entry *known(const struct tuner *t, const struct task *task)
{
    return ctr_tuned_find(t->tuned, task->node->op->name, task->shape.s);
}

/* ---- which shapes ---- */

static int add_task(struct tuner *t, const ctr_node *node)
{
    struct ctr_str shape = {0};
    struct ctr_candidate other;
    if (!ctr_bench_suits(node) ||
        ctr_variant_candidates(&other, 1, t->g, node, t->params->full) == 0)
        return 0;
    ctr_node_shape(&shape, node);
    for (size_t i = 0; i < t->n && !shape.failed; i++)
        if (t->tasks[i].node->op == node->op && strcmp(t->tasks[i].shape.s, shape.s) == 0) {
            t->tasks[i].nodes++;
            ctr_str_free(&shape);
            return 0;
        }
    if (shape.failed || ctr_grow((void **)&t->tasks, &t->cap, t->n + 1, sizeof *t->tasks) != 0) {
        ctr_str_free(&shape);
        return CTR_E_FAIL;
    }
    t->tasks[t->n++] = (struct task){.node = node, .shape = shape, .nodes = 1};
    return 0;
}

/* By the work that the node states, 20 FLOPs to a byte, as devices do about. */
static double cost_of(const struct tuner *t, const struct task *task)
{
    struct ctr_bench b = {.from = t->g, .node = task->node};
    double cost = 0;
    if (ctr_bench_prepare(&b) == 0) {
        struct ctr_plan_report r = ctr_graph_report(b.own.g);
        cost = (r.flops / 20 + r.traffic_bytes) * task->nodes;
    }
    ctr_bench_end(&b);
    return cost;
}

static int costly_first(const void *pa, const void *pb)
{
    const struct task *a = pa, *b = pb;
    return a->cost > b->cost ? -1 : a->cost < b->cost;
}

static void order(struct tuner *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct ctr_tuned_entry *e = known(t, &t->tasks[i]);
        int done = e && e->depth >= CTR_TUNE_QUICK && !t->params->full;
        t->tasks[i].cost = done ? -1 : cost_of(t, &t->tasks[i]);
    }
    if (t->n > 0)
        qsort(t->tasks, t->n, sizeof *t->tasks, costly_first);
    while (t->todo < t->n && t->tasks[t->todo].cost >= 0)
        t->todo++;
}

/* ---- one candidate ---- */

static char *candidate_text(const struct task *task, const struct ctr_candidate *c)
{
    struct ctr_str s = {0};
    ctr_str_addf(&s, "%s@%s=%s", task->node->op->name, task->shape.s, c->variant->name);
    ctr_config_text(&s, &c->config);
    if (!s.failed)
        return s.s;
    ctr_str_free(&s);
    return NULL;
}

/* Tells where the search is; looks whether it is to end. */
static void look(struct tuner *t, const char *what)
{
    double spent = ctr_now() - t->began, budget = t->params->budget_s;
    double left = t->at ? spent / (double)t->at * (double)(t->todo - t->at) : 0;
    if (budget > 0 && (t->at == 0 || left > budget - spent))
        left = budget > spent ? budget - spent : 0;
    struct ctr_tune_progress p = {t->at, t->todo, t->report->tried, what, spent, left};
    if (t->params->progress && t->params->progress(t->params->user, &p) != 0)
        t->report->stopped = t->ended = 1;
    else if (budget > 0 && spent >= budget)
        t->report->out_of_time = t->ended = 1;
}

/* A failure is the candidate's, unless the device went with it. */
static int refuse(struct tuner *t, const char *candidate)
{
    ctr_log(CTR_LOG_DEBUG, "%s: %s", candidate, ctr_error_text());
    t->report->refused++;
    return ctr_dev_finish(t->g->dev);
}

static int is_better(const struct search *s, double ratio)
{
    return ratio < 1 - CTR_TUNE_MARGIN && ratio < s->ratio;
}

/* One candidate: compared, timed, and a winner timed once more. */
static int try_one(struct search *s, const struct ctr_candidate *c, const char *text)
{
    double ratio = 0, error = 0;
    struct tuner *t = s->t;
    int rc = ctr_tuned_mark(t->tuned, text);
    if (rc != 0)
        return rc;
    t->report->tried++;
    size_t samples = t->params->full ? CTR_BENCH_SAMPLES : QUICK_SAMPLES;
    rc = ctr_bench_try(&ratio, &error, &s->bench, c, samples);
    if (rc == 0 && is_better(s, ratio))
        rc = ctr_bench_try(&ratio, &error, &s->bench, c, CTR_BENCH_SAMPLES);
    ctr_tuned_unmark(t->tuned);
    if (rc != 0)
        return refuse(t, text);
    if (is_better(s, ratio)) {
        s->ratio = ratio;
        s->error = error;
        s->best = *c;
    }
    return 0;
}

static int visit(struct search *s, const struct ctr_candidate *c)
{
    char *text = candidate_text(s->task, c);
    if (!text)
        return CTR_E_FAIL;
    look(s->t, text);
    int rc = s->t->ended || ctr_tuned_is_skipped(s->t->tuned, text) ? 0 : try_one(s, c, text);
    free(text);
    return rc;
}

/* ---- one shape ---- */

/* The own choice is written down like any other: it has not run before either. */
static int start(struct search *s)
{
    int rc = ctr_bench_prepare(&s->bench);
    if (rc != 0)
        return rc;
    s->best.variant = s->bench.own.node->variant;
    char *text = candidate_text(s->task, &s->best);
    if (!text)
        return CTR_E_FAIL;
    if (ctr_tuned_is_skipped(s->t->tuned, text)) {
        rc = ctr_fail(CTR_E_FAIL, "it ended the process that tried it");
    } else if ((rc = ctr_tuned_mark(s->t->tuned, text)) == 0) {
        rc = ctr_bench_own(&s->bench);
        ctr_tuned_unmark(s->t->tuned);
    }
    free(text);
    return rc;
}

static void short_text(struct ctr_str *s, const struct ctr_candidate *c)
{
    ctr_str_addf(s, "%s", c->variant->name);
    ctr_config_text(s, &c->config);
}

static int keep(const struct search *s)
{
    struct tuner *t = s->t;
    const struct task *task = s->task;
    struct ctr_str own = {0}, chosen = {0};
    if (t->ended && s->ratio == 1 && known(t, task))
        return 0; /* nothing new */
    short_text(&own, &(struct ctr_candidate){s->bench.own.node->variant, {{0}}});
    short_text(&chosen, &s->best);
    struct ctr_tuned_entry e = {.op = (char *)task->node->op->name,
                                .shape = task->shape.s,
                                .own = own.s,
                                .chosen = chosen.s,
                                .own_s = s->bench.own_s,
                                .chosen_s = s->bench.own_s * s->ratio,
                                .error = s->error,
                                .depth = t->ended          ? CTR_TUNE_PART
                                         : t->params->full ? CTR_TUNE_FULL
                                                           : CTR_TUNE_QUICK};
    int rc = own.failed || chosen.failed ? CTR_E_FAIL : ctr_tuned_put(t->tuned, &e);
    ctr_str_free(&own);
    ctr_str_free(&chosen);
    return rc;
}

static int search(struct tuner *t, const struct task *task)
{
    struct search s = {
        .t = t, .task = task, .bench = {.from = t->g, .node = task->node}, .ratio = 1};
    struct ctr_candidate all[MAX_CANDIDATES];
    int rc = start(&s);
    if (rc == 0) {
        size_t n = ctr_variant_candidates(all, MAX_CANDIDATES, t->g, task->node, t->params->full);
        for (size_t i = 0; i < n && !t->ended && rc == 0; i++)
            rc = visit(&s, &all[i]);
        if (rc == 0)
            rc = keep(&s);
        t->report->searched += rc == 0;
    } else {
        ctr_log(CTR_LOG_INFO, "%s %s is not tuned: %s", task->node->op->name, task->shape.s,
                ctr_error_text());
        rc = ctr_dev_finish(t->g->dev);
    }
    ctr_bench_end(&s.bench);
    return rc;
}

/* ---- a graph ---- */

static int search_all(struct tuner *t)
{
    order(t);
    if (t->todo == 0)
        return 0;
    int rc = ctr_tuned_lock(t->tuned);
    for (; rc == 0 && !t->ended && t->at < t->todo; t->at++) {
        look(t, t->tasks[t->at].shape.s);
        if (!t->ended)
            rc = search(t, &t->tasks[t->at]);
    }
    ctr_tuned_unlock(t->tuned);
    return rc;
}

static void tell(struct tuner *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct task *task = &t->tasks[i];
        const struct ctr_tuned_entry *e = known(t, task);
        if (!e)
            continue;
        t->report->known++;
        t->report->own_s += e->own_s * task->nodes;
        t->report->chosen_s += e->chosen_s * task->nodes;
        if (t->params->row)
            t->params->row(t->params->user, e, task->nodes, i < t->at);
    }
}

int ctr_tune(struct ctr_tune_report *report, ctr_tuned *tuned, const ctr_graph *g,
             const struct ctr_tune_params *params)
{
    struct tuner t = {
        .tuned = tuned, .g = g, .params = params, .report = report, .began = ctr_now()};
    int rc = g->status;
    *report = (struct ctr_tune_report){.shapes = 0};
    if (rc == 0 && g->planned)
        rc = ctr_fail(CTR_E_USAGE, "a planned graph cannot be tuned any more");
    for (size_t i = 0; i < g->n_nodes && rc == 0; i++)
        rc = add_task(&t, g->nodes[i]);
    report->shapes = t.n;
    if (rc == 0)
        rc = search_all(&t);
    if (rc == 0)
        tell(&t);
    report->seconds = ctr_now() - t.began;
    for (size_t i = 0; i < t.n; i++)
        ctr_str_free(&t.tasks[i].shape);
    free(t.tasks);
    return rc;
}
