/* launch.c -- launches and products: checking, naming, building, running, timing.
 *
 * In: descriptions. Out: objects whose every argument was checked once, so that running one is a
 * single call into the backend. Profile rows live in the device, one a name. */
#include "dev/impl.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Row of the profile for this name, created when new. */
static int find_row(unsigned *row, ctr_dev *dev, const char *name)
{
    for (size_t i = 0; i < dev->n_rows; i++)
        if (strcmp(dev->rows[i].name, name) == 0) {
            *row = (unsigned)i;
            return 0;
        }
    if (ctr_grow((void **)&dev->rows, &dev->cap_rows, dev->n_rows + 1, sizeof *dev->rows) != 0)
        return CTR_E_FAIL;
    char *copy = ctr_strdup(name);
    if (!copy)
        return CTR_E_FAIL;
    *row = (unsigned)dev->n_rows++;
    dev->rows[*row] = (struct ctr_profile_row){.name = copy};
    return 0;
}

static void link_launch(ctr_launch *l)
{
    l->next = l->dev->launches;
    if (l->next)
        l->next->prev = l;
    l->dev->launches = l;
}

static int check_sizes(const ctr_dev *dev, struct ctr_launch_spec *spec)
{
    size_t items = 1;
    for (int d = 0; d < 3; d++) {
        if (d > 0 && spec->global[d] == 0)
            spec->global[d] = 1;
        if (spec->local[d] == 0)
            spec->local[d] = 1;
        if (spec->global[d] == 0 || spec->global[d] % spec->local[d])
            return ctr_fail(CTR_E_USAGE,
                            "%s: work-group size %zu does not divide %zu work-items (dimension %d)",
                            spec->kernel, spec->local[d], spec->global[d], d);
        if (spec->local[d] > dev->caps.max_group || (items *= spec->local[d]) > dev->caps.max_group)
            return ctr_fail(CTR_E_USAGE,
                            "%s: a work-group of %zux%zux%zu is larger than the %zu of '%s'",
                            spec->kernel, spec->local[0], spec->local[1], spec->local[2],
                            dev->caps.max_group, dev->caps.name);
    }
    return 0;
}

static int check_args(const ctr_dev *dev, const struct ctr_launch_spec *spec)
{
    size_t local = 0;
    if (spec->n_args > CTR_MAX_ARGS)
        return ctr_fail(CTR_E_USAGE, "%s: %u arguments, at most %d", spec->kernel, spec->n_args,
                        CTR_MAX_ARGS);
    for (unsigned i = 0; i < spec->n_args; i++) {
        const struct ctr_arg *a = &spec->args[i];
        if (a->kind > CTR_ARG_LOCAL)
            return ctr_fail(CTR_E_USAGE, "%s: argument %u has no kind", spec->kernel, i);
        if (a->kind == CTR_ARG_BUF && (!a->v.buf || a->v.buf->dev != dev))
            return ctr_fail(CTR_E_USAGE, "%s: argument %u is not a buffer of '%s'", spec->kernel, i,
                            dev->caps.name);
        if (a->kind == CTR_ARG_LOCAL && a->v.local_bytes == 0)
            return ctr_fail(CTR_E_USAGE, "%s: argument %u is empty local memory", spec->kernel, i);
        if (a->kind == CTR_ARG_LOCAL)
            local += a->v.local_bytes;
    }
    if (local > dev->caps.local_bytes)
        return ctr_fail(CTR_E_USAGE, "%s: needs %zu bytes of local memory, '%s' has %zu",
                        spec->kernel, local, dev->caps.name, dev->caps.local_bytes);
    return 0;
}

int ctr_launch_create(ctr_launch **out, ctr_dev *dev, const struct ctr_launch_spec *spec)
{
    int rc = ctr_dev_usable(dev);
    if (rc)
        return rc;
    if (!out || !spec || !spec->file || !spec->kernel || !*spec->kernel)
        return ctr_fail(CTR_E_USAGE, "a launch needs a file and a kernel");
    ctr_launch *l = ctr_alloc(1, sizeof *l);
    if (!l)
        return CTR_E_FAIL;
    l->dev = dev;
    l->spec = *spec;
    snprintf(l->name, sizeof l->name, "%s", spec->kernel);
    l->spec.kernel = l->name;
    CTR_TRY(check_sizes(dev, &l->spec));
    CTR_TRY(check_args(dev, &l->spec));
    CTR_TRY(ctr_prog_get(&l->prog, dev, spec->file, spec->options ? spec->options : ""));
    if (!strstr(l->prog->text, spec->kernel))
        CTR_TRY(ctr_fail(CTR_E_USAGE, "cl/%s has no kernel '%s'", spec->file, spec->kernel));
    l->spec.file = l->prog->file;
    l->spec.options = l->prog->options;
    CTR_TRY(find_row(&l->row, dev, l->name));
    link_launch(l);
    *out = l;
    l = NULL;
out:
    free(l);
    return rc;
}

