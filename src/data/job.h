/* job.h -- what data.c shares with loader.c and pack.c: reads that can be stopped or leave gaps,
 * failures across threads. */
#ifndef CTR_DATA_JOB_H
#define CTR_DATA_JOB_H

#include <stdatomic.h>
#include <stdio.h>

#include "data/data.h"

/* ctr_data_read that returns early, with dst incomplete, once *stop is set. */
int ctr_data_read_until(struct ctr_data *data, uint8_t *dst, uint32_t *used, const uint32_t *index,
                        size_t n, const atomic_int *stop);

/* Decodes image i, by any thread. *bad: NULL, or the reason why there are no pixels, until this thread's next
 * failure. */
int ctr_data_decode(struct ctr_data *data, uint8_t *dst, const char **bad, size_t i);

/* The driver that reads the images, or read them when they were packed. */
const char *ctr_data_made_by(const struct ctr_data *data);

/* Texts of failures belong to a thread; this carries the first of any thread to the one that reports it.
 * Zero-initialise. */
struct ctr_job_error {
    atomic_int rc;
    char text[512], hint[512];
};

static inline void ctr_job_error_keep(struct ctr_job_error *error, int rc)
{
    int none = 0;
    if (!atomic_compare_exchange_strong(&error->rc, &none, rc))
        return;
    snprintf(error->text, sizeof error->text, "%s", ctr_error_text());
    snprintf(error->hint, sizeof error->hint, "%s", ctr_error_hint());
}

/* 0 where nothing failed; to be called when all threads are done. */
static inline int ctr_job_error_raise(const struct ctr_job_error *error)
{
    int rc = atomic_load(&error->rc);
    if (rc == 0)
        return 0;
    ctr_fail(rc, "%s", error->text);
    return error->hint[0] ? ctr_hint(rc, "%s", error->hint) : rc;
}

#endif
