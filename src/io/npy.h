/* npy.h -- arrays for NumPy: format version 1.0 (numpy/lib/format.py), little-endian, C order. */
#ifndef CTR_IO_NPY_H
#define CTR_IO_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/outfile.h"
#include "base/str.h"

/* Header and data into a file that is open. descr: "<f4". `rank` <= 8; dims of rank 0 may be NULL.
 * CTR_E_USAGE when a size overflows. */
int ctr_npy_write(struct ctr_outfile *file, const char *descr, const void *data,
                  const uint64_t *dims, unsigned rank);
/* The header alone, appended. */
int ctr_npy_header(struct ctr_str *s, const char *descr, const uint64_t *dims, unsigned rank);

/* What stands before the data, from the first bytes of a file. */
struct ctr_npy {
    char descr[16]; /* "<f4" */
    int fortran_order;
    unsigned rank;
    uint64_t dims[8];
    size_t item_bytes, data_at, data_bytes;
};
/* Versions 1.0 to 3.0, plain types only. CTR_E_DATA with the reason alone; `n` may end anywhere behind the
 * header, which takes at most CTR_NPY_HEADER_MAX bytes. */
#define CTR_NPY_HEADER_MAX 65536
int ctr_npy_parse(struct ctr_npy *out, const void *bytes, size_t n);

#endif
