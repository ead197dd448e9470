/* queue.h -- the last projections of earlier steps, kept on the device as keys: a ring of rows,
 * part of the store's states, so that checkpoints have it. */
#ifndef CTR_METHOD_QUEUE_H
#define CTR_METHOD_QUEUE_H

#include "graph/graph.h"

/* The state NAME, f32[K,D]: directions drawn at random until it is filled. */
ctr_tensor *ctr_queue(ctr_graph *g, const char *name, size_t K, size_t D);
/* Records the node that puts rows[n,D] in the place of the oldest, n <= K. step: u32[4] of batch.h.
 */
int ctr_queue_put(ctr_graph *g, ctr_tensor *queue, ctr_tensor *rows, ctr_tensor *step);

#endif
