/* image_stb.c -- JPEG and PNG by stb_image, hardened: the one file that includes it.
 * In: bytes. Out: pixels of 8 bits. Invariants: no files, no GIF, HDR or other decoders; all memory is zeroed
 * (stb reads what a short file left unwritten) and capped by the size the header announces; what
 * comes back is checked before use. Ignores PNG checksums, unlike libpng.
 * The cap is counted in a thread-local variable, because stb's allocator hooks take no context. */
#include "data/image.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

#define HEAD 16 /* keeps malloc's alignment */

static _Thread_local size_t stb_left_bytes;

static void *capped_alloc(size_t n)
{
    if (n > stb_left_bytes)
        return NULL;
    unsigned char *p = calloc(n + HEAD, 1);
    if (!p)
        return NULL;
    memcpy(p, &n, sizeof n);
    stb_left_bytes -= n;
    return p + HEAD;
}

static void capped_free(void *ptr)
{
    size_t n;
    if (!ptr)
        return;
    unsigned char *p = (unsigned char *)ptr - HEAD;
    memcpy(&n, p, sizeof n);
    stb_left_bytes += n;
    free(p);
}

static void *capped_realloc(void *ptr, size_t old, size_t n)
{
    void *q = capped_alloc(n);
    if (q && ptr) {
        memcpy(q, ptr, old < n ? old : n);
        capped_free(ptr);
    }
    return q;
}

#define STBI_MALLOC(n)                  capped_alloc(n)
#define STBI_FREE(p)                    capped_free(p)
#define STBI_REALLOC_SIZED(p, old, new) capped_realloc(p, old, new)
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS CTR_IMAGE_MAX_SIDE
#define STBI_ASSERT(x)      ((void)0)
/* stb declares what it then does not define; gcc says so at the end of the file */
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>

/* A segment of Huffman tables: 16 counts and as many codes, at most 256 of them. */
static int huffman_sane(const uint8_t *p, size_t n)
{
    while (n >= 17) {
        size_t codes = 0;
        for (int i = 1; i <= 16; i++)
            codes += p[i];
        if (codes > 256 || codes > n - 17)
            return 0;
        p += 17 + codes;
        n -= 17 + codes;
    }
    return n == 0;
}

/* Frame header: sampling factors that divide the largest, as stb's upsampling assumes. */
static int frame_sane(const uint8_t *p, size_t n)
{
    unsigned h = 1, v = 1;
    if (n < 6 || n != 6 + 3 * (size_t)p[5])
        return 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < p[5]; i++) {
            unsigned hi = p[7 + 3 * i] >> 4, vi = p[7 + 3 * i] & 15;
            if (hi < 1 || hi > 4 || vi < 1 || vi > 4 || (pass && (h % hi || v % vi)))
                return 0;
            h = hi > h ? hi : h;
            v = vi > v ? vi : v;
        }
    return 1;
}

/* Follows the segments to the first scan; from there on every byte pair that could be read as a
 * marker is looked at, because stb may find its place in a broken scan differently. What comes
 * after the end marker is not read: cameras append other images there. */
static int check_jpeg(const uint8_t *p, size_t n)
{
    int frames = 0, scans = 0;
    for (size_t at = 2; at + 2 <= n;) {
        unsigned marker = p[at + 1];
        if (scans && p[at] == 0xff && marker == 0xd9)
            return 0;
        if (p[at] != 0xff || marker <= 0x01 || marker == 0xff ||
            (marker >= 0xd0 && marker <= 0xd9)) {
            at++;
            continue;
        }
        if (at + 4 > n)
            break;
        size_t length = (size_t)p[at + 2] << 8 | p[at + 3], room = n - at - 2;
        const uint8_t *body = p + at + 4;
        length = length > room ? room : length;
        if (length < 2 || (marker == 0xc4 && !huffman_sane(body, length - 2)) ||
            (marker >= 0xc0 && marker <= 0xc2 && (++frames > 1 || !frame_sane(body, length - 2))))
            return ctr_fail(CTR_E_DATA, "malformed JPEG tables");
        scans += marker == 0xda;
        at += scans ? 2 : 2 + length;
    }
    return ctr_fail(CTR_E_DATA, "truncated JPEG");
}

/* Pixels as 16-bit RGBA, the inflated rows, a resized copy of them, and tables. */
#define CAP_PER_PIXEL 32
#define CAP_BASE      ((size_t)16 << 20)

static int size(int *width, int *height, const void *bytes, size_t n)
{
    int c = 0;
    if (n > CTR_IMAGE_MAX_FILE)
        return ctr_fail(CTR_E_DATA, "file too large");
    stb_left_bytes = CAP_BASE;
    if (n >= 2 && memcmp(bytes, "\xff\xd8", 2) == 0 && check_jpeg(bytes, n) != 0)
        return CTR_E_DATA;
    if (!stbi_info_from_memory(bytes, (int)n, width, height, &c) || *width < 0 || *height < 0)
        return ctr_fail(CTR_E_DATA, "stb_image: %s", stbi_failure_reason());
    return ctr_image_check_size((unsigned)*width, (unsigned)*height);
}

int ctr_image_decode_stb(struct ctr_image *out, const void *bytes, size_t n)
{
    int width = 0, height = 0, w = 0, h = 0, c = 0, rc = size(&width, &height, bytes, n);
    if (rc != 0)
        return rc;
    stb_left_bytes = CAP_BASE + (size_t)width * (size_t)height * CAP_PER_PIXEL;
    uint8_t *pixels = stbi_load_from_memory(bytes, (int)n, &w, &h, &c, 0);
    if (!pixels) {
        const char *why = stbi_failure_reason();
        return ctr_fail(CTR_E_DATA, "stb_image: %s", why ? why : "cannot decode");
    }
    if (w != width || h != height || c < 1 || c > 4)
        rc = ctr_fail(CTR_E_DATA, "stb_image: size differs from the header");
    struct ctr_pixel pixel = {.channels = (unsigned)c, .bytes = 1, .alpha = c % 2 == 0};
    struct ctr_image image;
    if (rc == 0 && (rc = ctr_image_alloc(&image, (unsigned)w, (unsigned)h, pixel)) == 0) {
        memcpy(image.pixels, pixels, ctr_image_bytes(&image));
        *out = image;
    }
    capped_free(pixels);
    return rc;
}
