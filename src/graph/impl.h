/* impl.h -- what the files of this folder share. Nobody else includes it. */
#ifndef CTR_GRAPH_IMPL_H
#define CTR_GRAPH_IMPL_H

#include "base/mem.h"
#include "base/str.h"
#include "graph/graph.h"

/* Nodes that follow each other and run `times` times (ctr_graph_repeat). */
struct ctr_part {
    size_t times;
    ctr_tensor *turn; /* NULL: once */
    size_t end;       /* launches up to the part's last, once lowered */
};

struct ctr_graph {
    ctr_dev *dev;
    ctr_store *store;
    struct ctr_arena mem; /* tensors, nodes, attributes, names */
    int status;
    ctr_node **nodes;
    size_t n_nodes, cap_nodes;
    ctr_tensor **tensors;
    size_t n_tensors, cap_tensors;
    size_t first_backward; /* nodes before those that the last differentiation has appended; 0: none */
    struct ctr_part *parts; /* the last one is being recorded */
    size_t n_parts, cap_parts;
    int planned, guard;
    int shadow; /* parameters are recorded as their shadows */
    unsigned param_flags; /* see ctr_graph_param_flags */
    const ctr_node *lowering; /* the node whose launches are being described */
    ctr_buf **chunks; /* arena buffers */
    size_t n_chunks, cap_chunks;
    ctr_launch **launches;
    size_t n_launches, cap_launches;
    struct ctr_plan_report report;
    struct ctr_str choices, changed; /* see ctr_graph_choices */
};

struct ctr_store {
    ctr_dev *dev;
    struct ctr_arena mem;
    struct ctr_store_entry *entries;
    size_t n, cap;
    unsigned n_moments;
    int grads, blocks, shadow; /* whether a graph has asked for them */
    size_t flat_count, state_count;
    int frozen;
    ctr_buf *part[CTR_STORE_PARTS];
    ctr_buf *states;
};

/* A tensor registered with the graph; NULL (status set) when memory runs out. */
ctr_tensor *ctr_tensor_new(ctr_graph *g, const char *name, enum ctr_dtype dtype, enum ctr_role role,
                           unsigned rank, const size_t *dim);

/* Finds the entry, or adds it. CTR_E_USAGE when it exists with another shape, or the store is
 * frozen and has no such entry. */
int ctr_store_want(size_t *entry, ctr_store *store, const struct ctr_store_entry *want);
/* Creates the flat buffers that are wanted and not yet there. */
int ctr_store_alloc(ctr_store *store);
/* A view of an entry in a flat buffer (its gradient, value...). */
int ctr_store_view(ctr_buf **out, ctr_store *store, size_t entry, enum ctr_store_part part);

/* ---- live.c ---- */
/* Whether it is placed in the arena; after ctr_find_lifetimes. */
int ctr_in_arena(const ctr_tensor *t);
/* The tensor whose place it shares, possibly itself. */
ctr_tensor *ctr_place_of(ctr_tensor *t);
void ctr_find_lifetimes(ctr_graph *g);
/* The bytes of temporaries that live at most at the same time, less those of parameters' gradients not
 * made by then (place.c); after ctr_find_lifetimes. */
int ctr_live_peak(size_t *peak, ctr_graph *g);

/* ---- place.c ---- */
/* Gives every tensor its buffer; after ctr_find_lifetimes, when the store has its own. */
int ctr_place(ctr_graph *g);

/* ---- recompute.c ---- */
/* Inserts nodes, renumbers all. The new ones have no variant yet. budget: what they may read and write,
 * as a share of what all others do. */
int ctr_recompute(ctr_graph *g, double budget);

/* ---- variant.c ---- */
/* Sets node->variant and node->config from the first of the lists that has a choice for it. */
int ctr_variant_choose(ctr_graph *g, ctr_node *node, const char *const *lists, size_t n);
/* CTR_E_USAGE when the list names an op, variant or configuration that nothing here has. */
int ctr_variant_check(const ctr_graph *g, const char *list);

/* What may be tried for a node beside its op's own choice: their number, at most `room`. The last
 * variant, seldom fast, only with `general` or where it is the own one. */
struct ctr_candidate {
    const struct ctr_variant *variant;
    struct ctr_config config;
};
size_t ctr_variant_candidates(struct ctr_candidate *out, size_t room, const ctr_graph *g,
                              const ctr_node *node, int general);

/* The ops that differentiation itself needs (builtin.c). */
ctr_tensor *ctr_builtin_fill(ctr_graph *g, unsigned rank, const size_t *dim, float value);
ctr_tensor *ctr_builtin_sum(ctr_graph *g, ctr_tensor *a, ctr_tensor *b); /* b NULL: a copy */
/* And the sum over the turns of a part: what is stored so far, 0 in the first, and a. */
ctr_tensor *ctr_builtin_accumulate(ctr_graph *g, ctr_tensor *a, ctr_tensor *turn);

#endif