/* One matrix operand: rows x cols as stored, leading dimension ld. */
static int check_matrix(const ctr_dev *dev, const ctr_buf *buf, const char *name, size_t rows,
                        size_t cols, size_t ld)
{
    size_t need;
    if (ld < cols)
        return ctr_fail(CTR_E_USAGE, "gemm: leading dimension %zu of %s is below its %zu columns",
                        ld, name, cols);
    if (__builtin_mul_overflow(rows - 1, ld, &need) || __builtin_add_overflow(need, cols, &need) ||
        __builtin_mul_overflow(need, sizeof(float), &need))
        return ctr_fail(CTR_E_USAGE, "gemm: %s of %zux%zu is too large", name, rows, ld);
    if (!buf)
        return 0;
    if (buf->dev != dev || buf->bytes < need)
        return ctr_fail(CTR_E_USAGE, "gemm: %s needs %zu bytes, buffer '%s' has %zu", name, need,
                        buf->what, buf->bytes);
    return 0;
}

static int check_gemm(const ctr_dev *dev, const struct ctr_gemm *g)
{
    int rc = 0;
    if (!g || !g->M || !g->N || !g->K)
        return ctr_fail(CTR_E_USAGE, "gemm: empty product");
    CTR_TRY(check_matrix(dev, g->A, "A", g->transpose_a ? g->K : g->M, g->transpose_a ? g->M : g->K,
                         g->lda));
    CTR_TRY(check_matrix(dev, g->B, "B", g->transpose_b ? g->N : g->K, g->transpose_b ? g->K : g->N,
                         g->ldb));
    CTR_TRY(check_matrix(dev, g->C, "C", g->M, g->N, g->ldc));
out:
    return rc;
}

int ctr_gemm_temp_bytes(size_t *bytes, ctr_dev *dev, const struct ctr_gemm *gemm)
{
    int rc = ctr_dev_usable(dev);
    if (rc == 0)
        rc = check_gemm(dev, gemm);
    return rc ? rc : dev->backend->gemm_temp_bytes(bytes, dev, gemm);
}

int ctr_launch_create_gemm(ctr_launch **out, ctr_dev *dev, const struct ctr_gemm *gemm)
{
    size_t temp_bytes;
    int rc = ctr_gemm_temp_bytes(&temp_bytes, dev, gemm);
    if (rc)
        return rc;
    if (!out || !gemm->A || !gemm->B || !gemm->C)
        return ctr_fail(CTR_E_USAGE, "gemm: a matrix is missing");
    if (temp_bytes && (!gemm->temp || gemm->temp->dev != dev || gemm->temp->bytes < temp_bytes))
        return ctr_fail(CTR_E_USAGE, "gemm: %zu bytes of scratch needed, %zu given", temp_bytes,
                        gemm->temp ? gemm->temp->bytes : 0);
    ctr_launch *l = ctr_alloc(1, sizeof *l);
    if (!l)
        return CTR_E_FAIL;
    double M = (double)gemm->M, N = (double)gemm->N, K = (double)gemm->K;
    l->dev = dev;
    l->is_gemm = 1;
    l->gemm = *gemm;
    snprintf(l->name, sizeof l->name, "gemm_%c%c", gemm->transpose_a ? 't' : 'n',
             gemm->transpose_b ? 't' : 'n');
    l->spec.kernel = l->name;
    l->spec.flops = 2.0 * M * N * K;
    l->spec.bytes = 4.0 * (M * K + K * N + M * N * (gemm->beta != 0.0f ? 2 : 1));
    CTR_TRY(find_row(&l->row, dev, l->name));
    link_launch(l);
    *out = l;
    l = NULL;
out:
    free(l);
    return rc;
}

void ctr_launch_destroy(ctr_launch **launch)
{
    if (!launch || !*launch)
        return;
    ctr_launch *l = *launch;
    ctr_dev *dev = l->dev;
    *launch = NULL;
    if (dev->pid != getpid())
        dev->lost = 1;
    dev->backend->launch_destroy(l);
    if (l->prev)
        l->prev->next = l->next;
    else
        dev->launches = l->next;
    if (l->next)
        l->next->prev = l->prev;
    free(l);
}

void ctr_launch_destroy_all(ctr_dev *dev)
{
    while (dev->launches) {
        ctr_launch *l = dev->launches;
        ctr_launch_destroy(&l);
    }
}

const char *ctr_launch_name(const ctr_launch *launch)
{
    return launch->name;
}

struct ctr_launch_cost ctr_launch_cost(const ctr_launch *l)
{
    double work = l->spec.work > 0 ? l->spec.work : l->spec.flops;
    return (struct ctr_launch_cost){.flops = l->spec.flops,
                                    .work = work,
                                    .bytes = l->spec.bytes,
                                    .floor_s = ctr_floor(&l->dev->peaks, work, l->spec.bytes)};
}

/* ---- building ---- */

/* Drivers that compile at the first enqueue do so per kernel, local size, and whether the grid is
 * small (PoCL: every dimension below 65535). */
