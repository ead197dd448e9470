/* place.c -- where each tensor lies.
 *
 * In: how long each lives (live.c). Out: its buffer.
 * Temporaries that never live at the same time share memory: greedy by size, each at the lowest free
 * offset (Pisarchyk and Lee, "Efficient memory management for deep neural net inference", 2020,
 * section 5). Then what came to lie highest goes first, some times over, and the best counts (Joslin and
 * Clements, "Squeaky wheel optimization", JAIR 10, 1999). Arena buffers are kept under the device's
 * largest allocation.
 *
 * A parameter's gradient is needed from the node that makes it to the end of the step. Until then its
 * place in the store serves temporaries, too. The padding of the store stays zero, and so do gradients
 * that this graph does not make. */
#include "graph/impl.h"

#include <stdlib.h>
#include <string.h>

#define GUARD_BYTES 4096
#define ORDERS      32           /* tried beside the first, under a millisecond each for 500 tensors */

static size_t aligned(const ctr_graph *g, size_t bytes)
{
    size_t a = ctr_graph_caps(g)->align_bytes;
    if (g->guard)
        bytes += 2 * GUARD_BYTES;
    return (bytes + a - 1) / a * a;
}

static int larger_first(const void *pa, const void *pb)
{
    const ctr_tensor *a = *(ctr_tensor *const *)pa, *b = *(ctr_tensor *const *)pb;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->first != b->first ? (a->first < b->first ? -1 : 1) : strcmp(a->name, b->name);
}

static int by_place(const void *pa, const void *pb)
{
    const ctr_tensor *a = *(ctr_tensor *const *)pa, *b = *(ctr_tensor *const *)pb;
    return a->at < b->at ? -1 : a->at > b->at;
}

static size_t end_of(const ctr_graph *g, const ctr_tensor *t)
{
    return t->at + aligned(g, t->bytes);
}

/* ---- the store's gradients as memory ---- */

/* How much of them may be used: nothing by a graph without a backward pass, which makes none, and nothing
 * where no graph does. */
static size_t grads_bytes(const ctr_graph *g)
{
    int used = g->store && g->store->part[CTR_STORE_GRADS] && g->first_backward && !g->guard;
    return used ? g->store->flat_count * sizeof(float) : 0;
}

/* Appends what is never free in [at, end): a tensor of no graph. */
static int reserve(ctr_tensor **t, size_t *n, ctr_graph *g, size_t at, size_t end)
{
    size_t a = ctr_graph_caps(g)->align_bytes;
    at = at / a * a;
    if (at >= end)
        return 0;
    ctr_tensor *r = ctr_arena_alloc(&g->mem, sizeof *r);
    if (!r)
        return CTR_E_FAIL;
    *r = (ctr_tensor){.bytes = end - at, .chunk = CTR_IN_GRADS, .at = at, .last = (int)g->n_nodes};
    t[(*n)++] = r;
    return 0;
}

/* Appends gradients of parameters, in their places, and what lies between them. */
static int fix_grads(ctr_tensor **t, size_t *n, ctr_graph *g)
{
    int rc = 0;
    size_t end = 0, n_grads = 0;
    for (size_t i = 0; i < g->n_tensors && grads_bytes(g); i++) {
        ctr_tensor *grad = g->tensors[i];
        if (!grad->grad_of || grad->first < 0)
            continue;
        grad->chunk = CTR_IN_GRADS;
        grad->at = g->store->entries[grad->grad_of->entry].at * sizeof(float);
        t[n_grads++] = grad;
    }
    qsort(t, n_grads, sizeof *t, by_place);
    *n = n_grads;
    for (size_t i = 0; i < n_grads; i++) {
        CTR_TRY(reserve(t, n, g, end, t[i]->at));
        end = t[i]->at + t[i]->bytes;
    }
    CTR_TRY(reserve(t, n, g, end, grads_bytes(g)));
out:
    return rc;
}

/* ---- temporaries ---- */

/* Tensors in the order in which they are placed. */
struct placing {
    ctr_graph *g;
    ctr_tensor **t, **beside; /* room for as many */
    size_t n_fixed, n;        /* the first ones have their place */
    size_t *chunk_bytes;      /* n of them */
};

/* Lowest offset where t fits between the `n` placed tensors that live with it. */
static size_t lowest_gap(const ctr_graph *g, const ctr_tensor *t, ctr_tensor **placed, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (placed[i]->at >= at + aligned(g, t->bytes))
            break;
        size_t end = end_of(g, placed[i]);
        if (end > at)
            at = end;
    }
    return at;
}

