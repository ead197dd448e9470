/* safetensors.h -- named tensors in one file: models and checkpoints.
 *
 * In and out: host tensors, little-endian, C order, and a string -> string map. The layout is that
 * of github.com/huggingface/safetensors: u64 header length, JSON header, data without holes. Files
 * written here equal those of the reference library byte for byte (same order, same padding), save
 * that its metadata order is random where ours is the caller's.
 *
 * Two checksums may travel in the metadata, 16 hex digits each, and are verified when present:
 *   xxh64         XXH64 (seed 0) of all tensor data, in file order
 *   xxh64_header  XXH64 of the header's bytes, its own digits taken as '0'; makes the file sealed:
 *                 any flipped bit is found. Programs that re-save a file break the seal, so it is
 *                 for checkpoints, not for exported models. */
#ifndef CTR_IO_SAFETENSORS_H
#define CTR_IO_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

/* The reference library's order: files are sorted by it, highest first. */
enum ctr_st_dtype {
    CTR_ST_BOOL,
    CTR_ST_U8,
    CTR_ST_I8,
    CTR_ST_F8_E5M2,
    CTR_ST_F8_E4M3,
    CTR_ST_I16,
    CTR_ST_U16,
    CTR_ST_F16,
    CTR_ST_BF16,
    CTR_ST_I32,
    CTR_ST_U32,
    CTR_ST_F32,
    CTR_ST_C64,
    CTR_ST_F64,
    CTR_ST_I64,
    CTR_ST_U64,
    CTR_ST_DTYPES
};

enum { CTR_ST_MAX_RANK = 8 };

struct ctr_st_tensor {
    const char *name;
    enum ctr_st_dtype dtype;
    unsigned rank; /* 0: a scalar */
    uint64_t dims[CTR_ST_MAX_RANK];
    const void *data; /* in a file of another writer possibly not aligned to the element */
    size_t bytes;     /* product of dims times the element's size */
};

struct ctr_st_meta {
    const char *key, *value;
};

enum ctr_st_flags {
    CTR_ST_PLAIN = 1,  /* write: no checksum */
    CTR_ST_SEALED = 2, /* write: both checksums; open: both must be there */
    CTR_ST_SUMMED = 4, /* open: xxh64 must be there */
    CTR_ST_VERIFY = 8, /* open: read and verify the data but keep none of it (data is NULL) */
    CTR_ST_HEADER = 16 /* open: header only, data neither read nor verified (data is NULL) */
};

/* "F32"; NULL when out of range. Bytes of one element; 0 when out of range. */
const char *ctr_st_dtype_name(enum ctr_st_dtype dtype);
size_t ctr_st_dtype_bytes(enum ctr_st_dtype dtype);

/* Writes the file atomically; xxh64 is added to the metadata unless CTR_ST_PLAIN. CTR_E_USAGE for
 * tensors that cannot be stored (sizes, names), CTR_E_IO when writing fails: the old file stays.
 * Bytes of a metadata value that are no UTF-8 are stored as U+FFFD. */
int ctr_st_write(const char *path, const struct ctr_st_tensor *tensors,
                 const struct ctr_st_meta *meta, unsigned flags, size_t n_tensors, size_t n_meta);

struct ctr_st;
/* Opens and verifies. The header is checked against the file's size before memory for the data is
 * asked for. CTR_E_MODEL when missing, malformed or damaged, CTR_E_IO when reading fails. */
int ctr_st_open(struct ctr_st **out, const char *path, unsigned flags);
void ctr_st_close(struct ctr_st **st);
/* Tensors in file order; borrowed until close. find: NULL when there is none of that name. */
size_t ctr_st_count(const struct ctr_st *st);
const struct ctr_st_tensor *ctr_st_at(const struct ctr_st *st, size_t i);
const struct ctr_st_tensor *ctr_st_find(const struct ctr_st *st, const char *name);
/* Metadata sorted by key. value: NULL when the key is not there. */
size_t ctr_st_meta_count(const struct ctr_st *st);
const struct ctr_st_meta *ctr_st_meta_at(const struct ctr_st *st, size_t i);
const char *ctr_st_meta_value(const struct ctr_st *st, const char *key);

#endif
