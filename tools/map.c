/* map.c -- vectors to points, as a person sees it. See map.h; the mathematics is in src/eval/map.h. */
#include "map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/os.h"
#include "base/rng.h"
#include "eval/eval.h"
#include "eval/map.h"
#include "interrupt.h"
#include "term.h"

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* m->row: all, or those that the seed draws. */
static int sample(struct map *m)
{
    struct ctr_rng rng;
    size_t all = m->of->n;
    if (all > UINT32_MAX)
        return ctr_fail(CTR_E_DATA, "%zu vectors are more than a map can be made of", all);
    if (!(m->row = ctr_alloc(all, sizeof *m->row)))
        return CTR_E_FAIL;
    ctr_rng_init(&rng, m->o.seed, CTR_RNG_MAP, 2, 0);
    ctr_rng_permutation(&rng, m->row, (uint32_t)all);
    m->n = m->o.points && m->o.points < all ? (size_t)m->o.points : all;
    qsort(m->row, m->n, sizeof *m->row, by_number);
    return 0;
}

/* A copy of the rows that are shown. */
static int gather(float **out, const struct map *m)
{
    size_t D = m->of->D;
    float *x = ctr_alloc(m->n, D * sizeof *x);
    if (!x)
        return CTR_E_FAIL;
    for (size_t i = 0; i < m->n; i++)
        memcpy(x + i * D, m->of->x + m->row[i] * D, D * sizeof *x);
    if (m->o.metric == MAP_COSINE)
        ctr_rows_unit(x, x, m->n, D);
    *out = x;
    return 0;
}

static int progress(void *user, size_t done, size_t total)
{
    const double *start = user;
    double seconds = ctr_now() - *start;
    char left[24];
    if (interrupt_caught())
        return ctr_fail(CTR_E_FAIL, "interrupted after %zu of %zu steps", done, total);
    term_progress("t-SNE %zu/%zu steps  %s left", done, total,
                  term_duration(left, seconds * (double)(total - done) / (double)done));
    return 0;
}

static int tsne(struct map *m, const float *x)
{
    double start = ctr_now(), most = floor(((double)m->n - 1) / 3);
    if (m->n > CTR_TSNE_MAX)
        return ctr_hint(ctr_fail(CTR_E_USAGE, "%zu vectors are too many for t-SNE; at most %d", m->n, CTR_TSNE_MAX),
                        "--points 5000 takes a sample, --method pca takes all");
    if (most < 2)
        return ctr_hint(ctr_fail(CTR_E_DATA, "too few vectors for t-SNE: %zu, and it needs 7", m->n),
                        "--method pca");
    if (m->o.perplexity > most) {
        term_warn("a perplexity of %g needs more than %zu vectors: %g is taken", m->o.perplexity, m->n, most);
        m->o.perplexity = most;
    }
    term_progress("similarities of %zu vectors", m->n);
    int rc = ctr_map_tsne(m->xy, &m->divergence, x, m->n, m->of->D,
                          &(struct ctr_tsne_params){m->o.perplexity, m->o.seed}, progress, &start);
    term_progress_end();
    return rc;
}

int map_make(struct map *out, const struct ctr_vectors *of, const struct map_options *o)
{
    int rc = 0;
    float *x = NULL;
    struct map m = {.o = *o, .of = of};
    CTR_TRY(sample(&m));
    CTR_TRY(gather(&x, &m));
    if (!(m.xy = ctr_alloc(m.n, 2 * sizeof *m.xy)))
        CTR_TRY(CTR_E_FAIL);
    if (o->method == MAP_PCA)
        CTR_TRY(ctr_map_pca(m.xy, m.share, x, m.n, of->D));
    else
        CTR_TRY(tsne(&m, x));
    *out = m;
    m = (struct map){0};
out:
    map_free(&m);
    free(x);
    return rc;
}

void map_free(struct map *m)
{
    free(m->row);
    free(m->xy);
    *m = (struct map){0};
}
