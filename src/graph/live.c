/* live.c -- how long each tensor lives, and which may take another one's place.
 * In: nodes in the order of execution. Out: first, last and over of each tensor; the bytes that live
 * at most at the same time, less those that gradients not yet made have room for: no plan of memory can get below.
 *
 * A temporary lives from the node that makes it to its last reader, and through the whole of a
 * repeated part that it comes from or goes into; a parameter's gradient to the end. Element-wise kernels may store an
 * output over an input that dies there (ctr_op.in_place): both are then one place that lives on. */
#include "graph/impl.h"

#include <stdlib.h>

int ctr_in_arena(const ctr_tensor *t)
{
    return t->role == CTR_ROLE_TEMP && !t->grad_of && t->first >= 0;
}

ctr_tensor *ctr_place_of(ctr_tensor *t)
{
    while (t->over)
        t = t->over;
    return t;
}

int ctr_element_wise(const ctr_node *node, unsigned out, unsigned in)
{
    return 1;
}

static void live(ctr_tensor *t, int number)
{
    if (!t)
        return;
    if (t->first < 0)
        t->first = number;
    t->last = number;
}

static int taken(const ctr_node *node, const ctr_tensor *t)
{
    for (unsigned k = 0; k < node->n_out; k++)
        if (node->out[k]->over == t)
            return 1;
    return 0;
}

static void take_over(const ctr_node *node, unsigned k)
{
    ctr_tensor *y = node->out[k];
    for (unsigned i = 0; i < node->n_in && ctr_in_arena(y); i++) {
        ctr_tensor *x = node->in[i];
        if (x && ctr_in_arena(x) && x->producer->part == node->part && x->last == node->number &&
            x->bytes == y->bytes && !taken(node, x) && node->op->in_place(node, k, i)) {
            y->over = x;
            return;
        }
    }
}

static unsigned part_at(const ctr_graph *g, int number)
{
    return (size_t)number < g->n_nodes ? g->nodes[number]->part : (unsigned)g->n_parts;
}

/* What is read in a turn must outlive the turns before, what is made in one those after. */
static void outlive_turns(const ctr_graph *g, ctr_tensor *t)
{
    unsigned first = part_at(g, t->first), last = part_at(g, t->last);
    if (first == last)
        return;
    while (g->parts[first].turn && t->first > 0 && part_at(g, t->first - 1) == first)
        t->first--;
    while (last < g->n_parts && g->parts[last].turn && part_at(g, t->last + 1) == last)
        t->last++;
}

void ctr_find_lifetimes(ctr_graph *g)
{
    for (size_t i = 0; i < g->n_tensors; i++) {
        g->tensors[i]->first = g->tensors[i]->last = -1;
        g->tensors[i]->over = NULL;
    }
    for (size_t i = 0; i < g->n_nodes; i++) {
        ctr_node *node = g->nodes[i];
        for (unsigned k = 0; k < node->n_in; k++)
            live(node->in[k], node->number);
        for (unsigned k = 0; k < node->n_out; k++)
            live(node->out[k], node->number);
        for (ctr_tensor *t = node->scratch; t; t = t->next)
            live(t, node->number);
    }
    for (size_t i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->keep || g->tensors[i]->grad_of || g->guard)
            g->tensors[i]->last = (int)g->n_nodes;
    for (size_t i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->first >= 0)
            outlive_turns(g, g->tensors[i]);
    for (size_t i = 0; i < g->n_nodes; i++)
        for (unsigned k = 0; k < g->nodes[i]->n_out && g->nodes[i]->op->in_place; k++)
            take_over(g->nodes[i], k);
    for (size_t i = 0; i < g->n_tensors; i++) {
        ctr_tensor *t = g->tensors[i], *place = ctr_place_of(t);
        if (t->last > place->last)
            place->last = t->last;
    }
}

int ctr_live_peak(size_t *peak, ctr_graph *g)
{
    size_t *born = ctr_alloc(2 * (g->n_nodes + 2), sizeof *born), live_bytes = 0, grads = 0;
    size_t *dead = born + g->n_nodes + 2;
    if (!born)
        return CTR_E_FAIL;
    for (size_t i = 0; i < g->n_tensors; i++) {
        const ctr_tensor *t = g->tensors[i];
        if (t->first < 0 || t->over || (!ctr_in_arena(t) && !t->grad_of))
            continue;
        born[t->first] += t->bytes;
        dead[t->last + 1] += t->bytes;
        grads += t->grad_of ? t->bytes : 0;
    }
    *peak = grads;
    for (size_t i = 0; i <= g->n_nodes; i++) {
        live_bytes += born[i] - dead[i];
        *peak = live_bytes > *peak ? live_bytes : *peak;
    }
    *peak -= grads;
    free(born);
    return 0;
}
