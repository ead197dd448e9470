/* choose.c -- which images of a source are used: a part of them, and of these at most so many.
 * In: a source that is open. Out: numbers of images, rising. Nothing depends on the machine or on
 * the other images but the choice under a limit. */
#include "base/rng.h"
#include "data/source.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

#define HELD_OUT_OF 5

/* The source's numbers of the images in the part asked for; how many. */
static size_t choose_part(uint32_t *item, const struct ctr_source *s, enum ctr_data_part part)
{
    size_t m = 0;
    for (size_t i = 0; i < s->n; i++) {
        int held_out =
            part != CTR_DATA_WHOLE && XXH64(s->names[i], strlen(s->names[i]), 0) % HELD_OUT_OF == 0;
        if (part == CTR_DATA_WHOLE || held_out == (part == CTR_DATA_HELD_OUT))
            item[m++] = (uint32_t)i;
    }
    return m;
}

/* A random choice, so that neither sorted nor periodic classes bias it; the same for each run. */
static int choose_limited(uint32_t *item, size_t limit, size_t n)
{
    struct ctr_rng rng;
    uint32_t *order = ctr_alloc(n, sizeof *order);
    if (!order)
        return CTR_E_FAIL;
    ctr_rng_init(&rng, 0, CTR_RNG_SHUFFLE, UINT32_MAX, UINT32_MAX);
    ctr_rng_permutation(&rng, order, (uint32_t)n);
    for (size_t i = 0; i < limit; i++)
        order[i] = item[order[i]];
    qsort(order, limit, sizeof *order, by_number);
    memcpy(item, order, limit * sizeof *item);
    free(order);
    return 0;
}

int ctr_source_choose(uint32_t **out, size_t *limit, const struct ctr_source *s,
                      enum ctr_data_part part)
{
    uint32_t *item = ctr_alloc(s->n, sizeof *item);
    if (!item)
        return CTR_E_FAIL;
    size_t n = choose_part(item, s, part);
    int rc = 0;
    if (n == 0)
        CTR_TRY(
            ctr_fail(CTR_E_DATA, "'%s' has too few images to hold some out for testing", s->path));
    if (*limit != 0 && *limit < n) {
        CTR_TRY(choose_limited(item, *limit, n));
        n = *limit;
    }
    *out = item;
    *limit = n;
    return 0;
out:
    free(item);
    return rc;
}
