/* graph.c -- recording and differentiating.
 * In: calls of ops. Out: a list of nodes whose order is a valid order of execution. */
#include "graph/impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t ctr_dtype_bytes(enum ctr_dtype dtype)
{
    return dtype == CTR_U8 ? 1 : dtype == CTR_F16 || dtype == CTR_BF16 || dtype == CTR_U16 ? 2 : 4;
}

const char *ctr_dtype_name(enum ctr_dtype dtype)
{
    static const char *const names[] = {"fp32", "int32", "uint32", "uint8", "fp16", "bf16", "uint16"};
    return names[dtype];
}

int ctr_dtype_is_float(enum ctr_dtype dtype)
{
    return dtype == CTR_F32 || dtype == CTR_F16 || dtype == CTR_BF16;
}

static int add_part(ctr_graph *g, size_t times, ctr_tensor *turn)
{
    if (ctr_grow((void **)&g->parts, &g->cap_parts, g->n_parts + 1, sizeof *g->parts) != 0)
        return CTR_E_FAIL;
    g->parts[g->n_parts++] = (struct ctr_part){.times = times, .turn = turn};
    return 0;
}

int ctr_graph_create(ctr_graph **out, ctr_dev *dev, ctr_store *store)
{
    ctr_graph *g = ctr_alloc(1, sizeof *g);
    if (!g)
        return CTR_E_FAIL;
    g->dev = dev;
    g->store = store;
    if (add_part(g, 1, NULL) != 0) {
        free(g);
        return CTR_E_FAIL;
    }
    *out = g;
    return 0;
}

void ctr_graph_destroy(ctr_graph **graph)
{
    ctr_graph *g = *graph;
    if (!g)
        return;
    for (size_t i = 0; i < g->n_launches; i++)
        ctr_launch_destroy(&g->launches[i]);
    for (size_t i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->owns_buf)
            ctr_buf_destroy(&g->tensors[i]->buf);
    for (size_t i = 0; i < g->n_chunks; i++)
        ctr_buf_destroy(&g->chunks[i]);
    free(g->launches);
    free(g->chunks);
    free(g->tensors);
    free(g->nodes);
    free(g->parts);
    ctr_str_free(&g->choices);
    ctr_str_free(&g->changed);
    ctr_arena_free(&g->mem);
    free(g);
    *graph = NULL;
}

ctr_dev *ctr_graph_dev(const ctr_graph *g)
{
    return g->dev;
}

const struct ctr_caps *ctr_graph_caps(const ctr_graph *g)
{
    return ctr_dev_caps(g->dev);
}

int ctr_graph_status(const ctr_graph *g)
{
    return g->status;
}

/* Keeps the first failure; its text must already be recorded. */
static void *failed(ctr_graph *g, int code)
{
    if (g->status == 0)
        g->status = code;
    return NULL;
}

void *ctr_graph_fail(ctr_graph *g, int code, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    if (g->status != 0)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return failed(g, ctr_fail(code, "%s", text));
}

ctr_tensor *ctr_tensor_new(ctr_graph *g, const char *name, enum ctr_dtype dtype, enum ctr_role role,
                           unsigned rank, const size_t *dim)
{
    if (g->status != 0)
        return NULL;
    if (g->planned)
        return ctr_graph_fail(g, CTR_E_USAGE, "%s: the graph is already planned", name);
    size_t count = 1, bytes;
    if (rank > CTR_MAX_RANK)
        return ctr_graph_fail(g, CTR_E_USAGE, "%s: %u dimensions, at most %d", name, rank,
                              CTR_MAX_RANK);
    for (unsigned i = 0; i < rank; i++)
        if (dim[i] == 0 || __builtin_mul_overflow(count, dim[i], &count))
            return ctr_graph_fail(g, CTR_E_USAGE, "%s: dimension %u is %zu", name, i, dim[i]);
    if (__builtin_mul_overflow(count, ctr_dtype_bytes(dtype), &bytes))
        return ctr_graph_fail(g, CTR_E_USAGE, "%s: too large", name);
    ctr_tensor *t = ctr_arena_alloc(&g->mem, sizeof *t);
    char *copy = ctr_arena_strdup(&g->mem, name);
    if (!t || !copy ||
        ctr_grow((void **)&g->tensors, &g->cap_tensors, g->n_tensors + 1, sizeof *g->tensors) != 0)
        return failed(g, CTR_E_FAIL);
    *t = (ctr_tensor){.name = copy,
                      .dtype = dtype,
                      .role = role,
                      .rank = rank,
                      .dim = {1, 1, 1, 1},
                      .count = count,
                      .bytes = bytes,
                      .first = -1,
                      .last = -1};
    for (unsigned i = 0; i < rank; i++)
        t->dim[i] = dim[i];
    g->tensors[g->n_tensors++] = t;
    return t;
}

