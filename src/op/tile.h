/* tile.h -- tiles of matrix products on GPUs (cl/lib/tile.clh): which there are, which suit a
 * device and a product. A work-group of bm bn / (tm tn) work-items computes bm x bn results, each
 * of them tm x tn. As a configuration (struct ctr_config) the four numbers in this order. */
#ifndef CTR_OP_TILE_H
#define CTR_OP_TILE_H

#include "graph/graph.h"

struct ctr_tile {
    int bm, bn, tm, tn;
};

/* Whether this is a device for tiles at all: variant->usable asks. */
int ctr_tile_usable(const struct ctr_caps *caps);
/* Whether its matrix units multiply what the node's tensors are stored as: tiles with MMA=1. */
int ctr_tile_mma_usable(const struct ctr_caps *caps, const ctr_node *node);
/* Relative error that tf32 adds to a product of fp32 tensors: each of two values is rounded to 11
 * bits, 2^-11 of it at most, half to even ways. fp16 and bf16 are multiplied as they are stored. */
#define CTR_TILE_MMA_ERROR 0x1p-10
/* The node's configuration, else the tile that by rule suits `batch` products of rows x columns. */
struct ctr_tile ctr_tile_of(const struct ctr_config *config, const struct ctr_caps *caps,
                            size_t rows, size_t columns, size_t batch);
/* variant->configs: the tiles worth trying there. */
size_t ctr_tile_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                        size_t rows, size_t columns);
static inline size_t ctr_tile_items(const struct ctr_tile *t)
{
    return (size_t)(t->bm / t->tm * (t->bn / t->tn));
}
/* Blocks that cover a product. */
static inline size_t ctr_tile_blocks(const struct ctr_tile *t, size_t rows, size_t columns)
{
    size_t m = (size_t)t->bm, n = (size_t)t->bn;
    return (rows + m - 1) / m * ((columns + n - 1) / n);
}
/* For formats of options. */
#define CTR_TILE_OPTIONS        "-DBM=%d -DBN=%d -DTM=%d -DTN=%d%s"
#define CTR_TILE_VALUES(t, mma) (t).bm, (t).bn, (t).tm, (t).tn, (mma) ? " -DMMA=1" : ""

#endif
