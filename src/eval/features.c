/* features.c -- feature sets: labelled rows, a part to choose on, few labels, right guesses. */
#include "eval/eval.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "data/few.h"

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

int ctr_features_split(uint32_t *order, size_t *n_fit, const struct ctr_features *f,
                       unsigned classes, uint64_t seed)
{
    int rc = 0;
    size_t fit = 0, held = f->n;
    uint32_t *rank = ctr_alloc(f->n, sizeof *rank);
    size_t *n_of = ctr_alloc(classes, sizeof *n_of);
    if (!rank || !n_of)
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(ctr_few_rank(rank, n_of, f->label, f->n, classes, seed, CTR_DRAW_HELD));
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

int ctr_features_rows(struct ctr_features *out, const struct ctr_features *f, const uint32_t *row,
                      size_t n)
{
    struct ctr_features part = {.n = n, .D = f->D};
    part.x = ctr_alloc(n * f->D, sizeof *part.x);
    part.label = ctr_alloc(n, sizeof *part.label);
    if (!part.x || !part.label) {
        ctr_features_free(&part);
        return CTR_E_FAIL;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(part.x + i * f->D, f->x + row[i] * f->D, f->D * sizeof *f->x);
        part.label[i] = f->label[row[i]];
    }
    *out = part;
    return 0;
}

int ctr_features_few(struct ctr_features *out, const struct ctr_features *f, unsigned classes,
                     size_t per_class, uint64_t seed)
{
    size_t n = 0;
    uint32_t *row = ctr_alloc(f->n, sizeof *row);
    int rc = row ? ctr_few_choose(row, &n, f->label, f->n, classes, per_class, seed) : CTR_E_FAIL;
    if (rc == 0)
        rc = ctr_features_rows(out, f, row, n);
    free(row);
    return rc;
}

double ctr_accuracy(const int32_t *guess, const int32_t *label, size_t n)
{
    size_t right = 0;
    for (size_t i = 0; i < n; i++)
        right += guess[i] == label[i];
    return (double)right / (double)n;
}

/* ---- length one ---- */

enum { UNIT_ROWS = 4096 }; /* of a part that one thread does */

struct unit {
    float *y;
    const float *x;
    size_t n, D;
};

static void unit_part(void *ctx, size_t part)
{
    const struct unit *u = ctx;
    size_t end = (part + 1) * UNIT_ROWS < u->n ? (part + 1) * UNIT_ROWS : u->n;
    for (size_t i = part * UNIT_ROWS; i < end; i++) {
        const float *x = u->x + i * u->D;
        float *y = u->y + i * u->D;
        double sum = 0;
        for (size_t d = 0; d < u->D; d++)
            sum += (double)x[d] * (double)x[d];
        float scale = (float)(1.0 / sqrt(sum > 1e-24 ? sum : 1.0));
        for (size_t d = 0; d < u->D; d++)
            y[d] = x[d] * scale;
    }
}

void ctr_rows_unit(float *y, const float *x, size_t n, size_t D)
{
    struct unit u = {y, x, n, D};
    ctr_parallel(n > UNIT_ROWS ? 0 : 1, (n + UNIT_ROWS - 1) / UNIT_ROWS, unit_part, &u);
}

#define CHECK_ROWS 4096

struct check {
    const float *x;
    size_t n, D;
    atomic_size_t first; /* the first row that is not finite, n: none */
};

static void check_part(void *ctx, size_t part)
{
    struct check *c = ctx;
    size_t end = (part + 1) * CHECK_ROWS < c->n ? (part + 1) * CHECK_ROWS : c->n;
    for (size_t i = part * CHECK_ROWS; i < end; i++) {
        float sum = 0; /* 0 x is NaN for what is not finite */
        for (size_t d = 0; d < c->D; d++)
            sum += 0 * c->x[i * c->D + d];
        size_t first = atomic_load(&c->first);
        while (sum != 0 && i < first && !atomic_compare_exchange_weak(&c->first, &first, i))
            ;
    }
}

int ctr_rows_check(const float *x, size_t n, size_t D, const char *what)
{
    struct check c = {.x = x, .n = n, .D = D};
    atomic_init(&c.first, n);
    ctr_parallel(0, (n + CHECK_ROWS - 1) / CHECK_ROWS, check_part, &c);
    size_t first = atomic_load(&c.first);
    return first == n ? 0
                      : ctr_fail(CTR_E_DATA, "%s %zu holds a value that is not finite", what, first);
}
