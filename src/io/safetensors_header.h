/* safetensors_header.h -- the JSON header of a safetensors file; for the reader and its fuzzer. */
#ifndef CTR_IO_SAFETENSORS_HEADER_H
#define CTR_IO_SAFETENSORS_HEADER_H

#include "io/safetensors.h"

#define CTR_ST_SUM_KEY        "xxh64"
#define CTR_ST_HEADER_SUM_KEY "xxh64_header"
#define CTR_ST_MAX_HEADER     100000000u /* the reference library's limit */

struct ctr_st_entry {
    struct ctr_st_tensor tensor;
    uint64_t begin, end; /* relative to the start of the data */
};

/* Zero-initialise; names and values point into the parsed text. */
struct ctr_st_header {
    struct ctr_st_entry *entries; /* by begin */
    size_t *by_name;              /* permutation of entries */
    struct ctr_st_meta *meta;     /* by key */
    size_t n, cap, n_meta, cap_meta;
};

/* Parses text[0..bytes), which has a NUL after it and is overwritten (strings are unescaped in
 * place), for a file with `data_bytes` of data. 0 or CTR_E_MODEL / CTR_E_FAIL; `header` is to be
 * freed in any case. `path` is for messages. */
int ctr_st_header_parse(struct ctr_st_header *header, char *text, const char *path, size_t bytes,
                        uint64_t data_bytes);
void ctr_st_header_free(struct ctr_st_header *header);

/* XXH64 of the header with the digits of its own checksum taken as '0'. */
uint64_t ctr_st_header_sum(const char *text, size_t bytes);

#endif
