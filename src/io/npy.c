/* npy.c -- NumPy arrays. In: host arrays. Out: .npy files that numpy.load also maps. */
#include "io/npy.h"
#include "base/outfile.h"
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RANK = 8, PREFIX_BYTES = 10, ALIGN = 64 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "descr below says little-endian");

/* Magic, version, length, dictionary; padded so that the data is aligned to 64. */
int ctr_npy_header(struct ctr_str *s, const char *descr, const uint64_t *dims, unsigned rank)
{
    ctr_str_add(s, "\x93NUMPY\1\0\0\0", PREFIX_BYTES);
    ctr_str_addf(s, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (unsigned d = 0; d < rank; d++)
        ctr_str_addf(s,
                     d + 1 < rank ? "%llu, "
                     : rank == 1  ? "%llu,"
                                  : "%llu",
                     (unsigned long long)dims[d]);
    ctr_str_addf(s, "), }");
    while (!s->failed && (s->n + 1) % ALIGN != 0)
        ctr_str_add(s, " ", 1);
    ctr_str_add(s, "\n", 1);
    if (s->failed)
        return ctr_fail(CTR_E_FAIL, "out of host memory for an .npy header");
    size_t len = s->n - PREFIX_BYTES;
    s->s[8] = (char)(len & 0xff);
    s->s[9] = (char)(len >> 8);
    return 0;
}

int ctr_npy_write(struct ctr_outfile *file, const char *descr, const void *data,
                  const uint64_t *dims, unsigned rank)
{
    struct ctr_str s = {0};
    size_t size = strtoul(descr + 2, NULL, 10);
    for (unsigned d = 0; d < rank && rank <= MAX_RANK; d++)
        if (__builtin_mul_overflow(size, dims[d], &size))
            return ctr_fail(CTR_E_USAGE, "'%s': array size overflows", file->path);
    if (rank > MAX_RANK || (size > 0 && !data))
        return ctr_fail(CTR_E_USAGE, "'%s': rank above %d or no data", file->path, MAX_RANK);
    int rc = ctr_npy_header(&s, descr, dims, rank);
    if (rc == 0)
        rc = ctr_outfile_write(file, s.s, s.n);
    if (rc == 0)
        rc = ctr_outfile_write(file, data, size);
    ctr_str_free(&s);
    return rc;
}

/* ---- reading a header: a dictionary of Python, of which only three keys and plain values are known ---- */

/* Behind "'KEY':" and blanks, or NULL. */
static const char *value_of(const char *dict, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s':", key);
    const char *at = strstr(dict, quoted);
    return at ? at + strlen(quoted) + strspn(at + strlen(quoted), " ") : NULL;
}

/* "'<f4'": byte order, kind, digits. Objects and records are none of ours. */
static int parse_descr(struct ctr_npy *out, const char *at)
{
    size_t n = at && *at == '\'' ? strcspn(at + 1, "'") : 0;
    if (n < 3 || n >= sizeof out->descr || !strchr("<|=>", at[1]) || !strchr("biufcSUV", at[2]) ||
        strspn(at + 3, "0123456789") != n - 2)
        return ctr_fail(CTR_E_DATA, "the type of its values is none that is read here");
    memcpy(out->descr, at + 1, n);
    out->descr[n] = '\0';
    out->item_bytes = (size_t)strtoul(out->descr + 2, NULL, 10) * (out->descr[1] == 'U' ? 4 : 1);
    return 0;
}

/* "(3, 4)", "(3,)", "()". */
static int parse_shape(struct ctr_npy *out, const char *at)
{
    size_t count = 1;
    if (!at || *at++ != '(')
        return ctr_fail(CTR_E_DATA, "its header has no shape");
    for (at += strspn(at, " "); *at != ')'; at += strspn(at, ", ")) {
        char *end = NULL;
        unsigned long long dim = strtoull(at, &end, 10);
        if (end == at || *at == '-' || out->rank == MAX_RANK ||
            __builtin_mul_overflow(count, (size_t)dim, &count))
            return ctr_fail(CTR_E_DATA, "its shape is malformed or above %d dimensions", MAX_RANK);
        out->dims[out->rank++] = dim;
        at = end;
    }
    if (__builtin_mul_overflow(count, out->item_bytes, &out->data_bytes))
        return ctr_fail(CTR_E_DATA, "its size overflows");
    return 0;
}

int ctr_npy_parse(struct ctr_npy *out, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    struct ctr_npy npy = {0};
    if (n < PREFIX_BYTES + 2 || memcmp(b, "\x93NUMPY", 6) != 0 || b[6] < 1 || b[6] > 3)
        return ctr_fail(CTR_E_DATA, "it is no .npy file of version 1, 2 or 3");
    size_t at = b[6] == 1 ? PREFIX_BYTES : PREFIX_BYTES + 2, length = b[8] | (size_t)b[9] << 8;
    if (b[6] > 1)
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    if (length > CTR_NPY_HEADER_MAX || length > n - at)
        return ctr_fail(CTR_E_DATA, "it ends within its header");
    char *dict = strndup((const char *)b + at, length);
    if (!dict)
        return ctr_fail(CTR_E_FAIL, "out of host memory for an .npy header");
    const char *order = value_of(dict, "fortran_order");
    npy.data_at = at + length;
    npy.fortran_order = order && strncmp(order, "True", 4) == 0;
    int rc = parse_descr(&npy, value_of(dict, "descr"));
    if (rc == 0)
        rc = parse_shape(&npy, value_of(dict, "shape"));
    free(dict);
    if (rc == 0)
        *out = npy;
    return rc;
}
