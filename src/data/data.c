/* data.c -- keeps the list of images, decodes in parallel, keeps count of bad ones. In:
 * ctr_data_params. Out: ctr_data_info and bytes. Drivers (source.h) know the formats.
 * Invariants: info changes only in ctr_data_each; `bad`, the skip list and the arena behind it are
 * shared by the decoding threads under `lock`; a bad image is recorded once. */
#include "data/data.h"
#include "base/os.h"
#include "base/str.h"
#include "data/job.h"
#include "data/source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define DEFAULT_MAX_BAD 0.05
#define CHUNK_BYTES     ((size_t)8 << 20)

struct ctr_data {
    struct ctr_source src;
    struct ctr_data_info info;
    uint32_t *item; /* [n] number in the source */
    const char **names;
    int32_t *labels;
    atomic_uchar *bad; /* [n] */
    char *path;
    unsigned threads;
    double max_bad;
    size_t n_found, n_bad; /* n_bad under lock */
    pthread_mutex_t lock;
};

/* ---- opening ---- */

static int choose_items(struct ctr_data *d, const struct ctr_data_params *params)
{
    size_t n = 0;
    int rc = ctr_source_choose(&d->item, &n, &d->src, params);
    if (rc != 0)
        return rc;
    d->info.n = d->n_found = n;
    d->names = ctr_alloc(n, sizeof *d->names);
    d->labels = ctr_alloc(n, sizeof *d->labels);
    d->bad = ctr_alloc(n, sizeof *d->bad);
    if (!d->names || !d->labels || !d->bad)
        return CTR_E_FAIL;
    for (size_t i = 0; i < n; i++) {
        d->names[i] = d->src.names[d->item[i]];
        d->labels[i] = d->src.labels[d->item[i]];
    }
    return 0;
}

uint64_t ctr_data_file_bytes(const struct ctr_data *d, size_t i)
{
    return d->src.sizes[d->item[i]];
}

const char *ctr_data_made_by(const struct ctr_data *d)
{
    return d->src.made_by ? d->src.made_by : d->src.driver->name;
}

static int hash_items(struct ctr_data *d)
{
    XXH64_state_t *x = XXH64_createState();
    if (!x)
        return ctr_fail(CTR_E_FAIL, "out of host memory");
    XXH64_reset(x, 0);
    const char *driver = ctr_data_made_by(d);
    XXH64_update(x, driver, strlen(driver) + 1);
    for (size_t i = 0; i < d->info.n; i++) {
        uint64_t number[2] = {ctr_data_file_bytes(d, i), (uint64_t)(int64_t)d->labels[i]};
        XXH64_update(x, d->names[i], strlen(d->names[i]) + 1);
        XXH64_update(x, number, sizeof number);
    }
    d->info.hash = XXH64_digest(x);
    XXH64_freeState(x);
    return 0;
}

static unsigned default_size(const struct ctr_source *s)
{
    if (s->width > 0 && s->width == s->height && (s->width <= 256 || s->driver->sealed))
        return s->width;
    unsigned side =
        s->width && s->height ? (s->width < s->height ? s->width : s->height) : s->median_side;
    return side <= 48 ? 32 : side <= 160 ? 96 : 224;
}

static int choose_pixels(struct ctr_data_info *info, const struct ctr_source *s,
                         const struct ctr_data_params *params)
{
    const struct ctr_pixel p = s->pixel;
    info->channels = params->channels    ? params->channels
                     : s->driver->sealed ? p.channels
                                         : ctr_pixel_usual(p);
    info->sample_bytes = params->bits ? params->bits / 8 : p.bytes ? p.bytes : 1;
    if (p.channels == 0 || ctr_pixel_converts(p, info->channels))
        return 0;
    ctr_fail(CTR_E_DATA, "the images in '%s' have %u channel%s, which cannot become %u", s->path,
             p.channels, p.channels == 1 ? "" : "s", info->channels);
    return ctr_hint(CTR_E_DATA, "an encoder takes as many channels as it was trained on; in training "
                                "--channels chooses them");
}

