/* png.c -- PNG files by stb_image_write, compiled here and static: deterministic bytes whatever
 * else is installed. In: pixels. Out: an encoded buffer or file.
 * stb goes on without memory that it does not get: its blocks are kept in a list, and a jump ends the encoding.
 * The list is thread-local, because stb's allocator hooks take no context. */
#include "io/png.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "base/status.h"

#include <limits.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *before, *after;
    max_align_t data[];
};

static _Thread_local struct {
    struct block *last;
    jmp_buf none_left;
} stb;

static void *take(void *old, size_t n)
{
    struct block *b = old ? (struct block *)((char *)old - offsetof(struct block, data)) : NULL;
    struct block *grown = realloc(b, sizeof *b + n);
    if (!grown)
        longjmp(stb.none_left, 1);
    if (!b)
        *grown = (struct block){.before = stb.last};
    if (grown->before)
        grown->before->after = grown;
    if (grown->after)
        grown->after->before = grown;
    else
        stb.last = grown;
    return grown->data;
}

static void give_back(void *p)
{
    if (!p)
        return;
    struct block *b = (struct block *)((char *)p - offsetof(struct block, data));
    if (b->before)
        b->before->after = b->after;
    if (b->after)
        b->after->before = b->before;
    else
        stb.last = b->before;
    free(b);
}

#define STBIW_MALLOC(n)     take(NULL, n)
#define STBIW_REALLOC(p, n) take(p, n)
#define STBIW_FREE(p)       give_back(p)
#define STBIW_ASSERT(x)     ((void)0)
/* Not STBI_WRITE_NO_STDIO: the header then declares a static function it does not define. */
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb/stb_image_write.h>

struct sink {
    void *data;
    size_t bytes;
    int rc;
};

static void sink_write(void *user, void *data, int size)
{
    struct sink *sink = user;
    size_t n = (size_t)size;
    sink->data = ctr_alloc(n, 1);
    if (!sink->data) {
        sink->rc = CTR_E_FAIL;
        return;
    }
    memcpy(sink->data, data, n);
    sink->bytes = n;
}

/* Never part of its caller, which a jump returns to with what it had in registers. */
__attribute__((noinline)) static int run_stb(struct sink *sink, const uint8_t *pixels, int width,
                                             int height, int channels, int stride_bytes)
{
    return stbi_write_png_to_func(sink_write, sink, width, height, channels, pixels, stride_bytes);
}

/* 0: there is not enough memory. */
static int encode(struct sink *sink, const uint8_t *pixels, int width, int height, int channels,
                  int stride_bytes)
{
    stb.last = NULL;
    if (setjmp(stb.none_left) == 0)
        return run_stb(sink, pixels, width, height, channels, stride_bytes);
    while (stb.last)
        give_back(stb.last->data);
    return 0;
}

int ctr_png_encode(void **out, size_t *bytes, const uint8_t *pixels, unsigned width,
                   unsigned height, unsigned channels, size_t stride_bytes)
{
    struct sink sink = {0};
    size_t row = (size_t)width * channels;
    if (stride_bytes == 0)
        stride_bytes = row;
    if (!pixels || width == 0 || height == 0 || (channels != 1 && channels != 3))
        return ctr_fail(CTR_E_USAGE, "cannot make a PNG of %ux%u pixels, %u channels", width,
                        height, channels);
    /* stb counts in int: filtered rows, zlib's worst case and headers have to stay below it. */
    if (stride_bytes < row || stride_bytes > INT_MAX || row + 1 > INT_MAX / 2 / height)
        return ctr_fail(CTR_E_USAGE, "a PNG of %ux%u pixels is too large", width, height);
    if (!encode(&sink, pixels, (int)width, (int)height, (int)channels, (int)stride_bytes) &&
        sink.rc == 0)
        sink.rc =
            ctr_fail(CTR_E_FAIL, "out of host memory for a PNG of %ux%u pixels", width, height);
    if (sink.rc != 0) {
        free(sink.data);
        return sink.rc;
    }
    *out = sink.data;
    *bytes = sink.bytes;
    return 0;
}

int ctr_png_write(const char *path, const uint8_t *pixels, unsigned width, unsigned height,
                  unsigned channels, size_t stride_bytes)
{
    void *data = NULL;
    size_t n = 0;
    int rc = ctr_png_encode(&data, &n, pixels, width, height, channels, stride_bytes);
    if (rc == 0)
        rc = ctr_file_write(path, data, n);
    free(data);
    return rc;
}
