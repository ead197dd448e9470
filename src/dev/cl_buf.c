/* cl_buf.c -- OpenCL memory: buffers, sub-buffers as views, transfers.
 *
 * Small writes are copied into a staging block and enqueued without waiting, so that a training
 * step does not drain the queue for its scalars and batches; the block is free again whenever the
 * queue is known to be empty (finish, read). Bigger writes, and writes that no longer fit, wait. */
#include "dev/cl_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/os.h"

#define STAGING_BYTES ((size_t)8 << 20)
#define HUGE_BYTES    ((size_t)4 << 20) /* buffers from here on are worth pages of 2 MiB */

static int no_memory(ctr_buf *buf, cl_int err, const char *call)
{
    ctr_dev *dev = buf->dev;
    uint64_t total = dev->caps.global_bytes, live = dev->stats.live_bytes;
    return ctr_fail(CTR_E_DEVMEM,
                    "%s: %s (%d): '%s' needs %zu bytes; '%s' has %" PRIu64
                    " bytes of which %" PRIu64 " are in use here, %" PRIu64 " at most in one piece",
                    call, ctr_cl_error_name(err), err, buf->what, buf->bytes, dev->caps.name, total,
                    live, dev->caps.max_alloc_bytes);
}

static int buf_fail(ctr_buf *buf, cl_int err, const char *call)
{
    if (err == CL_MEM_OBJECT_ALLOCATION_FAILURE || err == CL_OUT_OF_RESOURCES ||
        err == CL_OUT_OF_HOST_MEMORY || err == CL_INVALID_BUFFER_SIZE)
        return no_memory(buf, err, call);
    return ctr_cl_fail(buf->dev, err, call, buf->what);
}

/* Where buffers are the host's own memory, mapping one tells where it lies. Elsewhere the mapping is a
 * copy, and asking is in vain. */
static void want_huge_pages(ctr_buf *buf)
{
    cl_int err;
    cl_command_queue queue = cl_of(buf->dev)->queue;
    void *p = clEnqueueMapBuffer(queue, buf->impl, CL_TRUE, CL_MAP_WRITE_INVALIDATE_REGION, 0,
                                 buf->bytes, 0, NULL, NULL, &err);
    if (err != CL_SUCCESS)
        return;
    ctr_huge_pages(p, buf->bytes);
    clEnqueueUnmapMemObject(queue, buf->impl, p, 0, NULL, NULL);
}

int ctr_cl_buf_create(ctr_buf *buf)
{
    cl_int err;
    cl_mem mem =
        clCreateBuffer(cl_of(buf->dev)->context, CL_MEM_READ_WRITE, buf->bytes, NULL, &err);
    if (err != CL_SUCCESS)
        return buf_fail(buf, err, "clCreateBuffer");
    buf->impl = mem;
    if (buf->dev->caps.family == CTR_FAMILY_CPU && buf->bytes >= HUGE_BYTES)
        want_huge_pages(buf);
    return 0;
}

int ctr_cl_buf_view(ctr_buf *buf)
{
    cl_int err;
    cl_buffer_region region = {.origin = buf->at, .size = buf->bytes};
    cl_mem mem = clCreateSubBuffer(buf->root->impl, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                   &region, &err);
    if (err != CL_SUCCESS)
        return buf_fail(buf, err, "clCreateSubBuffer");
    buf->impl = mem;
    return 0;
}

void ctr_cl_buf_destroy(ctr_buf *buf)
{
    if (buf->impl && !buf->dev->lost)
        clReleaseMemObject(buf->impl);
    buf->impl = NULL;
}

/* That of a lost device stays: the driver may still read it. */
void ctr_cl_staging_free(ctr_dev *dev)
{
    struct cl_staging *s = &cl_of(dev)->staging;
    if (s->host && !dev->lost)
        munmap(s->host, s->bytes);
    *s = (struct cl_staging){0};
}

void ctr_cl_staging_reset(ctr_dev *dev)
{
    cl_of(dev)->staging.used = 0;
}

/* Room for a copy of `bytes`, NULL when there is none without waiting. */
static void *stage(struct cl_state *cl, size_t bytes)
{
    struct cl_staging *s = &cl->staging;
    if (!s->host) { /* mapped: a lost device keeps it, and what was not used costs nothing */
        void *host = mmap(NULL, STAGING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0);
        s->host = host == MAP_FAILED ? NULL : host;
        s->bytes = s->host ? STAGING_BYTES : 0;
    }
    size_t need = (bytes + 63) & ~(size_t)63;
    if (need < bytes || need > s->bytes - s->used)
        return NULL;
    void *p = s->host + s->used;
    s->used += need;
    return p;
}

int ctr_cl_buf_write(ctr_buf *dst, size_t at, const void *src, size_t bytes)
{
    struct cl_state *cl = cl_of(dst->dev);
    void *copy = stage(cl, bytes);
    if (copy)
        src = memcpy(copy, src, bytes);
    cl_int err = clEnqueueWriteBuffer(cl->queue, dst->impl, copy ? CL_FALSE : CL_TRUE, at, bytes,
                                      src, 0, NULL, NULL);
    if (err != CL_SUCCESS)
        return ctr_cl_fail(dst->dev, err, "clEnqueueWriteBuffer", dst->what);
    if (!copy)
        ctr_cl_staging_reset(dst->dev);
    return 0;
}

int ctr_cl_buf_read(void *dst, ctr_buf *src, size_t at, size_t bytes)
{
    struct cl_state *cl = cl_of(src->dev);
    cl_int err = clEnqueueReadBuffer(cl->queue, src->impl, CL_TRUE, at, bytes, dst, 0, NULL, NULL);
    if (err != CL_SUCCESS)
        return ctr_cl_fail(src->dev, err, "clEnqueueReadBuffer", src->what);
    ctr_cl_staging_reset(src->dev);
    return 0;
}

int ctr_cl_buf_fill(ctr_buf *dst, size_t at, size_t bytes, uint32_t pattern)
{
    struct cl_state *cl = cl_of(dst->dev);
    cl_int err = clEnqueueFillBuffer(cl->queue, dst->impl, &pattern, sizeof pattern, at, bytes, 0,
                                     NULL, NULL);
    if (err != CL_SUCCESS)
        return ctr_cl_fail(dst->dev, err, "clEnqueueFillBuffer", dst->what);
    return 0;
}
