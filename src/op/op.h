/* op.h -- every op: its formula, shapes and what may be NULL. One op a file (src/op/NAME.c), its
 * kernels in cl/op/NAME.cl, its double-precision reference in tests/ref/NAME.c, its cases in
 * tests/op/NAME.c.
 *
 * All tensors are fp32 unless said, row-major; images are [N][H][W][C]. Each call records one node
 * (or a few) and returns its output, NULL after any failure (ctr_graph_status keeps the first).
 * Gradients are recorded by ctr_graph_backward. */
#ifndef CTR_OP_OP_H
#define CTR_OP_OP_H

#include "graph/graph.h"

/* y = max(x, 0), any shape. */
ctr_tensor *ctr_relu(ctr_graph *g, ctr_tensor *x);

#endif
