/* ring.h -- scalars on their way to the host: each step leaves a row on the device, the host fetches
 * many rows at once, so that it never waits inside a step. */
#ifndef CTR_TRAIN_RING_H
#define CTR_TRAIN_RING_H

#include "graph/graph.h"

#define CTR_RING_ROWS 64
#define CTR_RING_COLS 4

/* Records the node that writes row (step number - 1) % CTR_RING_ROWS: value[i] are [1], those after
 * the first may be NULL (0). step: u32[4] of batch.h. Returns the ring,
 * f32[CTR_RING_ROWS][CTR_RING_COLS]. */
ctr_tensor *ctr_ring_record(ctr_graph *g, ctr_tensor *step, ctr_tensor *const value[CTR_RING_COLS]);

#endif
