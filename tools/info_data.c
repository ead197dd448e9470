/* info_data.c -- arrays, archives, images and configurations, for `clcontrast info`. */
#include <stdio.h>
#include <string.h>

#include "data/image.h"
#include "info.h"
#include "io/npy.h"

/* "3 x 4", or "a single value" for a scalar. */
static void tell_shape(struct info *i, const struct ctr_npy *npy)
{
    struct ctr_str s = {0};
    for (unsigned k = 0; k < npy->rank; k++)
        ctr_str_addf(&s, "%s%llu", k ? " x " : "", (unsigned long long)npy->dims[k]);
    info_text(i, "shape", "%s", s.s ? s.s : "a single value");
    ctr_str_free(&s);
}

int info_npy(struct info *i, const void *bytes, size_t n, uint64_t size)
{
    struct ctr_npy npy;
    int rc = ctr_npy_parse(&npy, bytes, n);
    i->kind = "npy";
    if (rc != 0)
        return ctr_fail_in(rc, "%s", i->path);
    if (size - npy.data_at != npy.data_bytes)
        return ctr_fail(CTR_E_DATA, "'%s' has %llu bytes of data where its header needs %zu",
                        i->path, (unsigned long long)(size - npy.data_at), npy.data_bytes);
    info_text(i, "type", "%s", npy.descr);
    tell_shape(i, &npy);
    if (npy.fortran_order)
        info_text(i, "order", "Fortran");
    return 0;
}

/* ---- ZIP: the central directory, as in io/zip.c ---- */

static uint32_t number(const unsigned char *p, unsigned bytes)
{
    uint32_t v = 0;
    while (bytes-- > 0)
        v = v << 8 | p[bytes];
    return v;
}

/* The end record, which stands last but for a comment; NULL: cut off. */
static const unsigned char *find_end(const unsigned char *b, size_t n)
{
    for (size_t k = 22; k <= n && k < 22 + 65536; k++)
        if (memcmp(b + n - k, "PK\5\6", 4) == 0)
            return b + n - k;
    return NULL;
}

/* One member: its name, and of an array type and shape where it is stored as it is. */
static void tell_member(struct info *i, const unsigned char *entry, const unsigned char *b,
                        size_t n, const char *name)
{
    struct ctr_npy npy = {0};
    size_t at = number(entry + 42, 4), data = at + 30;
    int is_array = number(entry + 10, 2) == 0 && n >= 30 && at <= n - 30;
    if (is_array) {
        data += number(b + at + 26, 2) + number(b + at + 28, 2);
        is_array = data < n && ctr_npy_parse(&npy, b + data, n - data) == 0;
    }
    if (is_array)
        info_entry(i, name, npy.descr, npy.dims, npy.rank);
    else
        info_entry(i, name, "file", NULL, 0);
}

int info_zip(struct info *i, const void *bytes, size_t n)
{
    const unsigned char *b = bytes, *end = find_end(b, n);
    size_t at = end ? number(end + 16, 4) : 0, members = end ? number(end + 10, 2) : 0, arrays = 0;
    char name[256];
    for (size_t k = 0; end && k < members; k++) {
        size_t left = at < n ? n - at : 0, length = left >= 46 ? number(b + at + 28, 2) : 0;
        if (left < 46 + length || memcmp(b + at, "PK\1\2", 4) != 0) {
            end = NULL;
            break;
        }
        snprintf(name, sizeof name, "%.*s", (int)(length < 255 ? length : 255),
                 (const char *)b + at + 46);
        if (strstr(name, "data.pkl"))
            return info_safetensors(i); /* tells what a PyTorch file is, and how to convert it */
        size_t end_of_name = strlen(name); /* which a NUL may end earlier than its length */
        arrays += end_of_name > 4 && strcmp(name + end_of_name - 4, ".npy") == 0;
        tell_member(i, b + at, b, n, name);
        at += 46 + length + number(b + at + 30, 2) + number(b + at + 32, 2);
    }
    if (!end)
        return ctr_fail(CTR_E_DATA, "'%s' is a ZIP archive that is cut off", i->path);
    i->kind = members > 0 && arrays == members ? "npz" : "zip";
    info_int(i, "members", (long long)members);
    return 0;
}

/* ---- images ---- */

int info_image(struct info *i, const void *bytes, size_t n)
{
    struct ctr_image image = {0};
    int rc = ctr_image_decode(&image, bytes, n, 0);
    i->kind = "image";
    if (rc != 0)
        return ctr_fail_in(rc, "%s", i->path);
    info_text(i, "dimensions", "%u x %u", image.width, image.height);
    info_int(i, "channels", image.pixel.channels);
    info_int(i, "bits", 8 * (long long)image.pixel.bytes);
    if (image.pixel.alpha)
        info_text(i, "opacity", "in the last channel");
    ctr_image_free(&image);
    return 0;
}

/* ---- configurations ---- */

/* A line's key; 0 for blank lines and comments, -1 for what is no pair. */
static int key_length(const char *line, size_t n)
{
    size_t from = strspn(line, " \t");
    if (from >= n || line[from] == '#' || line[from] == '\r')
        return 0;
    size_t length = strspn(line + from, "abcdefghijklmnopqrstuvwxyz0123456789-_");
    size_t behind = from + length + strspn(line + from + length, " \t");
    return length > 0 && behind < n && line[behind] == '=' ? (int)length : -1;
}

int info_config(struct info *i, const void *bytes, size_t n)
{
    const char *line = bytes, *end = line + n;
    i->kind = "config";
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t length = newline ? (size_t)(newline - line) : (size_t)(end - line);
        int key = key_length(line, length);
        if (key < 0)
            return ctr_hint(ctr_fail(CTR_E_DATA, "'%s' is nothing that is known here", i->path),
                            "'clcontrast info --help' says what is");
        if (key > 0) {
            const char *equals = memchr(line, '=', length),
                       *value = equals + 1 + strspn(equals + 1, " \t");
            char *name = ctr_arena_alloc(&i->mem, (size_t)key + 1);
            if (!name)
                return CTR_E_FAIL;
            memcpy(name, line + strspn(line, " \t"), (size_t)key);
            info_text(i, name, "%.*s", (int)(line + length > value ? line + length - value : 0),
                      value);
        }
        line += length + 1;
    }
    return 0;
}
