/* features.c -- feature sets: labelled rows, a part to choose on, few labels, right guesses. */
#include "eval/eval.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

void ctr_features_drop_unlabelled(struct ctr_features *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->label[i] < 0)
            continue;
        if (kept != i)
            memcpy(f->x + kept * f->D, f->x + i * f->D, f->D * sizeof *f->x);
        f->label[kept++] = f->label[i];
    }
    f->n = kept;
}

void ctr_features_free(struct ctr_features *f)
{
    free(f->x);
    free(f->label);
    *f = (struct ctr_features){0};
}

enum { DRAW_SPLIT, DRAW_FEW };

/* Rows in a random order, drawn for each class alone: rank[i] is row i's place among its class's n. */
static int draw(uint32_t *rank, size_t *n_of, const struct ctr_features *f, unsigned classes,
                uint64_t seed, uint32_t what)
{
    size_t *start = ctr_alloc(classes, sizeof *start);
    uint32_t *perm = ctr_alloc(f->n, sizeof *perm);
    if (start && perm) {
        memset(n_of, 0, classes * sizeof *n_of);
        for (size_t i = 0; i < f->n; i++)
            n_of[f->label[i]]++;
        for (size_t k = 0, at = 0; k < classes; at += n_of[k++]) {
            struct ctr_rng rng;
            start[k] = at;
            ctr_rng_init(&rng, seed, CTR_RNG_LABELS, (uint32_t)k, what);
            ctr_rng_permutation(&rng, perm + at, (uint32_t)n_of[k]);
        }
        for (size_t i = 0; i < f->n; i++)
            rank[i] = perm[start[f->label[i]]++];
    }
    int rc = start && perm ? 0 : CTR_E_FAIL;
    free(perm);
    free(start);
    return rc;
}

int ctr_features_split(uint32_t *order, size_t *n_fit, const struct ctr_features *f,
                       unsigned classes, uint64_t seed)
{
    int rc = 0;
    size_t fit = 0, held = f->n;
    uint32_t *rank = ctr_alloc(f->n, sizeof *rank);
    size_t *n_of = ctr_alloc(classes, sizeof *n_of);
    if (!rank || !n_of)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(draw(rank, n_of, f, classes, seed, DRAW_SPLIT));
    for (size_t i = 0; i < f->n; i++)
        if (rank[i] < n_of[f->label[i]] / 5)
            order[--held] = (uint32_t)i;
        else
            order[fit++] = (uint32_t)i;
    *n_fit = fit;
out:
    free(n_of);
    free(rank);
    return rc;
}

int ctr_features_few(struct ctr_features *out, const struct ctr_features *f, unsigned classes,
                     size_t per_class, uint64_t seed)
{
    int rc = 0;
    struct ctr_features few = {.D = f->D};
    uint32_t *rank = ctr_alloc(f->n, sizeof *rank);
    size_t *n_of = ctr_alloc(classes, sizeof *n_of), n = 0;
    if (!rank || !n_of)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(draw(rank, n_of, f, classes, seed, DRAW_FEW));
    for (size_t i = 0; i < f->n; i++)
        n += rank[i] < per_class;
    few.x = ctr_alloc(n * f->D, sizeof *few.x);
    few.label = ctr_alloc(n, sizeof *few.label);
    if (!few.x || !few.label)
        CTR_TRY(CTR_E_FAIL);
    for (size_t i = 0; i < f->n; i++) {
        if (rank[i] >= per_class)
            continue;
        memcpy(few.x + few.n * f->D, f->x + i * f->D, f->D * sizeof *f->x);
        few.label[few.n++] = f->label[i];
    }
    *out = few;
    few = (struct ctr_features){0};
out:
    ctr_features_free(&few);
    free(n_of);
    free(rank);
    return rc;
}

double ctr_accuracy(const int32_t *guess, const int32_t *label, size_t n)
{
    size_t right = 0;
    for (size_t i = 0; i < n; i++)
        right += guess[i] == label[i];
    return (double)right / (double)n;
}