static int same_code(const ctr_launch *a, const ctr_launch *b)
{
    if (a->is_gemm || b->is_gemm)
        return a->is_gemm && b->is_gemm && a->gemm.transpose_a == b->gemm.transpose_a &&
               a->gemm.transpose_b == b->gemm.transpose_b && a->gemm.M == b->gemm.M &&
               a->gemm.N == b->gemm.N && a->gemm.K == b->gemm.K;
    if (a->prog != b->prog || strcmp(a->name, b->name) != 0 ||
        memcmp(a->spec.local, b->spec.local, sizeof a->spec.local) != 0)
        return 0;
    for (int d = 0; d < 3; d++)
        if ((a->spec.global[d] < 65535) != (b->spec.global[d] < 65535))
            return 0;
    return 1;
}

static int small_grid(const ctr_launch *l)
{
    return l->spec.global[0] < 65535 && l->spec.global[1] < 65535 && l->spec.global[2] < 65535;
}

/* Compiling asks for one work-group only, of a grid that stays what same_code() calls it. */
static int run_one_group(ctr_dev *dev, ctr_launch *l)
{
    size_t global[3];
    if (l->is_gemm)
        return dev->backend->gemm_run(l, NULL);
    memcpy(global, l->spec.global, sizeof global);
    if (small_grid(l))
        memcpy(l->spec.global, l->spec.local, sizeof global);
    int rc = dev->backend->launch_run(l, NULL);
    memcpy(l->spec.global, global, sizeof global);
    return rc;
}

/* Runs each distinct kernel of `fresh` once, on whatever the buffers hold (zeros, when a graph has
 * just planned them, so that indices taken from memory are valid). */
static int warm_up(ctr_dev *dev, ctr_launch **fresh, size_t n)
{
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        size_t j = 0;
        while (j < i && !same_code(fresh[i], fresh[j]))
            j++;
        if (j == i)
            CTR_TRY(run_one_group(dev, fresh[i]));
    }
    CTR_TRY(dev->backend->finish(dev));
out:
    return rc;
}

int ctr_dev_build(ctr_dev *dev, int warm, ctr_build_fn *progress, void *user)
{
    int rc = ctr_dev_usable(dev);
    if (rc)
        return rc;
    size_t n = 0;
    for (ctr_launch *l = dev->launches; l; l = l->next)
        n += !l->bound;
    ctr_launch **fresh = ctr_alloc(n, sizeof *fresh);
    if (!fresh)
        return CTR_E_FAIL;
    CTR_TRY(ctr_prog_build_all(dev, progress, user));
    /* The list has the newest first; warm up in the order of creation. */
    size_t at = n;
    for (ctr_launch *l = dev->launches; l; l = l->next) {
        if (l->bound)
            continue;
        CTR_TRY(l->is_gemm ? dev->backend->gemm_bind(l) : dev->backend->launch_bind(l));
        fresh[--at] = l;
    }
    for (size_t i = 0; i < n; i++)
        fresh[i]->bound = 1;
    if (warm && n)
        CTR_TRY(warm_up(dev, fresh, n));
out:
    free(fresh);
    return rc;
}

/* ---- running ---- */

int ctr_launch_run(ctr_launch *launch)
{
    if (!launch)
        return ctr_fail(CTR_E_USAGE, "no launch given");
    ctr_dev *dev = launch->dev;
    int rc = ctr_dev_usable(dev);
    if (rc)
        return rc;
    if (!launch->bound)
        return ctr_fail(CTR_E_USAGE, "launch '%s' is not built: call ctr_dev_build", launch->name);
    double seconds = 0.0;
    rc = (launch->is_gemm ? dev->backend->gemm_run
                          : dev->backend->launch_run)(launch, dev->profile ? &seconds : NULL);
    if (rc)
        return rc;
    dev->stats.launches++;
    if (dev->profile) {
        struct ctr_profile_row *row = &dev->rows[launch->row];
        row->runs++;
        row->seconds += seconds;
        row->flops += launch->spec.flops;
        row->bytes += launch->spec.bytes;
        row->floor_s += ctr_launch_cost(launch).floor_s;
    } else if (dev->sync) {
        rc = dev->backend->finish(dev);
        if (rc)
            ctr_fail_in(rc, "after '%s'", launch->name);
    }
    return rc;
}

static int slower_first(const void *a, const void *b)
{
    double x = ((const struct ctr_profile_row *)a)->seconds;
    double y = ((const struct ctr_profile_row *)b)->seconds;
    return (x < y) - (x > y);
}

int ctr_dev_profile(struct ctr_profile_row **rows, unsigned *n, const ctr_dev *dev)
{
    struct ctr_profile_row *copy = ctr_alloc(dev->n_rows, sizeof *copy);
    if (!copy)
        return CTR_E_FAIL;
    unsigned used = 0;
    for (size_t i = 0; i < dev->n_rows; i++)
        if (dev->rows[i].runs)
            copy[used++] = dev->rows[i];
    qsort(copy, used, sizeof *copy, slower_first);
    *rows = copy;
    *n = used;
    return 0;
}

void ctr_dev_profile_reset(ctr_dev *dev)
{
    for (size_t i = 0; i < dev->n_rows; i++)
        dev->rows[i] = (struct ctr_profile_row){.name = dev->rows[i].name};
}
