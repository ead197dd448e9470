/* recompute.c -- outputs that the backward pass makes again instead of keeping them.
 *
 * In: a recorded and differentiated graph whose nodes have chosen their variants. Out: the same graph
 * with nodes inserted before readers of the backward pass, which read the new copy; the first one
 * then dies in the forward pass. Only where an op says how (ctr_op.again), so the bits stay.
 *
 * An output is kept, made once and then kept to its last reader, or made for each reader anew.
 * Which way costs least memory depends on all others at once: from the better of all once and all
 * anew, outputs are kept again, or made only once, while the peak of live bytes stays within a limit
 * near the least; the limit rises until the time that it takes is within the budget.
 * Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", arXiv:1604.06174,
 * sections 3 and 4. */
#include "graph/impl.h"

#include <stdlib.h>
#include <string.h>

#define STEPS 128 /* of the limit, each 1/128 of what is kept without one */

enum how { KEPT, ONCE, ANEW };

/* An output that can be made again. */
struct candidate {
    ctr_tensor *t;
    enum how how;
    ctr_node **copy; /* nodes that make it again; the first is as the op appended it */
    ctr_tensor *in[CTR_MAX_IO]; /* what that one reads when all are kept */
    size_t n_copies, cap_copies, used;
    ctr_tensor *now; /* the copy last made, and whom for */
    const ctr_node *reader;
};

struct work {
    ctr_graph *g;
    ctr_node **own; /* the recorded nodes, and what they read when all is kept */
    ctr_tensor *(*in)[CTR_MAX_IO];
    struct candidate **at; /* the candidate that such a node of the forward pass makes; NULL: none */
    size_t n_own;
    struct candidate *candidates;
    size_t n;
};

/* ---- one order of execution from what is decided ---- */

static int append(ctr_graph *g, ctr_node *node, unsigned part)
{
    if (ctr_grow((void **)&g->nodes, &g->cap_nodes, g->n_nodes + 1, sizeof *g->nodes) != 0)
        return CTR_E_FAIL;
    node->part = part;
    node->number = (int)g->n_nodes;
    g->nodes[g->n_nodes++] = node;
    return 0;
}

/* A copy not used yet. Ops append to the graph: here that is undone, its place is not yet known. */
static ctr_node *next_copy(ctr_graph *g, struct candidate *c)
{
    if (c->used == c->n_copies) {
        ctr_node *node = ctr_node_again(g, c->copy[0]);
        if (!node || ctr_grow((void **)&c->copy, &c->cap_copies, c->n_copies + 1,
                              sizeof(ctr_node *)) != 0)
            return NULL;
        g->n_nodes--;
        c->copy[c->n_copies++] = node;
    }
    return c->copy[c->used++];
}

/* What `reader` is to read for t; appends what makes it. NULL on failure. */
static ctr_tensor *read_by(struct work *w, ctr_tensor *t, const ctr_node *reader)
{
    size_t maker = t->producer ? (size_t)t->producer->number : w->g->first_backward;
    struct candidate *c = maker < w->g->first_backward ? w->at[maker] : NULL;
    if (c && c->t != t) /* another output of that node */
        c = NULL;
    if (!c || c->how == KEPT)
        return t;
    if (c->now && (c->how == ONCE || c->reader == reader))
        return c->now;
    ctr_node *node = next_copy(w->g, c);
    for (unsigned k = 0; node && k < node->n_in; k++)
        if (c->in[k] && !(node->in[k] = read_by(w, c->in[k], node)))
            return NULL;
    if (!node || append(w->g, node, reader->part) != 0)
        return NULL;
    c->now = node->out[0];
    c->reader = reader;
    return c->now;
}

static int arrange(struct work *w)
{
    ctr_graph *g = w->g;
    g->n_nodes = 0;
    for (size_t i = 0; i < w->n; i++) {
        w->candidates[i].used = 0;
        w->candidates[i].now = NULL;
    }
    for (size_t i = 0; i < w->n_own; i++) {
        ctr_node *node = w->own[i];
        for (unsigned k = 0; k < node->n_in; k++) {
            node->in[k] = w->in[i][k];
            if (node->in[k] && i >= g->first_backward)
                node->in[k] = read_by(w, w->in[i][k], node);
            if (w->in[i][k] && !node->in[k])
                return CTR_E_FAIL;
        }
        if (append(g, node, node->part) != 0)
            return CTR_E_FAIL;
    }
    return 0;
}

static int peak_of(size_t *peak, struct work *w)
{
    int rc = arrange(w);
    ctr_find_lifetimes(w->g);
    return rc != 0 ? rc : ctr_live_peak(peak, w->g);
}

/* ---- deciding ---- */

static int peak_of_all(size_t *peak, struct work *w, enum how how)
{
    for (size_t i = 0; i < w->n; i++)
        w->candidates[i].how = how;
    return peak_of(peak, w);
}

