/* safetensors_header.c -- strict parser for the header of a safetensors file.
 *
 * In: the header's text and the size of the data after it. Out: tensors in file order, metadata.
 * Invariants: memory stays in proportion to the text, never to a number in it; the tensors cover
 * the data without hole or overlap. A parser of its own rather than a JSON library's tree: a
 * hostile header of 100 MB would become gigabytes there. What it accepts is what
 * huggingface/safetensors `Metadata::validate` accepts, less nulls, NULs in names and unknown
 * fields. */
#include "io/safetensors_header.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* a hash state on the stack */
#include <xxhash.h>

static const struct {
    const char *name;
    size_t bytes;
} dtypes[CTR_ST_DTYPES] = {
    [CTR_ST_BOOL] = {"BOOL", 1},       [CTR_ST_U8] = {"U8", 1},
    [CTR_ST_I8] = {"I8", 1},           [CTR_ST_F8_E5M2] = {"F8_E5M2", 1},
    [CTR_ST_F8_E4M3] = {"F8_E4M3", 1}, [CTR_ST_I16] = {"I16", 2},
    [CTR_ST_U16] = {"U16", 2},         [CTR_ST_F16] = {"F16", 2},
    [CTR_ST_BF16] = {"BF16", 2},       [CTR_ST_I32] = {"I32", 4},
    [CTR_ST_U32] = {"U32", 4},         [CTR_ST_F32] = {"F32", 4},
    [CTR_ST_C64] = {"C64", 8},         [CTR_ST_F64] = {"F64", 8},
    [CTR_ST_I64] = {"I64", 8},         [CTR_ST_U64] = {"U64", 8},
};

const char *ctr_st_dtype_name(enum ctr_st_dtype dtype)
{
    return (unsigned)dtype < CTR_ST_DTYPES ? dtypes[dtype].name : NULL;
}

size_t ctr_st_dtype_bytes(enum ctr_st_dtype dtype)
{
    return (unsigned)dtype < CTR_ST_DTYPES ? dtypes[dtype].bytes : 0;
}

/* The NUL after the text stops every rule below: no other bounds check is needed. */
struct parser {
    char *p;
    const char *start, *path;
};

static int bad(const struct parser *ps, const char *what)
{
    return ctr_fail(CTR_E_MODEL, "'%s': safetensors header, byte %zu: %s", ps->path,
                    (size_t)(ps->p - ps->start), what);
}

static void skip_space(struct parser *ps)
{
    while (*ps->p == ' ' || *ps->p == '\n' || *ps->p == '\t' || *ps->p == '\r')
        ps->p++;
}

/* Takes `c` after white space, or says no without a failure. */
static int take(struct parser *ps, char c)
{
    skip_space(ps);
    if (*ps->p != c)
        return 0;
    ps->p++;
    return 1;
}

static int hex4(unsigned *out, const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;
        if (d > 15)
            return -1;
        v = v * 16 + d;
    }
    *out = v;
    return 0;
}

static char *put_utf8(char *w, unsigned c)
{
    if (c < 0x80) {
        *w++ = (char)c;
    } else if (c < 0x800) {
        *w++ = (char)(0xc0 | c >> 6);
        *w++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *w++ = (char)(0xe0 | c >> 12);
        *w++ = (char)(0x80 | (c >> 6 & 0x3f));
        *w++ = (char)(0x80 | (c & 0x3f));
    } else {
        *w++ = (char)(0xf0 | c >> 18);
        *w++ = (char)(0x80 | (c >> 12 & 0x3f));
        *w++ = (char)(0x80 | (c >> 6 & 0x3f));
        *w++ = (char)(0x80 | (c & 0x3f));
    }
    return w;
}

