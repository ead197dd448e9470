/* npy.h -- arrays for NumPy: format version 1.0 (numpy/lib/format.py), little-endian, C order. */
#ifndef CTR_IO_NPY_H
#define CTR_IO_NPY_H

#include <stddef.h>
#include <stdint.h>

/* Written atomically. `rank` <= 8; dims of rank 0 may be NULL. CTR_E_USAGE when a size overflows.
 */
int ctr_npy_write_f32(const char *path, const float *data, const uint64_t *dims, unsigned rank);
int ctr_npy_write_i32(const char *path, const int32_t *data, const uint64_t *dims, unsigned rank);
int ctr_npy_write_i64(const char *path, const int64_t *data, const uint64_t *dims, unsigned rank);

#endif
