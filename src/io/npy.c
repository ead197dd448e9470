/* npy.c -- NumPy arrays. In: host arrays. Out: .npy files that numpy.load also maps. */
#include "io/npy.h"
#include "base/os.h"
#include "base/status.h"
#include "base/str.h"

#include <string.h>

enum { MAX_RANK = 8, PREFIX_BYTES = 10, ALIGN = 64 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "descr below says little-endian");

/* Magic, version, length, dictionary; padded so that the data is aligned to 64. */
static int build_header(struct ctr_str *s, const char *descr, const uint64_t *dims, unsigned rank)
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

static int npy_write(const char *path, const char *descr, const void *data, const uint64_t *dims,
                     unsigned rank, size_t size)
{
    int rc;
    struct ctr_str s = {0};
    struct ctr_outfile file;
    for (unsigned d = 0; d < rank && rank <= MAX_RANK; d++)
        if (__builtin_mul_overflow(size, dims[d], &size))
            return ctr_fail(CTR_E_USAGE, "'%s': array size overflows", path);
    if (rank > MAX_RANK || (size > 0 && !data))
        return ctr_fail(CTR_E_USAGE, "'%s': rank above %d or no data", path, MAX_RANK);
    CTR_TRY(build_header(&s, descr, dims, rank));
    CTR_TRY(ctr_outfile_open(&file, path));
    rc = ctr_outfile_write(&file, s.s, s.n);
    if (rc == 0)
        rc = ctr_outfile_write(&file, data, size);
    if (rc == 0)
        rc = ctr_outfile_commit(&file);
    else
        ctr_outfile_abort(&file);
out:
    ctr_str_free(&s);
    return rc;
}

int ctr_npy_write_f32(const char *path, const float *data, const uint64_t *dims, unsigned rank)
{
    return npy_write(path, "<f4", data, dims, rank, sizeof *data);
}

int ctr_npy_write_i32(const char *path, const int32_t *data, const uint64_t *dims, unsigned rank)
{
    return npy_write(path, "<i4", data, dims, rank, sizeof *data);
}

int ctr_npy_write_i64(const char *path, const int64_t *data, const uint64_t *dims, unsigned rank)
{
    return npy_write(path, "<i8", data, dims, rank, sizeof *data);
}
