/* cl_impl.h -- shared by the OpenCL backend's files (cl*.c), the only ones that see OpenCL. */
#ifndef CTR_DEV_CL_IMPL_H
#define CTR_DEV_CL_IMPL_H

#include <CL/cl.h>

#include "dev/impl.h"

struct cl_state {
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    int blas_used; /* CLBlast holds programs of this context */
    struct cl_staging {
        unsigned char *host;
        size_t bytes, used;
    } staging; /* cl_buf.c */
};

static inline struct cl_state *cl_of(const ctr_dev *dev)
{
    return dev->impl;
}

/* "CL_OUT_OF_RESOURCES" for -5; "unknown code" for what no header names. */
const char *ctr_cl_error_name(cl_int err);
/* Records "CALL: CL_NAME (-n) WHERE on 'device'", marks the device lost after a fault that leaves
 * the queue unusable, and returns CTR_E_DEVMEM or CTR_E_DEVICE. `where` may be "". */
int ctr_cl_fail(ctr_dev *dev, cl_int err, const char *call, const char *where);

/* cl_buf.c */
int ctr_cl_buf_create(ctr_buf *buf);
int ctr_cl_buf_view(ctr_buf *buf);
void ctr_cl_buf_destroy(ctr_buf *buf);
int ctr_cl_buf_write(ctr_buf *dst, size_t at, const void *src, size_t bytes);
int ctr_cl_buf_read(void *dst, ctr_buf *src, size_t at, size_t bytes);
int ctr_cl_buf_fill(ctr_buf *dst, size_t at, size_t bytes, uint32_t pattern);
void ctr_cl_staging_free(ctr_dev *dev);
/* The queue is empty: staged data is no longer needed. */
void ctr_cl_staging_reset(ctr_dev *dev);

/* cl.c */
int ctr_cl_finish(ctr_dev *dev);

/* cl_prog.c */
int ctr_cl_prog_build(struct ctr_prog *prog);
void ctr_cl_prog_destroy(struct ctr_prog *prog);
int ctr_cl_launch_bind(ctr_launch *launch);
int ctr_cl_launch_run(ctr_launch *launch, double *seconds);
void ctr_cl_launch_destroy(ctr_launch *launch);

/* cl_blas.c */
int ctr_cl_gemm_temp_bytes(size_t *bytes, ctr_dev *dev, const struct ctr_gemm *gemm);
int ctr_cl_gemm_bind(ctr_launch *launch);
int ctr_cl_gemm_run(ctr_launch *launch, double *seconds);
/* CLBlast forgets what it compiled for this device. */
void ctr_cl_blas_close(ctr_dev *dev);

#endif
