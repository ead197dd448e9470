/* image.c -- tells an image's type by its first bytes, reads the simple formats itself.
 * In: the bytes of a file. Out: pixels. Invariant: no pixel memory before the size was checked.
 * PNM after netpbm's ppm(5), BMP after the BITMAPINFOHEADER layout. */
#include "data/image.h"
#include "base/mem.h"
#include "base/os.h"
#include "base/status.h"

#include <stdlib.h>
#include <string.h>

int ctr_image_check_size(unsigned long long width, unsigned long long height)
{
    if (width == 0 || height == 0)
        return ctr_fail(CTR_E_DATA, "empty image (%llu x %llu pixels)", width, height);
    if (width > CTR_IMAGE_MAX_SIDE || height > CTR_IMAGE_MAX_SIDE ||
        width * height > CTR_IMAGE_MAX_PIXELS)
        return ctr_fail(CTR_E_DATA, "too large (%llu x %llu pixels; at most %u a side, %u in all)",
                        width, height, CTR_IMAGE_MAX_SIDE, CTR_IMAGE_MAX_PIXELS);
    return 0;
}

int ctr_image_alloc(struct ctr_image *image, unsigned width, unsigned height, struct ctr_pixel pixel)
{
    struct ctr_image made = {NULL, width, height, pixel};
    if (ctr_image_bytes(&made) > CTR_IMAGE_MAX_BYTES)
        return ctr_fail(CTR_E_DATA, "too large (%zu bytes of pixels; at most %zu)",
                        ctr_image_bytes(&made), CTR_IMAGE_MAX_BYTES);
    made.pixels = ctr_alloc(ctr_image_bytes(&made), 1);
    if (!made.pixels)
        return CTR_E_FAIL;
    *image = made;
    return 0;
}

void ctr_image_free(struct ctr_image *image)
{
    free(image->pixels);
    *image = (struct ctr_image){0};
}

static const struct ctr_pixel rgb8 = {.channels = 3, .bytes = 1};

/* ---- PPM, PGM ---- */

struct pnm {
    unsigned width, height, max, channels;
    size_t data_at;
};

/* The next number of a PNM header, skipping blanks and # comments; 0 at the end or above 65535. */
static unsigned pnm_number(const uint8_t *p, size_t n, size_t *at)
{
    unsigned v = 0, digits = 0;
    while (*at < n && (p[*at] <= ' ' || p[*at] == '#')) {
        if (p[*at] == '#')
            while (*at < n && p[*at] != '\n')
                ++*at;
        else
            ++*at;
    }
    while (*at < n && p[*at] >= '0' && p[*at] <= '9' && digits++ < 5)
        v = v * 10 + (p[(*at)++] - '0');
    return digits <= 5 && v <= 65535 ? v : 0;
}

static int pnm_header(struct pnm *h, const uint8_t *p, size_t n)
{
    size_t at = 2;
    h->channels = p[1] == '6' ? 3 : 1;
    h->width = pnm_number(p, n, &at);
    h->height = pnm_number(p, n, &at);
    h->max = pnm_number(p, n, &at);
    h->data_at = at + 1;
    if (h->max == 0 || at >= n || p[at] > ' ')
        return ctr_fail(CTR_E_DATA, "malformed PNM header");
    return ctr_image_check_size(h->width, h->height);
}

static struct ctr_image pnm_image(const struct pnm *h)
{
    return (struct ctr_image){.width = h->width,
                              .height = h->height,
                              .pixel = {.channels = h->channels, .bytes = h->max > 255 ? 2 : 1}};
}

static int pnm_decode(struct ctr_image *out, const uint8_t *p, size_t n)
{
    struct pnm h;
    int rc = pnm_header(&h, p, n);
    if (rc != 0)
        return rc;
    struct ctr_image image = pnm_image(&h);
    const unsigned wide = image.pixel.bytes, full = wide == 2 ? 65535 : 255;
    size_t samples = (size_t)h.width * h.height * h.channels;
    if (n < h.data_at || n - h.data_at < samples * wide)
        return ctr_fail(CTR_E_DATA, "truncated PNM (%zu of %zu pixel bytes)",
                        n < h.data_at ? 0 : n - h.data_at, samples * wide);
    if ((rc = ctr_image_alloc(&image, h.width, h.height, image.pixel)) != 0)
        return rc;
    p += h.data_at;
    for (size_t i = 0; i < samples; i++) {
        unsigned v = wide == 2 ? (unsigned)p[2 * i] << 8 | p[2 * i + 1] : p[i];
        v = v >= h.max ? full : (v * full + h.max / 2) / h.max;
        if (wide == 2)
            ((uint16_t *)image.pixels)[i] = (uint16_t)v;
        else
            image.pixels[i] = (uint8_t)v;
    }
    *out = image;
    return 0;
}

