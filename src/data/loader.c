/* loader.c -- decodes batches ahead of their use, for sets that do not fit on the device.
 * In: the order of the images, epoch by epoch. Out: the batches in that order.
 * One thread takes batches from the order and decodes each with the data set's threads into the
 * next free slot of a ring; the consumer holds one slot, the others wait or are being filled.
 * Invariants: contents depend on the order only; slots are filled and taken in turn; `stop` is seen
 * between two images; everything below `lock` is touched only under it. */
#include "base/mem.h"
#include "data/job.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DEPTH 3

struct slot {
    uint8_t *images;
    uint32_t *index;
    size_t n;
};

struct segment {
    struct segment *next;
    size_t n, at;
    uint32_t order[];
};

struct ctr_loader {
    struct ctr_data *data;
    size_t batch;
    unsigned n_slots;
    struct slot *slot;
    uint32_t *want; /* indices of the batch being decoded */
    atomic_int stop;
    pthread_t thread;
    int started;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct segment *first, *last; /* ordered and not yet decoded */
    unsigned filled;              /* slots decoded, the one held by the consumer included */
    unsigned take;                /* the consumer's next slot */
    int held, busy, failed;
    struct ctr_job_error error;
};

/* Waits for a free slot and an order; indices into want. 0 when told to stop. Under lock. */
static size_t next_order(struct ctr_loader *l)
{
    while (!atomic_load(&l->stop) && (l->filled == l->n_slots || !l->first))
        pthread_cond_wait(&l->changed, &l->lock);
    if (atomic_load(&l->stop))
        return 0;
    struct segment *s = l->first;
    size_t n = s->n - s->at < l->batch ? s->n - s->at : l->batch;
    memcpy(l->want, s->order + s->at, n * sizeof *l->want);
    s->at += n;
    if (s->at == s->n) {
        l->first = s->next;
        if (!l->first)
            l->last = NULL;
        free(s);
    }
    return n;
}

static void *decoder(void *arg)
{
    struct ctr_loader *l = arg;
    unsigned fill = 0;
    int rc = 0;
    pthread_mutex_lock(&l->lock);
    for (size_t n; rc == 0 && (n = next_order(l)) > 0;) {
        struct slot *slot = &l->slot[fill];
        l->busy = 1;
        pthread_mutex_unlock(&l->lock);
        rc = ctr_data_read_until(l->data, slot->images, slot->index, l->want, n, &l->stop);
        pthread_mutex_lock(&l->lock);
        l->busy = 0;
        if (rc != 0) {
            l->failed = 1;
            ctr_job_error_keep(&l->error, rc);
        } else {
            slot->n = n;
            l->filled++;
            fill = (fill + 1) % l->n_slots;
        }
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

int ctr_loader_open(struct ctr_loader **out, struct ctr_data *data, const uint32_t *order, size_t n,
                    size_t batch, unsigned depth)
{
    const struct ctr_data_info *info = ctr_data_info(data);
    size_t image_bytes = ctr_data_image_bytes(info);
    int rc = 0, error;
    if (batch == 0)
        return ctr_fail(CTR_E_USAGE, "batch of 0 images");
    struct ctr_loader *l = ctr_alloc(1, sizeof *l);
    if (!l)
        return CTR_E_FAIL;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    l->data = data;
    l->batch = batch;
    l->n_slots = (depth ? depth : DEFAULT_DEPTH) + 1;
    l->want = ctr_alloc(batch, sizeof *l->want);
    l->slot = ctr_alloc(l->n_slots, sizeof *l->slot);
    if (!l->want || !l->slot)
        CTR_TRY(CTR_E_FAIL);
    for (unsigned i = 0; i < l->n_slots; i++) {
        l->slot[i].images = ctr_alloc(batch, image_bytes);
        l->slot[i].index = ctr_alloc(batch, sizeof *l->slot[i].index);
        if (!l->slot[i].images || !l->slot[i].index)
            CTR_TRY(CTR_E_FAIL);
    }
    CTR_TRY(ctr_loader_add(l, order, n));
    if ((error = pthread_create(&l->thread, NULL, decoder, l)) != 0)
        CTR_TRY(ctr_fail(CTR_E_FAIL, "cannot start the loading thread: %s", strerror(error)));
    l->started = 1;
    *out = l;
    l = NULL;
out:
    ctr_loader_close(&l);
    return rc;
}

int ctr_loader_add(struct ctr_loader *l, const uint32_t *order, size_t n)
{
    if (n == 0)
        return 0;
    size_t limit = ctr_data_info(l->data)->n;
    for (size_t i = 0; i < n; i++)
        if (order[i] >= limit)
            return ctr_fail(CTR_E_USAGE, "image index %u of %zu", order[i], limit);
    struct segment *s = ctr_alloc(1, sizeof *s + n * sizeof *order);
    if (!s)
        return CTR_E_FAIL;
    s->n = n;
    memcpy(s->order, order, n * sizeof *order);
    pthread_mutex_lock(&l->lock);
    if (l->last)
        l->last->next = s;
    else
        l->first = s;
    l->last = s;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return 0;
}

int ctr_loader_next(struct ctr_loader *l, const uint8_t **images, const uint32_t **index, size_t *n)
{
    int rc = 0;
    pthread_mutex_lock(&l->lock);
    if (l->held) {
        l->held = 0;
        l->filled--;
        l->take = (l->take + 1) % l->n_slots;
        pthread_cond_broadcast(&l->changed);
    }
    while (l->filled == 0 && !l->failed && (l->first || l->busy))
        pthread_cond_wait(&l->changed, &l->lock);
    if (l->filled > 0) {
        *images = l->slot[l->take].images;
        *index = l->slot[l->take].index;
        *n = l->slot[l->take].n;
        l->held = 1;
    } else if (l->failed) {
        rc = ctr_job_error_raise(&l->error);
    } else {
        *n = 0;
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

void ctr_loader_close(struct ctr_loader **loader)
{
    struct ctr_loader *l = *loader;
    if (!l)
        return;
    if (l->started) {
        pthread_mutex_lock(&l->lock);
        atomic_store(&l->stop, 1);
        pthread_cond_broadcast(&l->changed);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    for (struct segment *s = l->first, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    for (unsigned i = 0; l->slot && i < l->n_slots; i++) {
        free(l->slot[i].images);
        free(l->slot[i].index);
    }
    free(l->slot);
    free(l->want);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l);
    *loader = NULL;
}
