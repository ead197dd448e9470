/* tile.c -- see tile.h. */
#include "op/tile.h"

/* Per multiply-add a tile reads 1/bm + 1/bn values from global memory and 1/tm + 1/tn from local
 * memory: larger is cheaper, as long as there are groups enough for the device and registers enough
 * for a work-item (tm tn results and about 40 more). In order of preference. */
static const struct ctr_tile tiles[] = {
    {128, 128, 8, 8}, /* 256 work-items, about 110 registers each */
    {128, 64, 8, 8},  /* 128 */
    {64, 128, 8, 8},  /* 128 */
    {64, 64, 8, 4},   /* 128, about 70 registers */
    {32, 64, 4, 4},   /* 128 */
    {32, 32, 4, 4},   /* 64 */
};
#define N_TILES (sizeof tiles / sizeof *tiles)

/* Of two pieces of both operands, 16 deep, padded by four rows and columns (cl/lib/tile_fma.clh).
 */
static size_t local_bytes(const struct ctr_tile *t)
{
    return 2 * 16 * (size_t)(t->bm + 4 + t->bn + 4) * sizeof(float);
}

/* Of three pieces of the largest tile, 64 bytes deep (cl/lib/tile_mma.clh). */
#define MMA_LOCAL_BYTES (3 * 64 * (128 + 128))

static int fits(const struct ctr_tile *t, const struct ctr_caps *caps)
{
    return local_bytes(t) <= caps->local_bytes && ctr_tile_items(t) <= caps->max_group;
}

int ctr_tile_usable(const struct ctr_caps *caps)
{
    return caps->family == CTR_FAMILY_GPU && fits(&tiles[N_TILES - 1], caps);
}

int ctr_tile_mma_usable(const struct ctr_caps *caps, const ctr_node *node)
{
    static const unsigned unit[] = {
        [CTR_F32] = CTR_MMA_TF32, [CTR_F16] = CTR_MMA_F16, [CTR_BF16] = CTR_MMA_BF16};
    return ctr_tile_usable(caps) && caps->local_bytes >= MMA_LOCAL_BYTES &&
           (caps->mma & unit[ctr_node_storage(node)]) != 0;
}

/* Results computed beside those wanted, as a factor. */
static double waste(const struct ctr_tile *t, size_t rows, size_t columns)
{
    return (double)ctr_tile_blocks(t, rows, columns) * t->bm * t->bn /
           ((double)rows * (double)columns);
}

/* The first tile with two groups a compute unit that wastes no more than a quarter beyond what the
 * smallest tile does; else the smallest. */
struct ctr_tile ctr_tile_of(const struct ctr_config *config, const struct ctr_caps *caps,
                            size_t rows, size_t columns, size_t batch)
{
    const struct ctr_tile *least = &tiles[N_TILES - 1];
    if (config->v[0])
        return (struct ctr_tile){config->v[0], config->v[1], config->v[2], config->v[3]};
    for (const struct ctr_tile *t = tiles; t < least; t++)
        if (fits(t, caps) &&
            ctr_tile_blocks(t, rows, columns) * batch >= 2 * (size_t)caps->compute_units &&
            waste(t, rows, columns) <= 1.25 * waste(least, rows, columns))
            return *t;
    return *least;
}

size_t ctr_tile_configs(struct ctr_config *out, size_t room, const struct ctr_caps *caps,
                        size_t rows, size_t columns)
{
    size_t n = 0;
    for (size_t i = 0; i < N_TILES && n < room && ctr_tile_usable(caps); i++) {
        const struct ctr_tile *t = &tiles[i];
        if (fits(t, caps) &&
            waste(t, rows, columns) <= 4 * waste(&tiles[N_TILES - 1], rows, columns))
            out[n++] = (struct ctr_config){{t->bm, t->bn, t->tm, t->tn}};
    }
    return n;
}
