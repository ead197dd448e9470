/* mem.c -- host memory. Nothing here aborts: a NULL return has its failure recorded. */
#include "base/mem.h"
#include "base/status.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct ctr_arena_block {
    struct ctr_arena_block *next;
    size_t used, size;
    _Alignas(16) unsigned char data[];
};

static void no_memory(size_t bytes)
{
    ctr_fail(CTR_E_FAIL, "out of host memory (%zu bytes asked)", bytes);
}

void *ctr_alloc(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        no_memory(SIZE_MAX);
        return NULL;
    }
    void *p = calloc(bytes ? bytes : 1, 1);
    if (!p)
        no_memory(bytes);
    return p;
}

char *ctr_strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = ctr_alloc(n, 1);
    return p ? memcpy(p, s, n) : NULL;
}

int ctr_grow(void **p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return 0;
    size_t want = *cap + *cap / 2, bytes;
    if (want < need)
        want = need;
    if (want < 8)
        want = 8;
    if (__builtin_mul_overflow(want, size, &bytes)) {
        no_memory(SIZE_MAX);
        return CTR_E_FAIL;
    }
    unsigned char *q = realloc(*p, bytes);
    if (!q) {
        no_memory(bytes);
        return CTR_E_FAIL;
    }
    memset(q + *cap * size, 0, bytes - *cap * size);
    *p = q;
    *cap = want;
    return 0;
}

void *ctr_arena_alloc(struct ctr_arena *arena, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    struct ctr_arena_block *b = arena->head;
    if (!b || b->size - b->used < size) {
        size_t room = size > 65536 ? size : 65536;
        b = ctr_alloc(1, sizeof *b + room);
        if (!b)
            return NULL;
        b->size = room;
        b->next = arena->head;
        arena->head = b;
    }
    void *p = b->data + b->used;
    b->used += size;
    return p;
}

char *ctr_arena_strdup(struct ctr_arena *arena, const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = ctr_arena_alloc(arena, n);
    return p ? memcpy(p, s, n) : NULL;
}

void ctr_arena_free(struct ctr_arena *arena)
{
    for (struct ctr_arena_block *b = arena->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    arena->head = NULL;
}