/* ---- BMP ---- */

struct bmp {
    unsigned width, height, bytes_per_pixel;
    int top_down;
    size_t data_at;
};

static uint32_t le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int bmp_header(struct bmp *h, const uint8_t *p, size_t n)
{
    if (n < 54 || le32(p + 14) < 40)
        return ctr_fail(CTR_E_DATA, "malformed BMP header");
    unsigned bits = p[28] | (unsigned)p[29] << 8, compression = le32(p + 30);
    int64_t height = (int32_t)le32(p + 22);
    if ((bits != 24 && bits != 32) || compression != 0)
        return ctr_fail(CTR_E_DATA, "unsupported BMP (%u bits, compression %u; 24 or 32 bits only)",
                        bits, compression);
    h->top_down = height < 0;
    h->width = le32(p + 18);
    h->height = (unsigned)(height < 0 ? -height : height);
    h->bytes_per_pixel = bits / 8;
    h->data_at = le32(p + 10);
    return ctr_image_check_size(h->width, h->height);
}

static int bmp_decode(struct ctr_image *out, const uint8_t *p, size_t n)
{
    struct bmp h;
    int rc = bmp_header(&h, p, n);
    if (rc != 0)
        return rc;
    size_t pitch = ((size_t)h.width * h.bytes_per_pixel + 3) & ~(size_t)3;
    if (h.data_at > n || n - h.data_at < pitch * h.height)
        return ctr_fail(CTR_E_DATA, "truncated BMP");
    struct ctr_image image;
    if ((rc = ctr_image_alloc(&image, h.width, h.height, rgb8)) != 0)
        return rc;
    for (unsigned y = 0; y < h.height; y++) {
        const uint8_t *row = p + h.data_at + pitch * (h.top_down ? y : h.height - 1 - y);
        uint8_t *to = image.pixels + (size_t)y * h.width * 3;
        for (unsigned x = 0; x < h.width; x++, row += h.bytes_per_pixel, to += 3) {
            to[0] = row[2];
            to[1] = row[1];
            to[2] = row[0];
        }
    }
    *out = image;
    return 0;
}

/* ---- by content ---- */

enum kind { UNKNOWN, JPEG, PNG, BMP, PNM, TIFF_FILE };

static enum kind kind_of(const uint8_t *p, size_t n)
{
    if (n >= 3 && p[0] == 0xff && p[1] == 0xd8 && p[2] == 0xff)
        return JPEG;
    if (n >= 8 && memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0)
        return PNG;
    if (n >= 2 && p[0] == 'B' && p[1] == 'M')
        return BMP;
    if (n >= 3 && p[0] == 'P' && (p[1] == '5' || p[1] == '6') && p[2] <= ' ')
        return PNM;
    if (n >= 4 && (memcmp(p, "II*\0", 4) == 0 || memcmp(p, "MM\0*", 4) == 0 ||
                   memcmp(p, "II+\0", 4) == 0 || memcmp(p, "MM\0+", 4) == 0))
        return TIFF_FILE;
    return UNKNOWN;
}

static int unknown(const uint8_t *p, size_t n)
{
    const char *what = "not an image this program reads (JPEG, PNG, TIFF, BMP, PPM, PGM)";
    if (n == 0)
        what = "empty file";
    else if (n >= 6 && memcmp(p, "GIF8", 4) == 0)
        what = "GIF image, not supported";
    else if (n >= 12 && memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WEBP", 4) == 0)
        what = "WebP image, not supported";
    else if (n >= 3 && p[0] == 'P' && p[1] >= '1' && p[1] <= '4' && p[2] <= ' ')
        what = "PNM as text or bitmap, not supported (binary P5 and P6 only)";
    else if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b)
        what = "gzip archive, not unpacked here";
    return ctr_fail(CTR_E_DATA, "%s", what);
}

