/* gemm.h -- matrix products by our own kernels, beside ctr_emit_gemm: by register tiles on CPUs
 * (cl/op/gemm.cl, gemm_blocked.cl), where they are several times faster; by tiles that work-groups
 * share on GPUs (cl/op/gemm_gpu.cl), with bias and ReLU on the way out.
 *
 * Long sums over few outputs are split along K into a fixed number of parts, added in order. */
#ifndef CTR_OP_GEMM_H
#define CTR_OP_GEMM_H

#include "op/tile.h"

enum ctr_gemm_strided { CTR_STRIDED_NONE, CTR_STRIDED_A, CTR_STRIDED_B, CTR_STRIDED_C };

struct ctr_gemm_tiles {
    struct ctr_gemm gemm; /* temp: the bytes below, or NULL when they are 0 */
    ctr_buf *bias;        /* [N], added to each row; NULL for none */
    int relu;             /* then max(., 0) */
    /* Whose rows are only those pixels of images [H, W] whose row and column are multiples of
     * `stride`, [P, Q] of them; of C, the other pixels become zero. A and B are not transposed then,
     * except A with a strided B. */
    enum ctr_gemm_strided strided;
    int H, W, P, Q, stride;
};

/* Whether this device wants them: variant->usable of the ops. */
int ctr_gemm_tiles_usable(const struct ctr_caps *caps, const ctr_node *node);
/* Scratch of one product; its buffers may be NULL here. */
size_t ctr_gemm_tiles_bytes(const ctr_graph *g, const struct ctr_gemm_tiles *tiles);
int ctr_emit_gemm_tiles(ctr_graph *g, const struct ctr_gemm_tiles *tiles);

struct ctr_gemm_gpu {
    struct ctr_gemm gemm;     /* beta 0; temp: the bytes below, or NULL when they are 0 */
    ctr_buf *bias;            /* [N], added to each row; NULL for none */
    int relu;                 /* then max(., 0) */
    int mma;                  /* by matrix units, in tf32: ctr_gemm_mma_usable */
    struct ctr_config config; /* the node's: a tile (tile.h), or zeros */
    /* So many products of this shape, 0 for one, each matrix so many values behind the last one; without
     * bias and ReLU. */
    size_t batch, a_next, b_next, c_next;
    /* With a batch and c_split, C takes ctr_gemm_gpu_splits() partial sums, c_split values apart, from `c_at` on, for
     * the caller to add up. */
    size_t c_split, c_at; /* c_split 0: the depth is not split */
    double flops;         /* to state, where the op's formula has other than 2 M N K; or 0 */
};

int ctr_gemm_gpu_usable(const struct ctr_caps *caps, const ctr_node *node);
/* Whether its matrix units take all products of the node's tensors: rows of whole chunks. */
int ctr_gemm_mma_usable(const struct ctr_caps *caps, const ctr_node *node);
size_t ctr_gemm_gpu_bytes(const struct ctr_caps *caps, const struct ctr_gemm_gpu *p);
size_t ctr_gemm_gpu_splits(const struct ctr_caps *caps, const struct ctr_gemm_gpu *p);
int ctr_emit_gemm_gpu(ctr_graph *g, const struct ctr_gemm_gpu *p);

#endif