static int check_params(const struct ctr_data_params *p)
{
    if (p->image_size > CTR_DATA_MAX_SIDE)
        return ctr_fail(CTR_E_USAGE, "image size %u is over %d", p->image_size, CTR_DATA_MAX_SIDE);
    if (!(p->max_bad <= 1))
        return ctr_fail(CTR_E_USAGE, "tolerated fraction of bad images %g is over 1", p->max_bad);
    if (!(p->validation_share >= 0 && p->validation_share < 1))
        return ctr_fail(CTR_E_USAGE, "a validation share of %g is not in [0,1)",
                        p->validation_share);
    if (p->channels > CTR_CHANNELS_MAX)
        return ctr_fail(CTR_E_USAGE, "%u channels are over %u", p->channels, CTR_CHANNELS_MAX);
    if (p->bits != 0 && p->bits != 8 && p->bits != 16)
        return ctr_fail(CTR_E_USAGE, "values of %u bits; there are 8 and 16", p->bits);
    return 0;
}

int ctr_data_open(struct ctr_data **out, const struct ctr_data_params *params)
{
    CTR_NEED(out);
    CTR_NEED(params);
    int rc = check_params(params);
    if (rc != 0)
        return rc;
    struct ctr_data *d = ctr_alloc(1, sizeof *d);
    if (!d)
        return CTR_E_FAIL;
    pthread_mutex_init(&d->lock, NULL);
    d->threads = params->threads ? params->threads : ctr_cpu_count();
    d->max_bad = params->max_bad == 0 ? DEFAULT_MAX_BAD : params->max_bad < 0 ? 0 : params->max_bad;
    d->path = ctr_strdup(params->path ? params->path : "shapes");
    if (!d->path)
        CTR_TRY(CTR_E_FAIL);
    d->src.seed = params->seed;
    CTR_TRY(ctr_source_find(&d->src, d->path, params->split));
    CTR_TRY(d->src.driver->open(&d->src));
    if (d->src.n == 0)
        CTR_TRY(ctr_fail(CTR_E_DATA, "no images in '%s'", d->src.path));
    CTR_TRY(choose_pixels(&d->info, &d->src, params));
    CTR_TRY(choose_items(d, params));
    CTR_TRY(hash_items(d));
    unsigned size = params->image_size ? params->image_size : default_size(&d->src);
    d->info.driver = d->src.driver->name;
    d->info.path = d->src.path;
    d->info.split = d->src.split_name;
    d->info.height = d->info.width = size;
    d->info.n_classes = (unsigned)d->src.n_classes;
    d->info.class_names = d->src.classes;
    d->info.labels = d->labels;
    d->info.names = d->names;
    d->info.has_test = d->src.has_test;
    *out = d;
    d = NULL;
out:
    ctr_data_close(&d);
    return rc;
}

void ctr_data_close(struct ctr_data **data)
{
    struct ctr_data *d = data ? *data : NULL;
    if (!d)
        return;
    if (d->src.driver && d->src.driver->close)
        d->src.driver->close(&d->src);
    ctr_arena_free(&d->src.arena);
    free(d->src.names);
    free(d->src.labels);
    free(d->src.sizes);
    free(d->src.classes);
    free(d->src.skips);
    free(d->item);
    free(d->names);
    free(d->labels);
    free((void *)d->bad);
    free(d->path);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *data = NULL;
}

const struct ctr_data_info *ctr_data_info(const struct ctr_data *data)
{
    return &data->info;
}

size_t ctr_data_bytes(const struct ctr_data *data)
{
    return data->info.n * ctr_data_image_bytes(&data->info);
}

size_t ctr_data_n_skipped(struct ctr_data *data)
{
    pthread_mutex_lock(&data->lock);
    size_t n = data->src.n_skips;
    pthread_mutex_unlock(&data->lock);
    return n;
}

struct ctr_data_skip ctr_data_skip(struct ctr_data *data, size_t i)
{
    struct ctr_data_skip skip = {"", ""};
    pthread_mutex_lock(&data->lock);
    if (i < data->src.n_skips)
        skip = data->src.skips[i];
    pthread_mutex_unlock(&data->lock);
    return skip;
}

/* ---- decoding ---- */

