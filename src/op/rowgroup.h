/* rowgroup.h -- variants of ops that work on the rows of a matrix (cl/lib/rowgroup.clh): "row"
 * gives a work-item a block of rows, "group" gives a row to the 64 work-items of a group. */
#ifndef CTR_OP_ROWGROUP_H
#define CTR_OP_ROWGROUP_H

#include "op/op.h"

#define CTR_ROWGROUP_LANES 64

/* Whether "row" comes first here; "group", the row after it in the table, is general. */
static inline int ctr_rowgroup_single(const struct ctr_caps *caps, const ctr_node *node)
{
    return caps->family == CTR_FAMILY_CPU || caps->max_group < CTR_ROWGROUP_LANES;
}

/* Sets grid and options for N rows of D values; returns the rows of a group. */
static inline uint32_t ctr_rowgroup_grid(const ctr_graph *g, struct ctr_launch_spec *spec,
                                         int group, size_t N, size_t D)
{
    size_t lanes = group ? CTR_ROWGROUP_LANES : 1, rows = 1;
    if (!group) { /* 8 groups a thread, but at least 4,096 values to outweigh the overhead */
        size_t even = N / (8 * (size_t)ctr_graph_caps(g)->compute_units), least = 4096 / D + 1;
        rows = even > least ? even : least;
    }
    spec->options = group ? "-DLANES=64" : "-DLANES=1";
    spec->local[0] = lanes;
    spec->global[0] = (N + rows - 1) / rows * lanes;
    return (uint32_t)rows;
}

#endif
