/* store.c -- parameters and states in flat device buffers.
 * Values, gradients and moments have one layout, so that an optimiser is one launch over all of it.
 * Invariant: an entry starts at a multiple of CTR_STORE_BLOCK; the padding stays zero. */
#include "base/os.h"
#include "base/rng.h"
#include "graph/impl.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

int ctr_store_create(ctr_store **out, ctr_dev *dev)
{
    ctr_store *s = ctr_alloc(1, sizeof *s);
    if (!s)
        return CTR_E_FAIL;
    s->dev = dev;
    *out = s;
    return 0;
}

void ctr_store_destroy(ctr_store **store)
{
    ctr_store *s = *store;
    if (!s)
        return;
    for (int i = 0; i < CTR_STORE_PARTS; i++)
        ctr_buf_destroy(&s->part[i]);
    ctr_buf_destroy(&s->states);
    free(s->entries);
    ctr_arena_free(&s->mem);
    free(s);
    *store = NULL;
}

void ctr_store_moments(ctr_store *store, unsigned n)
{
    store->n_moments = n;
}

unsigned ctr_store_n_moments(const ctr_store *store)
{
    return store->n_moments;
}

int ctr_store_has_shadow(const ctr_store *store)
{
    return store->shadow;
}

size_t ctr_store_entries(const ctr_store *store)
{
    return store->n;
}

const struct ctr_store_entry *ctr_store_entry(const ctr_store *store, size_t i)
{
    return &store->entries[i];
}

size_t ctr_store_flat_count(const ctr_store *store)
{
    return store->flat_count;
}