/* Records too many bad images; the hint shows the first of them. Under lock. */
static int too_many_bad(struct ctr_data *d)
{
    struct ctr_str first = {0};
    size_t from = d->src.n_skips - d->n_bad;
    for (size_t i = from; i < d->src.n_skips && i < from + 3; i++)
        ctr_str_addf(&first, "%s%s: %s", i > from ? "; " : "", d->src.skips[i].path,
                     d->src.skips[i].reason);
    if (d->n_bad == d->n_found)
        ctr_fail(CTR_E_DATA, "none of the images in '%s' can be read: %zu of %zu are bad",
                 d->src.path, d->n_bad, d->n_found);
    else
        ctr_fail(CTR_E_DATA, "too many bad images in '%s': %zu of %zu (at most %g %%)", d->src.path,
                 d->n_bad, d->n_found, 100 * d->max_bad);
    ctr_hint(CTR_E_DATA, "%s", first.s ? first.s : "");
    ctr_str_free(&first);
    return CTR_E_DATA;
}

/* The failure just recorded is the reason. 0 when this many bad images are tolerated. */
static int mark_bad(struct ctr_data *d, size_t i)
{
    int rc = 0;
    pthread_mutex_lock(&d->lock);
    if (!atomic_load(&d->bad[i])) {
        rc = ctr_source_skip(&d->src, d->names[i], ctr_error_text());
        atomic_store(&d->bad[i], 1);
        d->n_bad++;
    }
    if (rc == 0 && (d->n_bad == d->n_found || (double)d->n_bad > d->max_bad * (double)d->n_found))
        rc = too_many_bad(d);
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* Whether decode() failed for this image alone. */
static int is_bad_image(const struct ctr_data_driver *driver, int rc)
{
    return driver->sealed ? rc == CTR_E_PARTIAL : rc != 0 && rc != CTR_E_FAIL;
}

/* *good tells whether dst was filled; the return code is 0 for a tolerated bad image. */
static int decode_one(struct ctr_data *d, uint8_t *dst, int *good, size_t i)
{
    struct ctr_image image = {0};
    *good = 0;
    if (atomic_load(&d->bad[i]))
        return 0;
    int rc = d->src.driver->decode(&image, &d->src, d->item[i], d->info.width);
    if (rc == 0)
        rc = ctr_image_fit(&image, d->info.width);
    if (rc == 0)
        rc = ctr_image_convert(&image, d->info.channels, d->info.sample_bytes);
    if (rc == 0)
        memcpy(dst, image.pixels, ctr_image_bytes(&image));
    ctr_image_free(&image);
    *good = rc == 0;
    return is_bad_image(d->src.driver, rc) ? mark_bad(d, i) : rc;
}

/* One parallel call: work items, and the first failure of any thread with its text. */
struct job {
    struct ctr_data *data;
    uint8_t *dst;
    uint32_t *used;         /* ctr_data_read: where to tell the index, or NULL */
    const uint32_t *index;  /* ctr_data_read; NULL in ctr_data_each */
    uint8_t *good;          /* ctr_data_each: [n] */
    size_t first;           /* ctr_data_each: index of item 0 */
    const atomic_int *stop; /* or NULL */
    struct ctr_job_error error;
};

static int job_over(struct job *job)
{
    return atomic_load(&job->error.rc) != 0 || (job->stop && atomic_load(job->stop));
}

static void read_one(void *ctx, size_t i)
{
    struct job *job = ctx;
    struct ctr_data *d = job->data;
    size_t n = d->info.n, image_bytes = ctr_data_image_bytes(&d->info);
    for (size_t step = 0; step < n && !job_over(job); step++) {
        size_t k = (job->index[i] + step) % n;
        int good, rc = decode_one(d, job->dst + i * image_bytes, &good, k);
        if (rc != 0) {
            ctr_job_error_keep(&job->error, rc);
            return;
        }
        if (good) {
            if (job->used)
                job->used[i] = (uint32_t)k;
            return;
        }
    }
}

static void try_one(void *ctx, size_t i)
{
    struct job *job = ctx;
    int good = 0, rc = 0;
    size_t image_bytes = ctr_data_image_bytes(&job->data->info);
    if (!job_over(job))
        rc = decode_one(job->data, job->dst + i * image_bytes, &good, job->first + i);
    job->good[i] = (uint8_t)good;
    if (rc != 0)
        ctr_job_error_keep(&job->error, rc);
}

int ctr_data_read_until(struct ctr_data *d, uint8_t *dst, uint32_t *used, const uint32_t *index,
                        size_t n, const atomic_int *stop)
{
    struct job job = {.data = d, .dst = dst, .used = used, .index = index, .stop = stop};
    for (size_t i = 0; i < n; i++)
        if (index[i] >= d->info.n)
            return ctr_fail(CTR_E_USAGE, "image index %u of %zu", index[i], d->info.n);
    ctr_parallel(d->threads, n, read_one, &job);
    return ctr_job_error_raise(&job.error);
}

int ctr_data_read(struct ctr_data *data, uint8_t *dst, uint32_t *used, const uint32_t *index,
                  size_t n)
{
    CTR_NEED(data);
    CTR_NEED(n == 0 || (dst && index));
    return ctr_data_read_until(data, dst, used, index, n, NULL);
}

int ctr_data_decode(struct ctr_data *d, uint8_t *dst, const char **bad, size_t i)
{
    int good, rc = decode_one(d, dst, &good, i);
    *bad = rc == 0 && !good ? ctr_error_text() : NULL;
    return rc;
}

/* Decodes [first, first + n); good[i] = 0 where an image is bad. */
static int read_chunk(struct ctr_data *d, uint8_t *dst, uint8_t *good, size_t first, size_t n)
{
    struct job job = {.data = d, .dst = dst, .good = good, .first = first};
    ctr_parallel(d->threads, n, try_one, &job);
    return ctr_job_error_raise(&job.error);
}

/* Closes the gaps that bad images left in a decoded chunk; number of good ones. */
static size_t compact(uint8_t *images, const uint8_t *good, size_t image_bytes, size_t n)
{
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (good[i]) {
            if (m != i)
                memcpy(images + m * image_bytes, images + i * image_bytes, image_bytes);
            m++;
        }
    return m;
}

static void remove_bad(struct ctr_data *d)
{
    size_t m = 0;
    for (size_t i = 0; i < d->info.n; i++) {
        if (atomic_load(&d->bad[i]))
            continue;
        d->item[m] = d->item[i];
        d->names[m] = d->names[i];
        d->labels[m++] = d->labels[i];
    }
    for (size_t i = 0; i < m; i++)
        atomic_store(&d->bad[i], 0);
    d->info.n = m;
}

int ctr_data_each(struct ctr_data *d, ctr_data_chunk_fn *fn, void *user)
{
    int rc = 0;
    size_t image_bytes = ctr_data_image_bytes(&d->info), total = d->info.n, at = 0;
    size_t chunk = CHUNK_BYTES / image_bytes;
    chunk = chunk < 16 ? 16 : chunk;
    chunk = chunk > total ? total : chunk;
    uint8_t *images = ctr_alloc(chunk, image_bytes), *good = ctr_alloc(chunk, 1);
    if (!images || !good)
        CTR_TRY(CTR_E_FAIL);
    for (size_t first = 0; first < total; first += chunk) {
        size_t n = total - first < chunk ? total - first : chunk;
        CTR_TRY(read_chunk(d, images, good, first, n));
        n = compact(images, good, image_bytes, n);
        CTR_TRY(fn(user, images, at, n, first + chunk < total ? first + chunk : total, total));
        at += n;
    }
    remove_bad(d);
out:
    free(images);
    free(good);
    return rc;
}

struct into {
    uint8_t *dst;
    size_t image_bytes;
    ctr_data_progress_fn *progress;
    void *user;
};

static int copy_chunk(void *user, const uint8_t *images, size_t at, size_t n, size_t done,
                      size_t total)
{
    struct into *into = user;
    memcpy(into->dst + at * into->image_bytes, images, n * into->image_bytes);
    return into->progress ? into->progress(into->user, done, total) : 0;
}

int ctr_data_read_all(struct ctr_data *data, uint8_t *dst, ctr_data_progress_fn *progress,
                      void *user)
{
    CTR_NEED(data);
    CTR_NEED(dst);
    struct into into = {dst, ctr_data_image_bytes(&data->info), progress, user};
    return ctr_data_each(data, copy_chunk, &into);
}
