/* rows.c -- see rows.h. */
#include "op/rows.h"

#define GPU_GROUP 256 /* as SUM_GROUP in cl/op/batch_norm.cl and cl/op/dense.cl */

/* Groups of a dimension other than the first; more cannot be launched on some GPUs (CUDA's). */
#define MAX_GROUPS ((size_t)65535)

/* Lanes of four channels side by side in a GPU's work-group: a power of two, at most `most`. */
static size_t gpu_lanes(size_t C, size_t most)
{
    size_t lanes = 1;
    while (lanes < most && lanes * 4 < C)
        lanes *= 2;
    return lanes;
}

/* No partial vectors: the kernels need not look. */
static const char *whole(size_t C)
{
    return C % 16 == 0 ? "-DWHOLE=1" : NULL;
}

uint32_t ctr_grid_rows(const ctr_graph *g, struct ctr_launch_spec *spec, size_t rows, size_t C)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    size_t per;
    spec->options = whole(C);
    if (caps->family == CTR_FAMILY_GPU) {
        size_t lanes = gpu_lanes(C, 16), down = 64 / lanes, most = MAX_GROUPS * down;
        per = (rows + most - 1) / most;
        per = per < 2 ? 2 : per;
        spec->local[0] = lanes;
        spec->local[1] = down;
        spec->global[0] = (C + 4 * lanes - 1) / (4 * lanes) * lanes;
        spec->global[1] = ((rows + per - 1) / per + down - 1) / down * down;
        return (uint32_t)per;
    }
    /* as ctr_grid_chunks: 16 items a thread, each of 4,096 to 65,536 values */
    size_t values = rows * C / (16 * (size_t)caps->compute_units);
    values = values < 4096 ? 4096 : values > 65536 ? 65536 : values;
    per = (values + C - 1) / C;
    spec->local[0] = spec->local[1] = 1;
    spec->global[0] = 1;
    spec->global[1] = (rows + per - 1) / per;
    return (uint32_t)per;
}

struct ctr_row_split ctr_row_split(const ctr_graph *g, size_t rows, size_t C)
{
    const struct ctr_caps *caps = ctr_graph_caps(g);
    size_t chunks, most, least_rows;
    if (caps->family == CTR_FAMILY_GPU) {
        size_t lanes = gpu_lanes(C, 16), blocks = (C + 4 * lanes - 1) / (4 * lanes);
        most = (8 * (size_t)caps->compute_units + blocks - 1) / blocks;
        least_rows = 4 * GPU_GROUP / lanes; /* four rows a work-item */
    } else {
        most = 16 * (size_t)caps->compute_units;
        if (most < rows / 512) /* short sums round less */
            most = rows / 512;
        least_rows = (4096 + C - 1) / C;
        if (least_rows < 16)
            least_rows = 16;
    }
    chunks = (rows + least_rows - 1) / least_rows;
    chunks = chunks > most ? most : chunks;
    size_t per = (rows + chunks - 1) / chunks;
    return (struct ctr_row_split){.chunks = (uint32_t)((rows + per - 1) / per),
                                  .per = (uint32_t)per};
}

void ctr_grid_row_sums(const ctr_graph *g, struct ctr_launch_spec *spec, struct ctr_row_split split,
                       size_t C)
{
    spec->local[0] = spec->local[1] = spec->global[0] = 1;
    spec->global[1] = split.chunks;
    spec->options = whole(C);
    if (ctr_graph_caps(g)->family == CTR_FAMILY_GPU) {
        size_t lanes = gpu_lanes(C, 16);
        spec->local[0] = lanes;
        spec->local[1] = GPU_GROUP / lanes;
        spec->global[0] = (C + 4 * lanes - 1) / (4 * lanes) * lanes;
        spec->global[1] = split.chunks * spec->local[1];
    }
}

void ctr_grid_row_totals(const ctr_graph *g, struct ctr_launch_spec *spec, size_t C)
{
    int gpu = ctr_graph_caps(g)->family == CTR_FAMILY_GPU;
    spec->local[0] = spec->local[1] = gpu ? 16 : 1;
    spec->global[0] = (C + 15) / 16 * spec->local[0];
    spec->options = whole(C);
    spec->global[1] = spec->local[1];
}