/* The escape after a backslash at ps->p; writes at *w, which never overtakes ps->p. */
static int unescape(struct parser *ps, char **w)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = ps->p[1];
    const char *known = c ? strchr(from, c) : NULL;
    if (known) {
        *(*w)++ = to[known - from];
        ps->p += 2;
        return 0;
    }
    unsigned code, low;
    if (c != 'u' || hex4(&code, ps->p + 2) != 0)
        return bad(ps, "invalid escape");
    size_t used = 6;
    if (code >= 0xd800 && code < 0xdc00) {
        if (ps->p[6] != '\\' || ps->p[7] != 'u' || hex4(&low, ps->p + 8) != 0 || low < 0xdc00 ||
            low > 0xdfff)
            return bad(ps, "lone surrogate");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        used = 12;
    } else if (code >= 0xdc00 && code < 0xe000) {
        return bad(ps, "lone surrogate");
    } else if (code == 0) {
        return bad(ps, "NUL in a string");
    }
    *w = put_utf8(*w, code);
    ps->p += used;
    return 0;
}

static int parse_string(const char **out, struct parser *ps)
{
    if (!take(ps, '"'))
        return bad(ps, "expected a string");
    char *start = ps->p, *w = ps->p;
    while (*ps->p != '"') {
        size_t n = ctr_str_utf8((const unsigned char *)ps->p);
        if (n == 0)
            return bad(ps, "invalid UTF-8");
        if ((unsigned char)*ps->p < 0x20)
            return bad(ps, "control character or end of header in a string");
        if (*ps->p == '\\') {
            int rc = unescape(ps, &w);
            if (rc != 0)
                return rc;
            continue;
        }
        while (n-- > 0)
            *w++ = *ps->p++;
    }
    ps->p++;
    *w = '\0'; /* at the closing quote or before it */
    *out = start;
    return 0;
}

static int parse_uint(uint64_t *out, struct parser *ps)
{
    skip_space(ps);
    uint64_t v = 0;
    if (*ps->p < '0' || *ps->p > '9' || (*ps->p == '0' && ps->p[1] >= '0' && ps->p[1] <= '9'))
        return bad(ps, "expected a non-negative integer");
    for (; *ps->p >= '0' && *ps->p <= '9'; ps->p++)
        if (__builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*ps->p - '0'), &v))
            return bad(ps, "number too large");
    *out = v;
    return 0;
}

static int parse_uints(unsigned *n, uint64_t *out, struct parser *ps, unsigned max)
{
    int rc;
    if (!take(ps, '['))
        return bad(ps, "expected an array of integers");
    if (take(ps, ']'))
        return 0;
    do {
        if (*n == max)
            return bad(ps, "array too long");
        if ((rc = parse_uint(&out[(*n)++], ps)) != 0)
            return rc;
    } while (take(ps, ','));
    return take(ps, ']') ? 0 : bad(ps, "expected ',' or ']'");
}

static int parse_dtype(enum ctr_st_dtype *out, struct parser *ps)
{
    const char *name;
    int rc = parse_string(&name, ps);
    if (rc != 0)
        return rc;
    for (unsigned i = 0; i < CTR_ST_DTYPES; i++)
        if (strcmp(name, dtypes[i].name) == 0) {
            *out = (enum ctr_st_dtype)i;
            return 0;
        }
    return bad(ps, "unknown dtype");
}

