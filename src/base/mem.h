/* mem.h -- host memory: checked allocation, growing arrays, an arena freed as a whole. */
#ifndef CTR_BASE_MEM_H
#define CTR_BASE_MEM_H

#include <stddef.h>

/* n zeroed elements of `size` bytes; NULL (failure recorded) on overflow or lack of memory.
 * n == 0 gives a valid pointer. Freed with free(). */
void *ctr_alloc(size_t n, size_t size);
/* Copy of a string, or NULL (failure recorded). Freed with free(). */
char *ctr_strdup(const char *s);
/* Makes room for `need` elements of `size` bytes in *p (a malloc'd array or NULL), growing by half;
 * new elements are zeroed. 0 or CTR_E_FAIL with *p and *cap unchanged. */
int ctr_grow(void **p, size_t *cap, size_t need, size_t size);

/* Objects that die together. Zero-initialise; never moved. */
struct ctr_arena {
    struct ctr_arena_block *head;
};
/* `size` zeroed bytes aligned to 16, or NULL (failure recorded). */
void *ctr_arena_alloc(struct ctr_arena *arena, size_t size);
char *ctr_arena_strdup(struct ctr_arena *arena, const char *s);
void ctr_arena_free(struct ctr_arena *arena);

#endif
