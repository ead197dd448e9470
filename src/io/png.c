/* png.c -- PNG files by stb_image_write, compiled here and static: deterministic bytes whatever
 * else is installed. In: pixels. Out: an encoded buffer or file. */
#include "io/png.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/status.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

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
    if (!stbi_write_png_to_func(sink_write, &sink, (int)width, (int)height, (int)channels, pixels,
                                (int)stride_bytes) &&
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
