/* safetensors_write.c -- writing safetensors files.
 *
 * In: tensors in any order, metadata in the order wanted. Out: a file that appears complete or not
 * at all. Follows huggingface/safetensors `prepare`: dtype descending, then name; header padded
 * with spaces to a multiple of 8, so that data of ours is always aligned to its element. */
#include "io/safetensors.h"
#include "base/mem.h"
#include "base/outfile.h"
#include "base/status.h"
#include "base/str.h"
#include "io/safetensors_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_STATIC_LINKING_ONLY /* a hash state on the stack */
#include <xxhash.h>

static int writable_text(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = ctr_str_utf8(p);
        if (n == 0)
            return 0;
        p += n;
    }
    return 1;
}

/* As serde_json writes strings: short escapes, other control characters as \u00xx, the rest raw.
 * Bytes that are no UTF-8 (a file's path may hold them) become U+FFFD. */
static void add_string(struct ctr_str *s, const char *text)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    ctr_str_add(s, "\"", 1);
    for (const char *p = text; *p;) {
        const char *known = strchr(from, *p);
        size_t n = ctr_str_utf8((const unsigned char *)p);
        if (known)
            ctr_str_addf(s, "\\%c", to[known - from]);
        else if ((unsigned char)*p < 0x20)
            ctr_str_addf(s, "\\u%04x", (unsigned char)*p);
        else
            ctr_str_add(s, n ? p : "\xef\xbf\xbd", n ? n : 3);
        p += n ? n : 1;
    }
    ctr_str_add(s, "\"", 1);
}

static int check_tensor(const struct ctr_st_tensor *t)
{
    if (!writable_text(t->name) || strcmp(t->name, "__metadata__") == 0)
        return ctr_fail(CTR_E_USAGE, "a tensor cannot be named '%s' in a safetensors file",
                        t->name);
    size_t size = ctr_st_dtype_bytes(t->dtype);
    if (size == 0 || t->rank > CTR_ST_MAX_RANK)
        return ctr_fail(CTR_E_USAGE, "tensor '%s': unknown dtype or rank above 8", t->name);
    for (unsigned d = 0; d < t->rank; d++)
        if (__builtin_mul_overflow(size, t->dims[d], &size))
            return ctr_fail(CTR_E_USAGE, "tensor '%s': shape overflows", t->name);
    if (size != t->bytes || (size > 0 && !t->data))
        return ctr_fail(CTR_E_USAGE, "tensor '%s': %zu bytes given where its shape needs %zu",
                        t->name, t->data ? t->bytes : 0, size);
    return 0;
}

static int check_meta(const struct ctr_st_meta *meta, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!writable_text(meta[i].key))
            return ctr_fail(CTR_E_USAGE, "metadata key '%s' is not UTF-8", meta[i].key);
        if (strcmp(meta[i].key, CTR_ST_SUM_KEY) == 0 ||
            strcmp(meta[i].key, CTR_ST_HEADER_SUM_KEY) == 0)
            return ctr_fail(CTR_E_USAGE, "metadata key '%s' is reserved", meta[i].key);
        for (size_t j = 0; j < i; j++)
            if (strcmp(meta[i].key, meta[j].key) == 0)
                return ctr_fail(CTR_E_USAGE, "metadata key '%s' is given twice", meta[i].key);
    }
    return 0;
}

