/* search.h -- exact nearest neighbours among vectors, by products on a device.
 *
 *     ctr_index *index = NULL;
 *     struct ctr_hit hits[N_QUERIES * 10];
 *     rc = ctr_index_create(&index, dev, x, n, D, CTR_COSINE, 0);
 *     rc = ctr_index_search(hits, index, queries, N_QUERIES, 10);
 *     ... hits[q * 10 + i].row, .score: the i-th nearest to query q ...
 *     ctr_index_destroy(&index);
 *
 * Vectors are rows of a float array, one behind the other: ctr_model_embed's, or any others. The device
 * finds candidates in fp32, k and a few more; their scores are then computed in double, and by these
 * they are ordered, the lower row first among equals. So a row can be missing only where more than
 * CTR_SEARCH_SPARE others lie within fp32's rounding of its score. An index is used by one thread at a
 * time, and by no other that uses its device. */
#ifndef CLCONTRAST_SEARCH_H
#define CLCONTRAST_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include "clcontrast/device.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ctr_metric {
    CTR_COSINE,    /* q.x / (|q| |x|), 0 where a length is below 1e-12; the largest first */
    CTR_INNER,     /* q.x; the largest first */
    CTR_EUCLIDEAN, /* |q - x|; the smallest first */
    CTR_METRICS
};

#define CTR_SEARCH_K_MAX 10000
#define CTR_SEARCH_SPARE 8

struct ctr_hit {
    uint32_t row; /* of the index, from 0 */
    double score; /* as the metric says */
};

typedef struct ctr_index ctr_index;

/* Brings x[n][D] to the device, in several buffers where it is larger than one may be; what is larger than
 * `budget_bytes` (0: half of its memory) is brought anew, part by part, at each search. x is borrowed and
 * the device used until the index is destroyed. CTR_E_DATA when a value is not finite, CTR_E_USAGE when n
 * or D is 0 or above 2^32 - 1 and 2^24, CTR_E_DEVMEM. */
CTR_API int ctr_index_create(ctr_index **out, ctr_dev *dev, const float *x, size_t n, size_t D,
                             enum ctr_metric metric, uint64_t budget_bytes);
/* Accepts NULL and pointers to NULL; sets *index to NULL. */
CTR_API void ctr_index_destroy(ctr_index **index);

/* hits[n][k] of query[n][D]; 1 <= k <= min(rows of the index, CTR_SEARCH_K_MAX), CTR_E_USAGE else.
 * CTR_E_DATA when a query is not finite. hits are undefined on failure. */
CTR_API int ctr_index_search(struct ctr_hit *hits, ctr_index *index, const float *query, size_t n,
                             size_t k);

#ifdef __cplusplus
}
#endif
#endif
