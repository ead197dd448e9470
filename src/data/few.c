/* few.c -- as many images of each class, drawn by a seed. See few.h. */
#include "data/few.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/str.h"

int ctr_few_parse(struct ctr_few *few, const char *text)
{
    char number[32];
    double percent = 0;
    unsigned long long n = 0;
    size_t length = strlen(text);
    snprintf(number, sizeof number, "%s", text);
    if (length > 0 && length < sizeof number && text[length - 1] == '%') {
        number[length - 1] = '\0';
        if (ctr_parse_double(number, &percent) == 0 && percent > 0 && percent <= 100) {
            *few = (struct ctr_few){.share = percent / 100};
            return 0;
        }
    } else if (ctr_parse_u64(number, &n) == 0 && n > 0) {
        *few = (struct ctr_few){.per_class = (size_t)n};
        return 0;
    }
    return ctr_hint(ctr_fail(CTR_E_USAGE, "'%s' is no number of labels", text),
                    "a share of the training images (1%%), or images of each class (10)");
}

size_t ctr_few_per_class(const struct ctr_few *few, size_t n, unsigned classes)
{
    if (few->per_class > 0 || !(few->share > 0))
        return few->per_class;
    if (few->share >= 1)
        return SIZE_MAX;
    return (size_t)fmax(1, floor(few->share * (double)n / classes + 0.5));
}

int ctr_few_rank(uint32_t *rank, size_t *n_of, const int32_t *label, size_t n, unsigned classes,
                 uint64_t seed, enum ctr_few_draw what)
{
    size_t *start = ctr_alloc(classes, sizeof *start);
    uint32_t *perm = ctr_alloc(n, sizeof *perm);
    if (start && perm) {
        memset(n_of, 0, classes * sizeof *n_of);
        for (size_t i = 0; i < n; i++)
            n_of[label[i]]++;
        for (size_t k = 0, at = 0; k < classes; at += n_of[k++]) {
            struct ctr_rng rng;
            start[k] = at;
            ctr_rng_init(&rng, seed, CTR_RNG_LABELS, (uint32_t)k, (uint32_t)what);
            ctr_rng_permutation(&rng, perm + at, (uint32_t)n_of[k]);
        }
        for (size_t i = 0; i < n; i++)
            rank[i] = perm[start[label[i]]++];
    }
    int rc = start && perm ? 0 : CTR_E_FAIL;
    free(perm);
    free(start);
    return rc;
}

int ctr_few_choose(uint32_t *row, size_t *kept, const int32_t *label, size_t n, unsigned classes,
                   size_t per_class, uint64_t seed)
{
    size_t *n_of = ctr_alloc(classes, sizeof *n_of), m = 0;
    uint32_t *rank = ctr_alloc(n, sizeof *rank);
    int rc = n_of && rank ? ctr_few_rank(rank, n_of, label, n, classes, seed, CTR_DRAW_FEW)
                          : CTR_E_FAIL;
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (rank[i] < per_class)
            row[m++] = (uint32_t)i;
    *kept = m;
    free(rank);
    free(n_of);
    return rc;
}