static int file_order(const void *a, const void *b)
{
    const struct ctr_st_tensor *x = *(const struct ctr_st_tensor *const *)a;
    const struct ctr_st_tensor *y = *(const struct ctr_st_tensor *const *)b;
    if (x->dtype != y->dtype)
        return x->dtype > y->dtype ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int name_order(const void *a, const void *b)
{
    const struct ctr_st_tensor *x = *(const struct ctr_st_tensor *const *)a;
    const struct ctr_st_tensor *y = *(const struct ctr_st_tensor *const *)b;
    return strcmp(x->name, y->name);
}

/* Fills sorted[n] with pointers to the tensors in file order, all checked. */
static int sort_tensors(const struct ctr_st_tensor **sorted, const struct ctr_st_tensor *tensors,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int rc = check_tensor(&tensors[i]);
        if (rc != 0)
            return rc;
        sorted[i] = &tensors[i];
    }
    qsort(sorted, n, sizeof *sorted, name_order);
    for (size_t i = 1; i < n; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            return ctr_fail(CTR_E_USAGE, "tensor '%s' is given twice", sorted[i]->name);
    qsort(sorted, n, sizeof *sorted, file_order);
    return 0;
}

static uint64_t data_sum(const struct ctr_st_tensor *const *sorted, size_t n)
{
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    for (size_t i = 0; i < n; i++)
        if (sorted[i]->bytes)
            XXH64_update(&state, sorted[i]->data, sorted[i]->bytes);
    return XXH64_digest(&state);
}

static void add_meta(struct ctr_str *s, const char *key, const char *value, int *any)
{
    ctr_str_addf(s, *any ? "," : "\"__metadata__\":{");
    *any = 1;
    add_string(s, key);
    ctr_str_add(s, ":", 1);
    add_string(s, value);
}

static void add_tensor(struct ctr_str *s, const struct ctr_st_tensor *t, uint64_t begin)
{
    if (s->n > 1)
        ctr_str_add(s, ",", 1);
    add_string(s, t->name);
    ctr_str_addf(s, ":{\"dtype\":\"%s\",\"shape\":[", ctr_st_dtype_name(t->dtype));
    for (unsigned d = 0; d < t->rank; d++)
        ctr_str_addf(s, d ? ",%llu" : "%llu", (unsigned long long)t->dims[d]);
    ctr_str_addf(s, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin,
                 (unsigned long long)(begin + t->bytes));
}

static int build_header(struct ctr_str *s, const struct ctr_st_tensor *const *sorted,
                        const struct ctr_st_meta *meta, unsigned flags, size_t n, size_t n_meta)
{
    int any = 0;
    uint64_t at = 0;
    char digits[17];
    ctr_str_add(s, "{", 1);
    for (size_t i = 0; i < n_meta; i++)
        add_meta(s, meta[i].key, meta[i].value, &any);
    if ((flags & CTR_ST_SEALED) || !(flags & CTR_ST_PLAIN)) {
        snprintf(digits, sizeof digits, "%016llx", (unsigned long long)data_sum(sorted, n));
        add_meta(s, CTR_ST_SUM_KEY, digits, &any);
    }
    if (flags & CTR_ST_SEALED)
        add_meta(s, CTR_ST_HEADER_SUM_KEY, "0000000000000000", &any);
    size_t seal = s->n - 17; /* digits and the quote were added last */
    if (any)
        ctr_str_add(s, "}", 1);
    for (size_t i = 0; i < n; i++) {
        add_tensor(s, sorted[i], at);
        at += sorted[i]->bytes;
    }
    ctr_str_add(s, "}", 1);
    ctr_str_add(s, "       ", (8 - s->n % 8) % 8);
    if (s->failed)
        return ctr_fail(CTR_E_FAIL, "out of host memory for a safetensors header");
    if (s->n > CTR_ST_MAX_HEADER)
        return ctr_fail(CTR_E_USAGE, "safetensors header above 100 MB");
    if (flags & CTR_ST_SEALED) {
        snprintf(digits, sizeof digits, "%016llx",
                 (unsigned long long)ctr_st_header_sum(s->s, s->n));
        memcpy(s->s + seal, digits, 16);
    }
    return 0;
}

int ctr_st_write(const char *path, const struct ctr_st_tensor *tensors,
                 const struct ctr_st_meta *meta, unsigned flags, size_t n_tensors, size_t n_meta)
{
    int rc;
    struct ctr_str s = {0};
    struct ctr_outfile file = {.fd = -1};
    const struct ctr_st_tensor **sorted = ctr_alloc(n_tensors, sizeof *sorted);
    if (!sorted)
        return CTR_E_FAIL;
    CTR_TRY(sort_tensors(sorted, tensors, n_tensors));
    CTR_TRY(check_meta(meta, n_meta));
    CTR_TRY(build_header(&s, sorted, meta, flags, n_tensors, n_meta));
    uint64_t n = s.n;
    CTR_TRY(ctr_outfile_open(&file, path));
    rc = ctr_outfile_write(&file, &n, 8);
    if (rc == 0)
        rc = ctr_outfile_write(&file, s.s, s.n);
    for (size_t i = 0; rc == 0 && i < n_tensors; i++)
        rc = ctr_outfile_write(&file, sorted[i]->data, sorted[i]->bytes);
    if (rc == 0)
        rc = ctr_outfile_commit(&file);
    else
        ctr_outfile_abort(&file);
out:
    free(sorted);
    ctr_str_free(&s);
    return rc;
}