static int parse_entry(struct ctr_st_entry *e, struct parser *ps)
{
    enum { DTYPE = 1, SHAPE = 2, OFFSETS = 4 };
    unsigned seen = 0, two = 0;
    uint64_t offsets[2];
    if (!take(ps, '{'))
        return bad(ps, "expected a tensor's description");
    do {
        const char *key;
        int rc = parse_string(&key, ps);
        if (rc != 0)
            return rc;
        unsigned field = strcmp(key, "dtype") == 0          ? DTYPE
                         : strcmp(key, "shape") == 0        ? SHAPE
                         : strcmp(key, "data_offsets") == 0 ? OFFSETS
                                                            : 0;
        if (field == 0 || (seen & field))
            return bad(ps, field ? "duplicate field" : "unknown field");
        if (!take(ps, ':'))
            return bad(ps, "expected ':'");
        seen |= field;
        rc = field == DTYPE   ? parse_dtype(&e->tensor.dtype, ps)
             : field == SHAPE ? parse_uints(&e->tensor.rank, e->tensor.dims, ps, CTR_ST_MAX_RANK)
                              : parse_uints(&two, offsets, ps, 2);
        if (rc != 0)
            return rc;
    } while (take(ps, ','));
    if (!take(ps, '}'))
        return bad(ps, "expected ',' or '}'");
    if (seen != (DTYPE | SHAPE | OFFSETS) || two != 2)
        return bad(ps, "a tensor needs dtype, shape and two data_offsets");
    e->begin = offsets[0];
    e->end = offsets[1];
    return 0;
}

static int parse_meta(struct ctr_st_header *h, struct parser *ps)
{
    if (!take(ps, '{'))
        return bad(ps, "expected an object of strings");
    if (take(ps, '}'))
        return 0;
    do {
        int rc = ctr_grow((void **)&h->meta, &h->cap_meta, h->n_meta + 1, sizeof *h->meta);
        if (rc != 0)
            return rc;
        struct ctr_st_meta *m = &h->meta[h->n_meta];
        if ((rc = parse_string(&m->key, ps)) != 0)
            return rc;
        if (!take(ps, ':'))
            return bad(ps, "expected ':'");
        if ((rc = parse_string(&m->value, ps)) != 0)
            return rc;
        h->n_meta++;
    } while (take(ps, ','));
    return take(ps, '}') ? 0 : bad(ps, "expected ',' or '}'");
}

static int parse_member(struct ctr_st_header *h, int *seen_meta, struct parser *ps)
{
    const char *name;
    int rc = parse_string(&name, ps);
    if (rc != 0)
        return rc;
    if (!take(ps, ':'))
        return bad(ps, "expected ':'");
    if (strcmp(name, "__metadata__") == 0) {
        if ((*seen_meta)++)
            return bad(ps, "duplicate __metadata__");
        return parse_meta(h, ps);
    }
    if ((rc = ctr_grow((void **)&h->entries, &h->cap, h->n + 1, sizeof *h->entries)) != 0)
        return rc;
    h->entries[h->n].tensor.name = name;
    return parse_entry(&h->entries[h->n++], ps);
}

static int parse_all(struct ctr_st_header *h, struct parser *ps)
{
    int rc, seen_meta = 0;
    if (*ps->p != '{')
        return bad(ps, "does not begin with '{'");
    ps->p++;
    if (!take(ps, '}')) {
        do {
            if ((rc = parse_member(h, &seen_meta, ps)) != 0)
                return rc;
        } while (take(ps, ','));
        if (!take(ps, '}'))
            return bad(ps, "expected ',' or '}'");
    }
    while (*ps->p == ' ')
        ps->p++;
    return 0;
}

static int by_begin(const void *a, const void *b)
{
    const struct ctr_st_entry *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end < y->end ? -1 : 1;
    return strcmp(x->tensor.name, y->tensor.name);
}

static int by_name(const void *a, const void *b, void *entries)
{
    const struct ctr_st_entry *e = entries;
    return strcmp(e[*(const size_t *)a].tensor.name, e[*(const size_t *)b].tensor.name);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct ctr_st_meta *)a)->key, ((const struct ctr_st_meta *)b)->key);
}