/* Places t[i] in a chunk of at most `limit` bytes, after t[0 .. i) are placed, if it fits. */
static int fits(const struct placing *p, size_t i, size_t chunk, size_t limit)
{
    ctr_tensor *const *t = p->t;
    size_t n = 0;
    for (size_t k = 0; k < i; k++)
        if (t[k]->chunk == chunk && t[k]->first <= t[i]->last && t[i]->first <= t[k]->last)
            p->beside[n++] = t[k];
    qsort(p->beside, n, sizeof *p->beside, by_place);
    t[i]->at = lowest_gap(p->g, t[i], p->beside, n);
    t[i]->chunk = chunk;
    return end_of(p->g, t[i]) <= limit;
}

static int place(const struct placing *p, size_t i)
{
    const ctr_tensor *t = p->t[i];
    size_t limit = (size_t)ctr_graph_caps(p->g)->max_alloc_bytes, need = aligned(p->g, t->bytes);
    if (need > limit)
        return ctr_hint(ctr_fail(CTR_E_DEVMEM,
                                 "'%s' needs %zu MiB in one buffer; the device allows %zu MiB",
                                 t->name, need >> 20, limit >> 20),
                        "use a smaller --batch");
    if (fits(p, i, CTR_IN_GRADS, grads_bytes(p->g)))
        return 0;
    for (size_t c = 0; c < p->n; c++)
        if (fits(p, i, c, limit)) {
            if (end_of(p->g, t) > p->chunk_bytes[c])
                p->chunk_bytes[c] = end_of(p->g, t);
            return 0;
        }
    /* cannot be: there may be as many chunks as tensors */
    return ctr_fail(CTR_E_FAIL, "no place for '%s'", t->name);
}

/* Places all; `total` is what the arena buffers then need. */
static int place_all(size_t *total, const struct placing *p)
{
    *total = 0;
    memset(p->chunk_bytes, 0, p->n * sizeof *p->chunk_bytes);
    for (size_t i = p->n_fixed; i < p->n; i++) {
        int rc = place(p, i);
        if (rc != 0)
            return rc;
    }
    for (size_t c = 0; c < p->n; c++)
        *total += p->chunk_bytes[c];
    return 0;
}

/* What ends highest in the last buffer is to be placed before all others next time. */
static void prefer_the_highest(const struct placing *p)
{
    size_t last = 0, i = p->n;
    while (last + 1 < p->n && p->chunk_bytes[last + 1])
        last++;
    while (i-- > p->n_fixed)
        if (p->t[i]->chunk == last && end_of(p->g, p->t[i]) == p->chunk_bytes[last]) {
            ctr_tensor *highest = p->t[i];
            memmove(p->t + p->n_fixed + 1, p->t + p->n_fixed, (i - p->n_fixed) * sizeof *p->t);
            p->t[p->n_fixed] = highest;
            return;
        }
}

/* Places all in the best of some orders: by size, and as the last one's trouble suggests. */
static int place_well(const struct placing *p)
{
    int rc = 0;
    size_t total, least;
    ctr_tensor **best = ctr_alloc(p->n + 1, sizeof *best);
    if (!best)
        return CTR_E_FAIL;
    qsort(p->t + p->n_fixed, p->n - p->n_fixed, sizeof *p->t, larger_first);
    CTR_TRY(place_all(&least, p));
    memcpy(best, p->t, p->n * sizeof *best);
    for (int i = 0; i < ORDERS && least > p->g->report.live_bytes && !p->g->guard; i++) {
        prefer_the_highest(p);
        CTR_TRY(place_all(&total, p));
        if (total < least) {
            least = total;
            memcpy(best, p->t, p->n * sizeof *best);
        }
    }
    memcpy(p->t, best, p->n * sizeof *best);
    CTR_TRY(place_all(&least, p));
out:
    free(best);
    return rc;
}

static int create_chunks(ctr_graph *g, const size_t *chunk_bytes, size_t n)
{
    for (size_t c = 0; c < n && chunk_bytes[c]; c++) {
        if (ctr_grow((void **)&g->chunks, &g->cap_chunks, c + 1, sizeof *g->chunks) != 0)
            return CTR_E_FAIL;
        int rc = ctr_buf_create(&g->chunks[c], g->dev, chunk_bytes[c], "activations");
        if (rc != 0)
            return rc == CTR_E_DEVMEM ? ctr_hint(rc, "use a smaller --batch") : rc;
        g->n_chunks++;
        rc = ctr_buf_fill(g->chunks[c], 0, chunk_bytes[c], 0);
        if (rc != 0)
            return rc;
        g->report.arena_bytes += chunk_bytes[c];
    }
    return 0;
}