/* From the first SOF marker; 1 when found. All decoders check again as they read. */
static int jpeg_header(struct ctr_image *out, const uint8_t *p, size_t n)
{
    size_t at = 2;
    while (at + 4 <= n) {
        if (p[at] != 0xff)
            return 0;
        unsigned marker = p[at + 1];
        if (marker == 0xff) {
            at++;
            continue;
        }
        if (marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
            at += 2;
            continue;
        }
        if (marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 &&
            marker != 0xcc) {
            if (at + 10 > n)
                return 0;
            out->height = (unsigned)p[at + 5] << 8 | p[at + 6];
            out->width = (unsigned)p[at + 7] << 8 | p[at + 8];
            out->pixel.channels = p[at + 9] == 1 ? 1 : 3; /* CMYK becomes RGB */
            return 1;
        }
        at += 2 + ((size_t)p[at + 2] << 8 | p[at + 3]);
    }
    return 0;
}

static int png_header(struct ctr_image *out, const uint8_t *p, size_t n)
{
    if (n < 26 || memcmp(p + 12, "IHDR", 4) != 0)
        return 0;
    unsigned depth = p[24], colour = p[25];
    out->width = (uint32_t)p[16] << 24 | (uint32_t)p[17] << 16 | (uint32_t)p[18] << 8 | p[19];
    out->height = (uint32_t)p[20] << 24 | (uint32_t)p[21] << 16 | (uint32_t)p[22] << 8 | p[23];
    out->pixel.alpha = colour == 4 || colour == 6;
    out->pixel.channels = (colour == 0 || colour == 4 ? 1 : 3) + (unsigned)out->pixel.alpha;
    out->pixel.bytes = depth == 16 ? 2 : 1;
    return 1;
}

int ctr_image_header(struct ctr_image *out, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    struct pnm pnm;
    struct bmp bmp;
    struct ctr_image h = {.pixel = rgb8};
    int rc = 0;
    switch (kind_of(p, n)) {
    case JPEG:
        if (!jpeg_header(&h, p, n))
            rc = ctr_fail(CTR_E_DATA, "malformed JPEG header");
        break;
    case PNG:
        if (!png_header(&h, p, n))
            rc = ctr_fail(CTR_E_DATA, "malformed PNG header");
        break;
    case BMP:
        if ((rc = bmp_header(&bmp, p, n)) == 0)
            h = (struct ctr_image){NULL, bmp.width, bmp.height, rgb8};
        break;
    case PNM:
        if ((rc = pnm_header(&pnm, p, n)) == 0)
            h = pnm_image(&pnm);
        break;
    case TIFF_FILE:
        rc = ctr_image_header_tiff(&h, p, n);
        break;
    default:
        rc = unknown(p, n);
    }
    if (rc == 0)
        rc = ctr_image_check_size(h.width, h.height);
    if (rc == 0)
        *out = h;
    return rc;
}

int ctr_image_decode(struct ctr_image *out, const void *bytes, size_t n, unsigned want)
{
    struct ctr_image header;
    int rc = ctr_image_header(&header, bytes, n);
    if (rc != 0)
        return rc;
    switch (kind_of(bytes, n)) {
    case JPEG:
#ifdef CTR_HAVE_JPEG
        return ctr_image_decode_jpeg(out, bytes, n, want);
#else
        return ctr_image_decode_stb(out, bytes, n);
#endif
    case PNG:
#ifdef CTR_HAVE_PNG
        return ctr_image_decode_png(out, bytes, n);
#else
        return ctr_image_decode_stb(out, bytes, n);
#endif
    case BMP:
        return bmp_decode(out, bytes, n);
    case TIFF_FILE:
        return ctr_image_decode_tiff(out, bytes, n);
    default:
        return pnm_decode(out, bytes, n);
    }
}

int ctr_image_read(struct ctr_image *out, const char *path, unsigned size, unsigned channels,
                   unsigned bytes)
{
    struct ctr_image image = {0};
    void *file = NULL;
    size_t n = 0;
    int rc = ctr_file_read(&file, &n, path, CTR_IMAGE_MAX_FILE);
    if (rc != 0)
        return rc;
    rc = ctr_image_decode(&image, file, n, size);
    if (rc == 0)
        rc = ctr_image_fit(&image, size);
    if (rc == 0)
        rc = ctr_image_convert(&image, channels, bytes);
    free(file);
    if (rc != 0) {
        ctr_image_free(&image);
        return ctr_fail_in(rc, "cannot read '%s' as an image", path);
    }
    *out = image;
    return 0;
}