/* Sizes fit shapes, and the data is covered from its first byte to its last. */
static int check_entries(struct ctr_st_header *h, const char *path, uint64_t data_bytes)
{
    uint64_t at = 0;
    if (h->n)
        qsort(h->entries, h->n, sizeof *h->entries, by_begin);
    for (size_t i = 0; i < h->n; i++) {
        struct ctr_st_entry *e = &h->entries[i];
        uint64_t size = 1;
        for (unsigned d = 0; d < e->tensor.rank; d++)
            if (__builtin_mul_overflow(size, e->tensor.dims[d], &size))
                return ctr_fail(CTR_E_MODEL, "'%s': the shape of tensor '%s' overflows", path,
                                e->tensor.name);
        if (__builtin_mul_overflow(size, dtypes[e->tensor.dtype].bytes, &size))
            return ctr_fail(CTR_E_MODEL, "'%s': the size of tensor '%s' overflows", path,
                            e->tensor.name);
        if (e->begin != at || e->end < e->begin)
            return ctr_fail(CTR_E_MODEL, "'%s': tensor '%s' leaves a hole or overlaps (at %llu)",
                            path, e->tensor.name, (unsigned long long)e->begin);
        if (e->end - e->begin != size)
            return ctr_fail(
                CTR_E_MODEL, "'%s': tensor '%s' has %llu bytes where its shape needs %llu", path,
                e->tensor.name, (unsigned long long)(e->end - e->begin), (unsigned long long)size);
        e->tensor.bytes = (size_t)size;
        at = e->end;
    }
    if (at != data_bytes)
        return ctr_fail(CTR_E_MODEL, "'%s': has %llu bytes of data where its header needs %llu",
                        path, (unsigned long long)data_bytes, (unsigned long long)at);
    return 0;
}

static int check_names(struct ctr_st_header *h, const char *path)
{
    h->by_name = ctr_alloc(h->n, sizeof *h->by_name);
    if (!h->by_name)
        return CTR_E_FAIL;
    for (size_t i = 0; i < h->n; i++)
        h->by_name[i] = i;
    if (h->n)
        qsort_r(h->by_name, h->n, sizeof *h->by_name, by_name, h->entries);
    for (size_t i = 1; i < h->n; i++)
        if (by_name(&h->by_name[i - 1], &h->by_name[i], h->entries) == 0)
            return ctr_fail(CTR_E_MODEL, "'%s': tensor '%s' appears twice", path,
                            h->entries[h->by_name[i]].tensor.name);
    if (h->n_meta)
        qsort(h->meta, h->n_meta, sizeof *h->meta, by_key);
    for (size_t i = 1; i < h->n_meta; i++)
        if (by_key(&h->meta[i - 1], &h->meta[i]) == 0)
            return ctr_fail(CTR_E_MODEL, "'%s': metadata key '%s' appears twice", path,
                            h->meta[i].key);
    return 0;
}

int ctr_st_header_parse(struct ctr_st_header *header, char *text, const char *path, size_t bytes,
                        uint64_t data_bytes)
{
    struct parser ps = {.p = text, .start = text, .path = path};
    int rc = parse_all(header, &ps);
    if (rc == 0 && (size_t)(ps.p - text) != bytes)
        rc = bad(&ps, "text after the closing '}'");
    if (rc == 0)
        rc = check_entries(header, path, data_bytes);
    return rc == 0 ? check_names(header, path) : rc;
}

void ctr_st_header_free(struct ctr_st_header *header)
{
    free(header->entries);
    free(header->by_name);
    free(header->meta);
    *header = (struct ctr_st_header){0};
}

uint64_t ctr_st_header_sum(const char *text, size_t bytes)
{
    /* Unescaped quotes: no name or value can look like this. */
    static const char key[] = "\"" CTR_ST_HEADER_SUM_KEY "\":\"";
    const size_t digits = 16;
    const char *at = memmem(text, bytes, key, sizeof key - 1);
    size_t before = at ? (size_t)(at - text) + sizeof key - 1 : bytes;
    if (!at || bytes - before < digits)
        return XXH64(text, bytes, 0);
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    XXH64_update(&state, text, before);
    XXH64_update(&state, "0000000000000000", digits);
    XXH64_update(&state, text + before + digits, bytes - before - digits);
    return XXH64_digest(&state);
}