ctr_tensor *ctr_graph_input(ctr_graph *g, const char *name, enum ctr_dtype dtype, unsigned rank,
                            const size_t *dim)
{
    return ctr_tensor_new(g, name, dtype, CTR_ROLE_INPUT, rank, dim);
}

ctr_tensor *ctr_graph_constant(ctr_graph *g, const char *name, enum ctr_dtype dtype, unsigned rank,
                               const size_t *dim, const void *values)
{
    ctr_tensor *t = ctr_graph_input(g, name, dtype, rank, dim);
    void *content = t ? ctr_arena_alloc(&g->mem, t->bytes) : NULL;
    if (!content)
        return t ? failed(g, CTR_E_FAIL) : NULL;
    t->content = memcpy(content, values, t->bytes);
    return t;
}

void ctr_graph_bind(ctr_tensor *input, ctr_buf *buf)
{
    if (input)
        input->buf = buf;
}

void ctr_graph_want_grad(ctr_tensor *t)
{
    if (t)
        t->needs_grad = 1;
}

void ctr_graph_keep(ctr_tensor *t)
{
    if (t)
        t->keep = 1;
}

static ctr_tensor *store_tensor(ctr_graph *g, struct ctr_store_entry *want, const size_t *dim)
{
    size_t entry;
    if (g->status != 0)
        return NULL;
    if (!g->store)
        return ctr_graph_fail(g, CTR_E_USAGE, "%s: the graph has no store", want->name);
    if (want->rank > CTR_MAX_RANK)
        return ctr_graph_fail(g, CTR_E_USAGE, "%s: %u dimensions, at most %d", want->name,
                              want->rank, CTR_MAX_RANK);
    memcpy(want->dim, dim, want->rank * sizeof *dim);
    int rc = ctr_store_want(&entry, g->store, want);
    if (rc != 0)
        return failed(g, rc);
    /* used twice in one graph: one tensor, one gradient */
    int shadow = g->shadow && !want->is_state;
    for (size_t i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->role == CTR_ROLE_STORE && g->tensors[i]->entry == entry &&
            g->tensors[i]->shadow == shadow)
            return g->tensors[i];
    ctr_tensor *t = ctr_tensor_new(g, want->name, CTR_F32, CTR_ROLE_STORE, want->rank, want->dim);
    if (t) {
        t->entry = entry;
        t->shadow = shadow;
        t->needs_grad = !want->is_state && !shadow;
    }
    return t;
}

ctr_tensor *ctr_graph_param(ctr_graph *g, const char *name, unsigned rank, const size_t *dim,
                            struct ctr_init init, unsigned flags)
{
    struct ctr_store_entry want = {
        .name = name, .rank = rank, .init = init, .flags = flags | g->param_flags};
    return store_tensor(g, &want, dim);
}

void ctr_graph_param_flags(ctr_graph *g, unsigned flags)
{
    g->param_flags = flags;
}

ctr_tensor *ctr_graph_state(ctr_graph *g, const char *name, unsigned rank, const size_t *dim,
                            struct ctr_init init)
{
    char full[160];
    struct ctr_store_entry want = {.name = name, .rank = rank, .init = init, .is_state = 1};
    if (g->shadow) {
        snprintf(full, sizeof full, "shadow.%s", name);
        want.name = full;
    }
    return store_tensor(g, &want, dim);
}

void ctr_graph_shadow(ctr_graph *g, int on)
{
    g->shadow = on;
    if (g->store && on)
        g->store->shadow = 1;
}

ctr_tensor *ctr_graph_store_part(ctr_graph *g, enum ctr_store_part part)
{
    static const char *const names[] = {"values", "gradients", "moment 1", "moment 2", "shadow",
                                        "blocks"};
    if (g->status != 0)
        return NULL;
    if (!g->store)
        return ctr_graph_fail(g, CTR_E_USAGE, "%s: the graph has no store", names[part]);
    g->store->grads |= part == CTR_STORE_GRADS;
    g->store->blocks |= part == CTR_STORE_BLOCKS;
    int rc = ctr_store_alloc(g->store);
    if (rc != 0)
        return failed(g, rc);
    if (!g->store->part[part])
        return ctr_graph_fail(g, CTR_E_USAGE, "the store keeps no %s", names[part]);
    size_t count = g->store->flat_count;
    enum ctr_dtype dtype = CTR_F32;
    if (part == CTR_STORE_BLOCKS) {
        count /= CTR_STORE_BLOCK;
        dtype = CTR_U32;
    }
    ctr_tensor *t = ctr_tensor_new(g, names[part], dtype, CTR_ROLE_STORE, 1, &count);
    if (t) {
        t->buf = g->store->part[part];
        t->entry = (size_t)-1;
    }
    return t;
}