static int view_place(ctr_graph *g, ctr_tensor *t)
{
    const ctr_tensor *place = ctr_place_of(t);
    t->chunk = place->chunk;
    t->at = place->at;
    t->owns_buf = 1;
    ctr_buf *home = t->chunk == CTR_IN_GRADS ? g->store->part[CTR_STORE_GRADS] : g->chunks[t->chunk];
    return ctr_buf_view(&t->buf, home, t->at + (g->guard ? GUARD_BYTES : 0), t->bytes);
}

static int place_temporaries(ctr_graph *g)
{
    int rc = 0;
    struct placing p = {.g = g};
    size_t room = 2 * g->n_tensors + 1; /* beside each gradient and behind all: what is reserved */
    p.t = ctr_alloc(room, sizeof *p.t);
    p.beside = ctr_alloc(room, sizeof *p.beside);
    p.chunk_bytes = ctr_alloc(room, sizeof *p.chunk_bytes);
    if (!p.t || !p.beside || !p.chunk_bytes)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(fix_grads(p.t, &p.n_fixed, g));
    p.n = p.n_fixed;
    for (size_t i = 0; i < g->n_tensors; i++)
        if (ctr_in_arena(g->tensors[i])) {
            g->report.unshared_bytes += aligned(g, g->tensors[i]->bytes);
            if (!g->tensors[i]->over)
                p.t[p.n++] = g->tensors[i];
        }
    CTR_TRY(place_well(&p));
    CTR_TRY(create_chunks(g, p.chunk_bytes, p.n));
    for (size_t i = 0; i < g->n_tensors; i++)
        if (ctr_in_arena(g->tensors[i]))
            CTR_TRY(view_place(g, g->tensors[i]));
out:
    free(p.chunk_bytes);
    free(p.beside);
    free(p.t);
    return rc;
}

/* ---- the others ---- */

/* Inputs get buffers of their own; store tensors and parameter gradients become views of the store.
 */
static int place_others(ctr_graph *g)
{
    int rc = 0;
    for (size_t i = 0; i < g->n_tensors; i++) {
        ctr_tensor *t = g->tensors[i];
        if (t->buf || ctr_in_arena(t) || (t->role == CTR_ROLE_TEMP && !t->grad_of))
            continue;
        if (t->role == CTR_ROLE_INPUT) {
            CTR_TRY(ctr_buf_create(&t->buf, g->dev, (t->bytes + 3) / 4 * 4, t->name));
            t->owns_buf = 1;
            CTR_TRY(ctr_buf_fill(t->buf, 0, (t->bytes + 3) / 4 * 4, 0));
            if (t->content)
                CTR_TRY(ctr_tensor_write(t, t->content, t->bytes));
            g->report.input_bytes += t->bytes;
        } else if (t->grad_of) {
            CTR_TRY(ctr_store_view(&t->buf, g->store, t->grad_of->entry, CTR_STORE_GRADS));
            t->owns_buf = 1;
        } else {
            CTR_TRY(ctr_store_view(&t->buf, g->store, t->entry,
                                   t->shadow ? CTR_STORE_SHADOW : CTR_STORE_VALUES));
            t->owns_buf = 1;
        }
    }
out:
    return rc;
}

int ctr_place(ctr_graph *g)
{
    int rc = place_temporaries(g);
    return rc != 0 ? rc : place_others(g);
}

/* ---- guard bands, for tests ---- */

int ctr_graph_poison(ctr_graph *g, uint32_t pattern)
{
    for (size_t c = 0; c < g->n_chunks; c++) {
        int rc = ctr_buf_fill(g->chunks[c], 0, ctr_buf_bytes(g->chunks[c]), pattern);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int guard_holds(const uint32_t *words, size_t n, uint32_t pattern)
{
    for (size_t i = 0; i < n; i++)
        if (words[i] != pattern)
            return 0;
    return 1;
}

int ctr_graph_check_guards(ctr_graph *g, uint32_t pattern)
{
    uint32_t words[GUARD_BYTES / 4];
    if (!g->guard)
        return ctr_fail(CTR_E_FAIL, "the graph was planned without guard bands");
    for (size_t i = 0; i < g->n_tensors; i++) {
        const ctr_tensor *t = g->tensors[i];
        if (!ctr_in_arena(t))
            continue;
        size_t after = t->at + GUARD_BYTES + (t->bytes + 3) / 4 * 4;
        size_t sides[2] = {t->at, after};
        for (int s = 0; s < 2; s++) {
            int rc = ctr_buf_read(words, g->chunks[t->chunk], sides[s], GUARD_BYTES);
            if (rc != 0)
                return rc;
            if (!guard_holds(words, GUARD_BYTES / 4, pattern))
                return ctr_fail(CTR_E_DEVICE, "a kernel wrote %s '%s'", s ? "behind" : "before",
                                t->name);
        }
    }
    return 0;
}
