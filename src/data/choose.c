/* choose.c -- which images of a source are used: a part of them, of these at most so many, of these what
 * is set apart for validation or the rest, and of these as many of each class.
 * In: a source that is open. Out: numbers of images, rising. Nothing depends on the machine. On the
 * other images the part does not depend; limit and validation do. */
#include "base/rng.h"
#include "data/source.h"

#include <math.h>
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

struct ranked {
    int32_t label;
    uint32_t item;
    uint64_t hash; /* of the name */
};

static int by_class_and_name(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return by_number(&x->item, &y->item);
}

/* Of the images, class after class and within one in an order that their names draw, every
 * (1 / share)-th is set apart; leaves those or the others. How many. */
static int choose_validation(uint32_t *item, size_t *n, const struct ctr_source *s, double share,
                             int validation)
{
    struct ranked *r = ctr_alloc(*n, sizeof *r);
    size_t m = 0;
    if (!r)
        return CTR_E_FAIL;
    for (size_t i = 0; i < *n; i++)
        r[i] = (struct ranked){s->labels[item[i]], item[i],
                               XXH64(s->names[item[i]], strlen(s->names[item[i]]), 1)};
    qsort(r, *n, sizeof *r, by_class_and_name);
    for (size_t i = 0; i < *n; i++) {
        int apart = floor((double)(i + 1) * share) > floor((double)i * share);
        if (apart == (validation != 0))
            item[m++] = r[i].item;
    }
    free(r);
    qsort(item, m, sizeof *item, by_number);
    *n = m;
    return 0;
}

/* Of the n items as many labelled ones of each class. */
static int choose_few(uint32_t *item, size_t *n, const struct ctr_source *s,
                      const struct ctr_data_params *params)
{
    int rc = 0;
    size_t m = 0;
    unsigned classes = (unsigned)s->n_classes;
    uint32_t *row = ctr_alloc(*n, sizeof *row);
    int32_t *label = ctr_alloc(*n, sizeof *label);
    if (!row || !label)
        CTR_TRY(CTR_E_FAIL);
    for (size_t i = 0; i < *n; i++)
        if (s->labels[item[i]] >= 0) {
            item[m] = item[i];
            label[m++] = s->labels[item[i]];
        }
    if (m == 0)
        CTR_TRY(ctr_fail(CTR_E_DATA, "'%s' has no labels to choose from", s->path));
    CTR_TRY(ctr_few_choose(row, n, label, m, classes, ctr_few_per_class(&params->few, m, classes),
                           params->few_seed));
    for (size_t i = 0; i < *n; i++)
        item[i] = item[row[i]]; /* row[i] >= i */
out:
    free(label);
    free(row);
    return rc;
}

int ctr_source_choose(uint32_t **out, size_t *n, const struct ctr_source *s,
                      const struct ctr_data_params *params)
{
    int rc = 0;
    uint32_t *item = ctr_alloc(s->n, sizeof *item);
    if (!item)
        return CTR_E_FAIL;
    size_t m = choose_part(item, s, params->part);
    if (m == 0)
        CTR_TRY(
            ctr_fail(CTR_E_DATA, "'%s' has too few images to hold some out for testing", s->path));
    if (params->limit != 0 && params->limit < m) {
        CTR_TRY(choose_limited(item, params->limit, m));
        m = params->limit;
    }
    if (params->validation_share > 0 || params->validation)
        CTR_TRY(choose_validation(item, &m, s, params->validation_share, params->validation));
    if (m == 0)
        CTR_TRY(ctr_fail(CTR_E_DATA,
                         "of the images in '%s' a share of %g for validation leaves none", s->path,
                         params->validation_share));
    if (params->few.per_class > 0 || params->few.share > 0)
        CTR_TRY(choose_few(item, &m, s, params));
    *out = item;
    *n = m;
    return 0;
out:
    free(item);
    return rc;
}
