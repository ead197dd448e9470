/* recompute.c -- outputs that the backward pass makes again instead of keeping them.
 *
 * In: a recorded and differentiated graph whose nodes have chosen their variants. Out: the same graph
 * with nodes inserted before readers of the backward pass, which read the new copy; the first one
 * then dies in the forward pass. Only where an op says how (ctr_op.again), so the bits stay.
 *
 * An output is kept, made once and then kept to its last reader, or made for each reader anew.
 * Which way costs least memory depends on all others at once: from the better of all once and all
 * anew, outputs are kept again, or made only once, as long as the peak of live bytes does not rise.
 * Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", arXiv:1604.06174,
 * sections 3 and 4. */
#include "graph/impl.h"

#include <stdlib.h>
#include <string.h>

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
    size_t n_own;
    struct candidate *candidates;
    size_t n;
};

/* ---- one order of execution from what is decided ---- */

static int append(ctr_graph *g, ctr_node *node)
{
    if (ctr_grow((void **)&g->nodes, &g->cap_nodes, g->n_nodes + 1, sizeof *g->nodes) != 0)
        return CTR_E_FAIL;
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
    struct candidate *c = NULL;
    for (size_t i = 0; t && t->producer && i < w->n && !c; i++)
        if (w->candidates[i].t == t)
            c = &w->candidates[i];
    if (!c || c->how == KEPT)
        return t;
    if (c->now && (c->how == ONCE || c->reader == reader))
        return c->now;
    ctr_node *node = next_copy(w->g, c);
    for (unsigned k = 0; node && k < node->n_in; k++)
        if (c->in[k] && !(node->in[k] = read_by(w, c->in[k], node)))
            return NULL;
    if (!node || append(w->g, node) != 0)
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
        if (append(g, node) != 0)
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

static int larger_first(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;
    if (a->t->bytes != b->t->bytes)
        return a->t->bytes < b->t->bytes ? 1 : -1;
    return a->t->producer->number - b->t->producer->number;
}

static int decide(struct work *w)
{
    int rc = 0;
    size_t least, once, kept, peak;
    CTR_TRY(peak_of_all(&kept, w, KEPT));
    w->g->report.kept_bytes = kept;
    CTR_TRY(peak_of_all(&once, w, ONCE));
    CTR_TRY(peak_of_all(&least, w, ANEW));
    if (once < least)
        CTR_TRY(peak_of_all(&least, w, ONCE));
    for (size_t i = 0; i < w->n; i++)
        for (enum how how = KEPT; how < w->candidates[i].how; how++) {
            enum how before = w->candidates[i].how;
            w->candidates[i].how = how;
            CTR_TRY(peak_of(&peak, w));
            if (peak <= least) {
                least = peak;
                break;
            }
            w->candidates[i].how = before;
        }
    CTR_TRY(peak_of(&peak, w));
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
        if (!copy ||
            ctr_grow((void **)&c->copy, &c->cap_copies, 1, sizeof(ctr_node *)) != 0)
            return CTR_E_FAIL;
        w->n++;
        c->t = node->out[0];
        c->copy[0] = copy;
        c->n_copies = 1;
        memcpy(c->in, copy->in, sizeof c->in);
        g->n_nodes--;
    }
    qsort(w->candidates, w->n, sizeof *w->candidates, larger_first);
    return 0;
}

int ctr_recompute(ctr_graph *g)
{
    int rc = 0;
    struct work w = {.g = g, .n_own = g->n_nodes};
    w.own = ctr_alloc(g->n_nodes, sizeof(ctr_node *));
    w.in = ctr_alloc(g->n_nodes, sizeof *w.in);
    w.candidates = ctr_alloc(g->first_backward, sizeof *w.candidates);
    if (!w.own || !w.in || !w.candidates)
        CTR_TRY(CTR_E_FAIL);
    for (size_t i = 0; i < g->n_nodes; i++) {
        w.own[i] = g->nodes[i];
        memcpy(w.in[i], g->nodes[i]->in, sizeof w.in[i]);
    }
    CTR_TRY(find_candidates(&w));
    CTR_TRY(decide(&w));
    for (size_t i = 0; i < w.n; i++)
        g->report.recomputed += w.candidates[i].used;
out:
    for (size_t i = 0; i < w.n; i++)
        free(w.candidates[i].copy);
    free(w.candidates);
    free(w.in);
    free(w.own);
    return rc != 0 ? rc : g->status;
}