ctr_tensor *ctr_graph_repeat(ctr_graph *g, size_t times)
{
    ctr_tensor *turn = ctr_graph_input(g, "turn", CTR_I32, 1, (size_t[]){1});
    return turn && add_part(g, times, turn) != 0 ? failed(g, CTR_E_FAIL) : turn;
}

void ctr_graph_once(ctr_graph *g)
{
    if (g->status == 0 && add_part(g, 1, NULL) != 0)
        failed(g, CTR_E_FAIL);
}

ctr_node *ctr_node_add(ctr_graph *g, const struct ctr_op *op, const void *attr, size_t attr_bytes,
                       unsigned n_in, ctr_tensor *const *in, unsigned optional)
{
    if (g->status != 0)
        return NULL;
    if (n_in > CTR_MAX_IO)
        return ctr_graph_fail(g, CTR_E_USAGE, "%s: %u inputs, at most %d", op->name, n_in,
                              CTR_MAX_IO);
    for (unsigned i = 0; i + optional < n_in; i++)
        if (!in[i])
            return ctr_graph_fail(g, CTR_E_USAGE, "%s: input %u is missing", op->name, i);
    ctr_node *node = ctr_arena_alloc(&g->mem, sizeof *node);
    void *copy = ctr_arena_alloc(&g->mem, attr_bytes);
    if (!node || !copy ||
        ctr_grow((void **)&g->nodes, &g->cap_nodes, g->n_nodes + 1, sizeof *g->nodes) != 0)
        return failed(g, CTR_E_FAIL);
    if (attr_bytes)
        memcpy(copy, attr, attr_bytes);
    node->op = op;
    node->attr = copy;
    node->attr_bytes = attr_bytes;
    node->n_in = n_in;
    for (unsigned i = 0; i < n_in; i++)
        node->in[i] = in[i];
    node->number = (int)g->n_nodes;
    node->part = (unsigned)g->n_parts - 1;
    g->nodes[g->n_nodes++] = node;
    return node;
}

static int any_input_needs_grad(const ctr_node *node)
{
    for (unsigned i = 0; i < node->n_in; i++)
        if (ctr_needs_grad(node->in[i]))
            return 1;
    return 0;
}

ctr_tensor *ctr_node_out(ctr_graph *g, ctr_node *node, enum ctr_dtype dtype, unsigned rank,
                         const size_t *dim)
{
    char name[64];
    if (!node)
        return NULL;
    if (node->n_out == CTR_MAX_IO)
        return ctr_graph_fail(g, CTR_E_USAGE, "%s: more than %d outputs", node->op->name,
                              CTR_MAX_IO);
    snprintf(name, sizeof name, "%s.%d.%u", node->op->name, node->number, node->n_out);
    ctr_tensor *t = ctr_tensor_new(g, name, dtype, CTR_ROLE_TEMP, rank, dim);
    if (!t)
        return NULL;
    t->producer = node;
    t->needs_grad = ctr_dtype_is_float(dtype) && node->op->grad && any_input_needs_grad(node);
    node->out[node->n_out++] = t;
    return t;
}

ctr_node *ctr_node_again(ctr_graph *g, ctr_node *node)
{
    ctr_node *again = ctr_node_add(g, node->op, node->attr, node->attr_bytes, node->n_in, node->in,
                                   node->n_in);
    for (unsigned i = 0; again && i < node->n_out; i++)
        if (!ctr_node_out(g, again, node->out[i]->dtype, node->out[i]->rank, node->out[i]->dim))
            return NULL;
    return again;
}

static int is_half(const ctr_tensor *t)
{
    return t && (t->dtype == CTR_F16 || t->dtype == CTR_BF16);
}

enum ctr_dtype ctr_node_storage(const ctr_node *node)
{
    for (unsigned i = 0; i < node->n_in; i++)
        if (is_half(node->in[i]))
            return node->in[i]->dtype;
    for (unsigned i = 0; i < node->n_out; i++)
        if (is_half(node->out[i]))
            return node->out[i]->dtype;
    return CTR_F32;
}

