/* safetensors.c -- reading safetensors files.
 *
 * In: a path. Out: tensors in one buffer, or a failure that names the file. Invariants: everything
 * is checked against the file's size before its memory is asked for; the file is read, not mapped,
 * so that a file cut off meanwhile is a failure and not a SIGBUS. Never unpickles anything. */
#include "io/safetensors.h"
#include "base/mem.h"
#include "base/status.h"
#include "io/safetensors_header.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_STATIC_LINKING_ONLY /* a hash state on the stack */
#include <xxhash.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors data is little-endian");
_Static_assert(sizeof(size_t) == 8, "file sizes are kept in size_t");

enum { READ_BYTES = 1 << 20, DATA_ALIGN = 64 };

struct ctr_st {
    struct ctr_st_header header;
    char *text;   /* of the header; names and metadata live in it */
    void *data;   /* NULL with CTR_ST_VERIFY and CTR_ST_HEADER */
    uint64_t sum; /* of the header */
};

static int read_exactly(void *out, int fd, const char *path, uint64_t offset, size_t bytes)
{
    char *p = out;
    while (bytes > 0) {
        ssize_t n = pread(fd, p, bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ctr_fail(CTR_E_IO, "cannot read '%s': %s", path, strerror(errno));
        if (n == 0)
            return ctr_fail(CTR_E_MODEL, "'%s' became shorter while it was read", path);
        p += n;
        offset += (uint64_t)n;
        bytes -= (size_t)n;
    }
    return 0;
}

/* Why a file is not a safetensors file at all, in words that help. */
static int not_safetensors(const char *path, const unsigned char *start, const char *reason)
{
    int zip = memcmp(start, "PK\3\4", 4) == 0;
    if (!zip && !(start[0] == 0x80 && start[1] >= 2 && start[1] <= 5))
        return ctr_hint(ctr_fail(CTR_E_MODEL, "'%s' is not a safetensors file: %s", path, reason),
                        "`clcontrast info` tells what it is");
    ctr_fail(CTR_E_MODEL, "'%s' is a %s (a PyTorch .pt or .pth?), which is never read here", path,
             zip ? "ZIP archive" : "pickle file");
    return ctr_hint(CTR_E_MODEL,
                    "convert it once with Python:\n"
                    "import torch; from safetensors.torch import save_file\n"
                    "d = torch.load('model.pt', map_location='cpu', weights_only=True)\n"
                    "save_file({k: v.clone() for k, v in d.get('state_dict', d).items()}, "
                    "'model.safetensors')");
}

/* Header length and size of the data after it. */
static int read_prefix(size_t *header_bytes, uint64_t *data_bytes, int fd, const char *path)
{
    struct stat info;
    unsigned char start[9] = {0};
    uint64_t n;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ctr_fail(CTR_E_MODEL, "'%s' is not a regular file", path);
    uint64_t size = (uint64_t)info.st_size;
    int rc = read_exactly(start, fd, path, 0, size < 9 ? (size_t)size : 9);
    if (rc != 0)
        return rc;
    if (size < 10)
        return not_safetensors(path, start, "shorter than any header");
    memcpy(&n, start, 8);
    if (n > CTR_ST_MAX_HEADER)
        return not_safetensors(path, start, "header length above 100 MB");
    if (n < 2 || n > size - 8)
        return not_safetensors(path, start, n < 2 ? "empty header" : "header ends after the file");
    if (start[8] != '{')
        return not_safetensors(path, start, "header does not begin with '{'");
    *header_bytes = (size_t)n;
    *data_bytes = size - 8 - n;
    return 0;
}

static int check_sum(const struct ctr_st *st, const char *path, const char *key, uint64_t sum)
{
    const char *value = ctr_st_meta_value(st, key);
    if (!value)
        return 0;
    uint64_t want = 0;
    size_t i = 0;
    for (; i < 16; i++) {
        unsigned char c = (unsigned char)value[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            break;
        want = want * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    if (i == 16 && value[16] == '\0' && want == sum)
        return 0;
    ctr_fail(CTR_E_MODEL, "'%s' is damaged: checksum %s is %016llx, recorded as '%.40s'", path, key,
             (unsigned long long)sum, value);
    return ctr_hint(CTR_E_MODEL,
                    "take another copy; if a program re-saved it on purpose, it has to "
                    "drop the metadata key '%s'",
                    key);
}

static int check_required(const struct ctr_st *st, const char *path, unsigned flags)
{
    const char *missing = NULL;
    if ((flags & (CTR_ST_SEALED | CTR_ST_SUMMED)) && !ctr_st_meta_value(st, CTR_ST_SUM_KEY))
        missing = CTR_ST_SUM_KEY;
    if ((flags & CTR_ST_SEALED) && !ctr_st_meta_value(st, CTR_ST_HEADER_SUM_KEY))
        missing = CTR_ST_HEADER_SUM_KEY;
    if (missing)
        return ctr_fail(CTR_E_MODEL, "'%s' has no checksum '%s'", path, missing);
    return 0;
}

/* Reads the data once, hashing on the way; into st->data unless only verifying. */
static int read_data(struct ctr_st *st, int fd, const char *path, uint64_t offset, uint64_t bytes,
                     unsigned flags)
{
    int rc = 0, keep = !(flags & CTR_ST_VERIFY);
    size_t room = keep ? (size_t)bytes : READ_BYTES;
    XXH64_state_t state;
    XXH64_reset(&state, 0);
    void *buffer = aligned_alloc(DATA_ALIGN, (room / DATA_ALIGN + 1) * DATA_ALIGN);
    if (!buffer)
        return ctr_fail(CTR_E_FAIL, "out of host memory (%zu bytes for '%s')", room, path);
    for (uint64_t done = 0; done < bytes;) {
        size_t n = bytes - done < READ_BYTES ? (size_t)(bytes - done) : READ_BYTES;
        char *to = (char *)buffer + (keep ? done : 0);
        CTR_TRY(read_exactly(to, fd, path, offset + done, n));
        XXH64_update(&state, to, n);
        done += n;
    }
    CTR_TRY(check_sum(st, path, CTR_ST_SUM_KEY, XXH64_digest(&state)));
    for (size_t i = 0; keep && i < st->header.n; i++)
        st->header.entries[i].tensor.data = (char *)buffer + st->header.entries[i].begin;
    if (keep) {
        st->data = buffer;
        buffer = NULL;
    }
out:
    free(buffer);
    return rc;
}

int ctr_st_open(struct ctr_st **out, const char *path, unsigned flags)
{
    int rc = 0;
    size_t n = 0;
    uint64_t data_bytes = 0;
    struct ctr_st *st = NULL;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return ctr_fail(CTR_E_MODEL, "cannot open '%s': %s", path, strerror(errno));
    CTR_TRY(read_prefix(&n, &data_bytes, fd, path));
    st = ctr_alloc(1, sizeof *st);
    if (!st || !(st->text = ctr_alloc(n + 1, 1)))
        CTR_TRY(CTR_E_FAIL);
    CTR_TRY(read_exactly(st->text, fd, path, 8, n));
    st->sum = ctr_st_header_sum(st->text, n); /* before parsing overwrites it */
    CTR_TRY(ctr_st_header_parse(&st->header, st->text, path, n, data_bytes));
    CTR_TRY(check_required(st, path, flags));
    CTR_TRY(check_sum(st, path, CTR_ST_HEADER_SUM_KEY, st->sum));
    if (!(flags & CTR_ST_HEADER))
        CTR_TRY(read_data(st, fd, path, 8 + n, data_bytes, flags));
    *out = st;
    st = NULL;
out:
    ctr_st_close(&st);
    close(fd);
    return rc;
}

void ctr_st_close(struct ctr_st **st)
{
    if (!*st)
        return;
    ctr_st_header_free(&(*st)->header);
    free((*st)->text);
    free((*st)->data);
    free(*st);
    *st = NULL;
}

size_t ctr_st_count(const struct ctr_st *st)
{
    return st->header.n;
}

const struct ctr_st_tensor *ctr_st_at(const struct ctr_st *st, size_t i)
{
    return &st->header.entries[i].tensor;
}

const struct ctr_st_tensor *ctr_st_find(const struct ctr_st *st, const char *name)
{
    size_t low = 0, high = st->header.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct ctr_st_tensor *t = &st->header.entries[st->header.by_name[mid]].tensor;
        int c = strcmp(name, t->name);
        if (c == 0)
            return t;
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

size_t ctr_st_meta_count(const struct ctr_st *st)
{
    return st->header.n_meta;
}

const struct ctr_st_meta *ctr_st_meta_at(const struct ctr_st *st, size_t i)
{
    return &st->header.meta[i];
}

const char *ctr_st_meta_value(const struct ctr_st *st, const char *key)
{
    for (size_t i = 0; i < st->header.n_meta; i++)
        if (strcmp(st->header.meta[i].key, key) == 0)
            return st->header.meta[i].value;
    return NULL;
}
