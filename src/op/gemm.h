/* gemm.h -- matrix products by our own register tiles, for CPUs (cl/op/gemm.cl).
 *
 * On CPUs these are several times faster than ctr_emit_gemm; other devices have no use for them.
 * Long sums over few outputs are split along K into a fixed number of parts, added in order. */
#ifndef CTR_OP_GEMM_H
#define CTR_OP_GEMM_H

#include "graph/graph.h"

struct ctr_gemm_tiles {
    struct ctr_gemm gemm; /* temp: the bytes below, or NULL when they are 0 */
    ctr_buf *bias;        /* [N], added to each row; NULL for none */
    int relu;             /* then max(., 0) */
};

/* Whether this device wants them: variant->usable of the ops. */
int ctr_gemm_tiles_usable(const struct ctr_caps *caps, const ctr_node *node);
/* Scratch of one product; its buffers may be NULL here. */
size_t ctr_gemm_tiles_bytes(const ctr_graph *g, const struct ctr_gemm *gemm);
int ctr_emit_gemm_tiles(ctr_graph *g, const struct ctr_gemm_tiles *tiles);

#endif