/* The order in which they are kept again: what costs most, the end of a chain before its beginning. */
static int dearest_first(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;
    int dear = a->t->producer->op->again_dear;
    if (dear != b->t->producer->op->again_dear)
        return dear ? -1 : 1;
    if (a->t->bytes != b->t->bytes)
        return a->t->bytes < b->t->bytes ? 1 : -1;
    return b->t->producer->number - a->t->producer->number;
}

/* Keeps what can be kept, or makes it only once, while the peak stays within limit. */
static int relax(struct work *w, size_t limit)
{
    size_t peak;
    for (size_t i = 0; i < w->n; i++)
        for (enum how how = KEPT; how < w->candidates[i].how; how++) {
            enum how before = w->candidates[i].how;
            w->candidates[i].how = how;
            int rc = peak_of(&peak, w);
            if (rc != 0)
                return rc;
            if (peak <= limit)
                break;
            w->candidates[i].how = before;
        }
    return peak_of(&peak, w);
}

static double traffic_of(const ctr_node *node)
{
    double bytes = 0;
    for (unsigned k = 0; k < node->n_in; k++)
        bytes += node->in[k] ? (double)node->in[k]->bytes : 0;
    for (unsigned k = 0; k < node->n_out; k++)
        bytes += (double)node->out[k]->bytes;
    return bytes;
}

/* What is made again, as a share of what all nodes read and write; a dear node counts twice. */
static double cost_of(const struct work *w)
{
    double all = 0, again = 0;
    for (size_t i = 0; i < w->n_own; i++)
        all += traffic_of(w->own[i]);
    for (size_t i = 0; i < w->n; i++) {
        const ctr_node *node = w->candidates[i].copy[0];
        again += (double)w->candidates[i].used * (node->op->again_dear ? 2 : 1) * traffic_of(node);
    }
    return again / all;
}

/* From the least memory upwards to what may be had for `budget`. */
static int decide(struct work *w, double budget)
{
    int rc = 0;
    size_t once, anew, kept;
    CTR_TRY(peak_of_all(&kept, w, KEPT));
    CTR_TRY(peak_of_all(&once, w, ONCE));
    CTR_TRY(peak_of_all(&anew, w, ANEW));
    w->g->report.kept_bytes = kept;
    size_t least = once < anew ? once : anew;
    size_t step = kept / STEPS + 1;
    for (size_t limit = least + step; limit < kept + step; limit += step) {
        size_t start;
        CTR_TRY(peak_of_all(&start, w, once < anew ? ONCE : ANEW));
        CTR_TRY(relax(w, limit));
        if (cost_of(w) <= budget)
            return 0;
    }
    rc = peak_of_all(&kept, w, KEPT);
out:
    return rc;
}

/* ---- finding candidates ---- */

static int find_candidates(struct work *w)
{
    ctr_graph *g = w->g;
    for (size_t i = 0; i < g->first_backward; i++) {
        ctr_node *node = w->own[i];
        if (!node->op->again || node->out[0]->keep)
            continue;
        struct candidate *c = &w->candidates[w->n];
        ctr_node *copy = node->op->again(g, node);
        if (!copy && g->status == 0)
            continue;
        if (!copy || ctr_grow((void **)&c->copy, &c->cap_copies, 1, sizeof(ctr_node *)) != 0)
            return CTR_E_FAIL;
        w->n++;
        c->t = node->out[0];
        c->copy[0] = copy;
        c->n_copies = 1;
        memcpy(c->in, copy->in, sizeof c->in);
        g->n_nodes--;
    }
    qsort(w->candidates, w->n, sizeof *w->candidates, dearest_first);
    for (size_t i = 0; i < w->n; i++)
        w->at[w->candidates[i].t->producer->number] = &w->candidates[i];
    return 0;
}

int ctr_recompute(ctr_graph *g, double budget)
{
    int rc = 0;
    struct work w = {.g = g, .n_own = g->n_nodes};
    w.own = ctr_alloc(g->n_nodes, sizeof(ctr_node *));
    w.in = ctr_alloc(g->n_nodes, sizeof *w.in);
    w.candidates = ctr_alloc(g->first_backward, sizeof *w.candidates);
    w.at = ctr_alloc(g->first_backward, sizeof(struct candidate *));
    if (!w.own || !w.in || !w.candidates || !w.at)
        CTR_TRY(CTR_E_FAIL);
    for (size_t i = 0; i < g->n_nodes; i++) {
        w.own[i] = g->nodes[i];
        memcpy(w.in[i], g->nodes[i]->in, sizeof w.in[i]);
    }
    CTR_TRY(find_candidates(&w));
    CTR_TRY(decide(&w, budget));
    for (size_t i = 0; i < w.n; i++)
        g->report.recomputed += w.candidates[i].used;
out:
    for (size_t i = 0; i < w.n; i++)
        free(w.candidates[i].copy);
    free(w.at);
    free(w.candidates);
    free(w.in);
    free(w.own);
    return rc != 0 ? rc : g->status;
}