ctr_tensor *ctr_node_scratch(ctr_graph *g, ctr_node *node, size_t bytes)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%d.scratch", node->op->name, node->number);
    size_t count = (bytes + 3) / 4;
    ctr_tensor *t = ctr_tensor_new(g, name, CTR_F32, CTR_ROLE_TEMP, 1, &count);
    if (!t)
        return NULL;
    t->producer = node;
    t->next = node->scratch;
    node->scratch = t;
    return t;
}

int ctr_needs_grad(const ctr_tensor *t)
{
    return t && t->needs_grad;
}

int ctr_grad_add(ctr_graph *g, ctr_tensor *t, ctr_tensor *contribution)
{
    if (!contribution)
        return g->status;
    if (contribution->count != t->count)
        ctr_graph_fail(g, CTR_E_FAIL, "gradient of %s has %zu values, not %zu", t->name,
                       contribution->count, t->count);
    else if (contribution->dtype != t->dtype)
        ctr_graph_fail(g, CTR_E_FAIL, "gradient of %s is %s, not %s", t->name,
                       ctr_dtype_name(contribution->dtype), ctr_dtype_name(t->dtype));
    else if (t->grad && t->grad->grad_of && g->parts[g->n_parts - 1].turn)
        ctr_graph_fail(g, CTR_E_FAIL, "gradient of %s comes from two parts", t->name);
    t->grad = t->grad ? ctr_builtin_sum(g, t->grad, contribution) : contribution;
    return g->status;
}

static int has_grad(const ctr_node *node)
{
    for (unsigned i = 0; i < node->n_out; i++)
        if (node->out[i]->grad)
            return 1;
    return 0;
}

/* A parameter's gradient is written straight into the store, unless that tensor already serves as
 * another one's gradient or comes from outside: then a copy is. In a repeated part it is added to what
 * is there. */
static void place_param_grad(ctr_graph *g, ctr_tensor *p)
{
    ctr_tensor *turn = g->parts[g->n_parts - 1].turn;
    if (!p || p->role != CTR_ROLE_STORE || !p->grad || p->grad->grad_of == p)
        return;
    if (turn)
        p->grad = ctr_builtin_accumulate(g, p->grad, turn);
    else if (p->grad->role != CTR_ROLE_TEMP || p->grad->grad_of)
        p->grad = ctr_builtin_sum(g, p->grad, NULL);
    if (p->grad) {
        p->grad->grad_of = p;
        g->store->grads = 1;
    }
}

/* Does an earlier node of the same part read t? */
static int read_before(const ctr_graph *g, const ctr_node *node, const ctr_tensor *t)
{
    for (int i = node->number - 1; i >= 0 && g->nodes[i]->part == node->part; i--)
        for (unsigned k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] == t)
                return 1;
    return 0;
}

/* A node of a repeated part has been differentiated: gradients that are complete are added up at once,
 * so that they need not live to the end. */
static void place_early(ctr_graph *g, const ctr_node *node)
{
    for (unsigned k = 0; k < node->n_in; k++)
        if (!read_before(g, node, node->in[k]))
            place_param_grad(g, node->in[k]);
}

int ctr_graph_backward(ctr_graph *g, ctr_tensor *y, ctr_tensor *seed)
{
    if (g->status != 0)
        return g->status;
    if (!ctr_needs_grad(y)) {
        ctr_graph_fail(g, CTR_E_USAGE, "nothing that '%s' depends on has a gradient",
                       y ? y->name : "(none)");
        return g->status;
    }
    int repeated = g->parts[g->n_parts - 1].turn != NULL;
    if (repeated && (!y->producer || y->producer->part != g->n_parts - 1)) {
        ctr_graph_fail(g, CTR_E_USAGE, "'%s' is not made in the repeated part", y->name);
        return g->status;
    }
    g->first_backward = g->n_nodes;
    ctr_grad_add(g, y, seed ? seed : ctr_builtin_fill(g, y->rank, y->dim, 1.0f));
    for (int i = y->producer ? y->producer->number : -1; i >= 0 && g->status == 0; i--) {
        ctr_node *node = g->nodes[i];
        if (repeated && node->part != g->n_parts - 1)
            break;
        if (!node->op->grad || !has_grad(node) || !any_input_needs_grad(node))
            continue;
        int rc = node->op->grad(g, node);
        if (rc != 0)
            failed(g, rc);
        if (repeated)
            place_early(g, node);
    }
    for (size_t i = 0; i < g->n_tensors && g->status == 0; i++)
        place_param_grad(g, g->tensors[i]);
    return g->status;
}

const ctr_node *ctr_graph_node(const ctr_graph *g, size_t i)
{
    return i < g->n_nodes ? g->nodes[i] : NULL;
}
