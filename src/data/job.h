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

/* Decodes [first, first + n), each to its place in dst, `pitch` bytes apart; good[i] = 0 where an
 * image is bad. */
int ctr_data_try(struct ctr_data *data, uint8_t *dst, uint8_t *good, size_t pitch, size_t first,
                 size_t n);

/* The driver that reads the images, or read them when they were packed. */
const char *ctr_data_made_by(const struct ctr_data *data);

/* Texts of failures belong to a thread; this carries one to the thread that reports it. */
struct ctr_job_error {
    int rc;
    char text[512], hint[512];
};

static inline void ctr_job_error_keep(struct ctr_job_error *error, int rc)
{
    error->rc = rc;
    snprintf(error->text, sizeof error->text, "%s", ctr_error_text());
    snprintf(error->hint, sizeof error->hint, "%s", ctr_error_hint());
}

static inline int ctr_job_error_raise(const struct ctr_job_error *error)
{
    ctr_fail(error->rc, "%s", error->text);
    return error->hint[0] ? ctr_hint(error->rc, "%s", error->hint) : error->rc;
}

#endif