static int same_shape(const struct ctr_store_entry *a, const struct ctr_store_entry *b)
{
    if (a->rank != b->rank || a->is_state != b->is_state)
        return 0;
    for (unsigned i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return 0;
    return 1;
}

int ctr_store_want(size_t *entry, ctr_store *store, const struct ctr_store_entry *want)
{
    for (size_t i = 0; i < store->n; i++) {
        if (strcmp(store->entries[i].name, want->name) != 0)
            continue;
        if (!same_shape(&store->entries[i], want))
            return ctr_fail(CTR_E_USAGE, "parameter '%s' is used with two shapes", want->name);
        *entry = i;
        return 0;
    }
    if (store->frozen)
        return ctr_fail(CTR_E_USAGE, "no parameter '%s' in the trained network", want->name);
    if (ctr_grow((void **)&store->entries, &store->cap, store->n + 1, sizeof *store->entries) != 0)
        return CTR_E_FAIL;
    struct ctr_store_entry *e = &store->entries[store->n];
    *e = *want;
    e->name = ctr_arena_strdup(&store->mem, want->name);
    if (!e->name)
        return CTR_E_FAIL;
    e->count = 1;
    for (unsigned i = 0; i < e->rank; i++)
        e->count *= e->dim[i];
    size_t align = ctr_dev_caps(store->dev)->align_bytes / sizeof(float);
    size_t block = align > CTR_STORE_BLOCK ? align : CTR_STORE_BLOCK;
    size_t *total = e->is_state ? &store->state_count : &store->flat_count;
    e->at = *total;
    *total += (e->count + block - 1) / block * block;
    *entry = store->n++;
    return 0;
}

static int zeroed(ctr_buf **out, ctr_store *store, size_t count, const char *what)
{
    if (count == 0 || *out)
        return 0;
    int rc = ctr_buf_create(out, store->dev, count * sizeof(float), what);
    return rc != 0 ? rc : ctr_buf_fill(*out, 0, count * sizeof(float), 0);
}

/* Which entry each block belongs to, for optimisers that work on the flat buffers. */
static int make_blocks(ctr_store *store)
{
    ctr_buf **out = &store->part[CTR_STORE_BLOCKS];
    size_t n = store->flat_count / CTR_STORE_BLOCK;
    if (n == 0 || *out)
        return 0;
    uint32_t *blocks = ctr_alloc(n, sizeof *blocks);
    if (!blocks)
        return CTR_E_FAIL;
    for (size_t i = 0; i < store->n; i++) {
        const struct ctr_store_entry *e = &store->entries[i];
        uint32_t mark = (uint32_t)i | (e->flags & CTR_PARAM_NO_DECAY ? CTR_BLOCK_NO_DECAY : 0) |
                        (e->flags & CTR_PARAM_OWN_RATE ? CTR_BLOCK_OWN_RATE : 0);
        if (e->is_state)
            continue;
        size_t end = (e->at + e->count + CTR_STORE_BLOCK - 1) / CTR_STORE_BLOCK;
        for (size_t at = e->at / CTR_STORE_BLOCK; at < end; at++)
            blocks[at] = mark;
    }
    int rc = ctr_buf_create(out, store->dev, n * sizeof *blocks, "parameter blocks");
    if (rc == 0)
        rc = ctr_buf_write(*out, 0, blocks, n * sizeof *blocks);
    free(blocks);
    return rc;
}

int ctr_store_alloc(ctr_store *store)
{
    static const char *const what[] = {"parameters", "gradients", "first moments",
                                       "second moments"};
    int rc = 0;
    store->frozen = 1;
    for (unsigned i = 0; i < 2 + store->n_moments; i++)
        if (i != CTR_STORE_GRADS || store->grads)
            CTR_TRY(zeroed(&store->part[i], store, store->flat_count, what[i]));
    if (store->shadow)
        CTR_TRY(zeroed(&store->part[CTR_STORE_SHADOW], store, store->flat_count, "shadow"));
    CTR_TRY(zeroed(&store->states, store, store->state_count, "running statistics"));
    if (store->blocks)
        CTR_TRY(make_blocks(store));
out:
    return rc;
}

static ctr_buf *home(const ctr_store *store, const struct ctr_store_entry *e,
                     enum ctr_store_part part)
{
    return e->is_state ? (part == CTR_STORE_VALUES ? store->states : NULL) : store->part[part];
}

int ctr_store_view(ctr_buf **out, ctr_store *store, size_t entry, enum ctr_store_part part)
{
    const struct ctr_store_entry *e = &store->entries[entry];
    return ctr_buf_view(out, home(store, e, part), e->at * sizeof(float), e->count * sizeof(float));
}

int ctr_store_read(float *dst, const ctr_store *store, size_t entry, enum ctr_store_part part)
{
    const struct ctr_store_entry *e = &store->entries[entry];
    ctr_buf *buf = home(store, e, part);
    if (!buf)
        return ctr_fail(CTR_E_FAIL, "'%s' has no such part", e->name);
    return ctr_buf_read(dst, buf, e->at * sizeof(float), e->count * sizeof(float));
}

int ctr_store_write(ctr_store *store, size_t entry, enum ctr_store_part part, const float *src)
{
    const struct ctr_store_entry *e = &store->entries[entry];
    ctr_buf *buf = home(store, e, part);
    if (!buf)
        return ctr_fail(CTR_E_FAIL, "'%s' has no such part", e->name);
    return ctr_buf_write(buf, e->at * sizeof(float), src, e->count * sizeof(float));
}

/* The rows of an entry to length one. */
static void make_directions(float *dst, const struct ctr_store_entry *e)
{
    size_t D = e->rank ? e->dim[e->rank - 1] : 1;
    for (float *row = dst; row < dst + e->count; row += D) {
        double square = 0;
        for (size_t d = 0; d < D; d++)
            square += (double)row[d] * (double)row[d];
        for (size_t d = 0; d < D; d++)
            row[d] = (float)(row[d] / sqrt(square));
    }
}

static void draw(float *dst, const struct ctr_store_entry *e, uint64_t seed, size_t number)
{
    struct ctr_rng rng;
    ctr_rng_init(&rng, seed, CTR_RNG_INIT, (uint32_t)number, 0);
    for (size_t i = 0; i < e->count; i++)
        switch (e->init.kind) {
        case CTR_INIT_ZERO:
            dst[i] = 0.0f;
            break;
        case CTR_INIT_ONE:
            dst[i] = 1.0f;
            break;
        case CTR_INIT_NORMAL:
            dst[i] = e->init.scale * ctr_rng_normal(&rng);
            break;
        case CTR_INIT_DIRECTIONS:
            dst[i] = ctr_rng_normal(&rng);
            break;
        case CTR_INIT_UNIFORM:
            dst[i] = e->init.scale * (2.0f * ctr_rng_uniform(&rng) - 1.0f);
            break;
        }
    if (e->init.kind == CTR_INIT_DIRECTIONS)
        make_directions(dst, e);
}

/* Everything is drawn into two flat arrays, laid out as the device's buffers, by a thread of its
 * own. */
struct ctr_store_drawing {
    ctr_store *store;
    uint64_t seed;
    float *values, *states;
    pthread_t thread;
    int threaded;
};

static void draw_one(void *ctx, size_t i)
{
    const struct ctr_store_drawing *d = ctx;
    const struct ctr_store_entry *e = &d->store->entries[i];
    draw((e->is_state ? d->states : d->values) + e->at, e, d->seed, i);
}

static void *draw_all(void *ctx)
{
    const struct ctr_store_drawing *d = ctx;
    ctr_parallel(0, d->store->n, draw_one, ctx);
    return NULL;
}

static int write_flat(ctr_buf *dst, const float *src, size_t count)
{
    return dst ? ctr_buf_write(dst, 0, src, count * sizeof *src) : 0;
}

static void drawing_destroy(struct ctr_store_drawing *d)
{
    if (!d)
        return;
    if (d->threaded)
        pthread_join(d->thread, NULL);
    free(d->values);
    free(d->states);
    free(d);
}

int ctr_store_init_begin(struct ctr_store_drawing **out, ctr_store *store, uint64_t seed)
{
    int rc = 0;
    struct ctr_store_drawing *d = ctr_alloc(1, sizeof *d);
    if (!d)
        return CTR_E_FAIL;
    *d = (struct ctr_store_drawing){.store = store, .seed = seed};
    CTR_TRY(ctr_store_alloc(store));
    d->values = ctr_alloc(store->flat_count + 1, sizeof *d->values); /* zeros: the padding */
    d->states = ctr_alloc(store->state_count + 1, sizeof *d->states);
    if (!d->values || !d->states)
        CTR_TRY(CTR_E_FAIL);
    d->threaded = pthread_create(&d->thread, NULL, draw_all, d) == 0;
    if (!d->threaded)
        draw_all(d);
    *out = d;
    d = NULL;
out:
    drawing_destroy(d);
    return rc;
}

int ctr_store_init_end(struct ctr_store_drawing **drawing, int keep)
{
    int rc = 0;
    struct ctr_store_drawing *d = *drawing;
    *drawing = NULL;
    if (!d || !keep)
        goto out;
    ctr_store *store = d->store;
    if (d->threaded)
        pthread_join(d->thread, NULL);
    d->threaded = 0;
    for (unsigned i = CTR_STORE_GRADS; i < 2 + store->n_moments; i++)
        if (store->part[i])
            CTR_TRY(ctr_buf_fill(store->part[i], 0, store->flat_count * sizeof(float), 0));
    CTR_TRY(write_flat(store->part[CTR_STORE_VALUES], d->values, store->flat_count));
    CTR_TRY(write_flat(store->part[CTR_STORE_SHADOW], d->values, store->flat_count));
    CTR_TRY(write_flat(store->states, d->states, store->state_count));
out:
    drawing_destroy(d);
    return rc;
}

int ctr_store_init(ctr_store *store, uint64_t seed)
{
    struct ctr_store_drawing *drawing = NULL;
    int rc = ctr_store_init_begin(&drawing, store, seed);
    return rc != 0 ? rc : ctr_store_init_end(&drawing, 1);
}
