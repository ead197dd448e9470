/* null.c -- a device without kernels: memory is host memory, launches are accepted and do nothing.
 *
 * For plans, tests and dry runs: everything that the front door checks and counts is checked and
 * counted, but results of launches and products are what was in the buffers before. */
#include "dev/impl.h"

#include <stdlib.h>
#include <string.h>

static void null_close(ctr_dev *dev)
{
    (void)dev;
}

static int null_finish(ctr_dev *dev)
{
    (void)dev;
    return 0;
}

static int null_buf_create(ctr_buf *buf)
{
    buf->impl = malloc(buf->bytes);
    if (!buf->impl)
        return ctr_fail(CTR_E_DEVMEM, "'%s' needs %zu bytes, host memory is exhausted", buf->what,
                        buf->bytes);
    return 0;
}

static int null_buf_view(ctr_buf *buf)
{
    buf->impl = (unsigned char *)buf->root->impl + buf->at;
    return 0;
}

static void null_buf_destroy(ctr_buf *buf)
{
    if (buf->root == buf)
        free(buf->impl);
}

static int null_buf_write(ctr_buf *dst, size_t at, const void *src, size_t bytes)
{
    memcpy((unsigned char *)dst->impl + at, src, bytes);
    return 0;
}

static int null_buf_read(void *dst, ctr_buf *src, size_t at, size_t bytes)
{
    memcpy(dst, (unsigned char *)src->impl + at, bytes);
    return 0;
}

static int null_buf_fill(ctr_buf *dst, size_t at, size_t bytes, uint32_t pattern)
{
    unsigned char *p = (unsigned char *)dst->impl + at;
    for (size_t i = 0; i < bytes; i += sizeof pattern)
        memcpy(p + i, &pattern, sizeof pattern);
    return 0;
}

static int null_prog_build(struct ctr_prog *prog)
{
    (void)prog;
    return 0;
}

static void null_prog_destroy(struct ctr_prog *prog)
{
    (void)prog;
}

static int null_bind(ctr_launch *launch)
{
    (void)launch;
    return 0;
}

static int null_run(ctr_launch *launch, double *seconds)
{
    (void)launch;
    if (seconds)
        *seconds = 0.0;
    return 0;
}

static void null_launch_destroy(ctr_launch *launch)
{
    (void)launch;
}

static int null_gemm_temp_bytes(size_t *bytes, ctr_dev *dev, const struct ctr_gemm *gemm)
{
    (void)dev;
    (void)gemm;
    *bytes = 0;
    return 0;
}

static const struct ctr_backend null_backend = {
    .close = null_close,
    .finish = null_finish,
    .buf_create = null_buf_create,
    .buf_view = null_buf_view,
    .buf_destroy = null_buf_destroy,
    .buf_write = null_buf_write,
    .buf_read = null_buf_read,
    .buf_fill = null_buf_fill,
    .prog_build = null_prog_build,
    .prog_destroy = null_prog_destroy,
    .launch_bind = null_bind,
    .launch_run = null_run,
    .launch_destroy = null_launch_destroy,
    .gemm_temp_bytes = null_gemm_temp_bytes,
    .gemm_bind = null_bind,
    .gemm_run = null_run,
};

int ctr_null_open(ctr_dev *dev)
{
    dev->backend = &null_backend;
    dev->caps = (struct ctr_caps){
        .name = "null",
        .vendor = "none",
        .driver = CTR_VERSION,
        .platform = "null",
        .family = CTR_FAMILY_CPU,
        .compute_units = 1,
        .max_group = 4096,
        .local_bytes = 1u << 20,
        .align_bytes = 256,
        .global_bytes = (uint64_t)1 << 40,
        .max_alloc_bytes = (uint64_t)1 << 38,
        .unified_memory = 1,
    };
    return 0;
}
