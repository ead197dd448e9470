/* job.h -- what data.c and loader.c share: a read that can be stopped, failures across threads. */
#ifndef CTR_DATA_JOB_H
#define CTR_DATA_JOB_H

#include <stdatomic.h>
#include <stdio.h>

#include "data/data.h"

/* ctr_data_read that returns early, with dst incomplete, once *stop is set. */
int ctr_data_read_until(struct ctr_data *data, uint8_t *dst, uint32_t *used, const uint32_t *index,
                        size_t n, const atomic_int *stop);

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
