/* rows.h -- grids of kernels over rows x C values, C innermost (cl/lib/rows.clh).
 *
 * Element-wise: a work-item takes some rows and some vectors of channels. Sums over the rows take
 * two launches, for which the split is fixed by the shape and the device, so that equal runs give
 * equal bits: first partial sums of `per` rows each, then their total in order. */
#ifndef CTR_OP_ROWS_H
#define CTR_OP_ROWS_H

#include "graph/graph.h"

/* Sets the grid of an element-wise kernel, and options as all three do (WHOLE where C is a multiple
 * of 16); returns its argument `per`. */
uint32_t ctr_grid_rows(const ctr_graph *g, struct ctr_launch_spec *spec, size_t rows, size_t C);

/* ctr_stream for kernels over rows: 16 channels are a line of the cache. */
static inline int ctr_stream_rows(const ctr_tensor *t, size_t C)
{
    return C % 16 == 0 && ctr_stream(t);
}

struct ctr_row_split {
    uint32_t chunks, per; /* chunks * per >= rows */
};
struct ctr_row_split ctr_row_split(const ctr_graph *g, size_t rows, size_t C);
/* First launch: a group per chunk (dimension 1) and, on GPUs, per block of 4 * local[0] channels.
 */
void ctr_grid_row_sums(const ctr_graph *g, struct ctr_launch_spec *spec, struct ctr_row_split split,
                       size_t C);
/* Second launch: on CPUs a work-item per 16 channels; on GPUs a group of 16 channels x 16 lanes. */
void ctr_grid_row_totals(const ctr_graph *g, struct ctr_launch_spec *spec, size_t C);

#endif
