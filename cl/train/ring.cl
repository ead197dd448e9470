/* ring.cl -- ring[(number - 1) % rows] = {a, b}; number is step[3]. `have` says which of a, b exist.
 * Grid: one work-item. */
#include "lib/prelude.clh"

kernel void ring_put(global float *ring, global const uint *step, global const float *a,
                     global const float *b, const uint have, const uint rows)
{
    const uint row = (step[3] - 1) % rows;
    ring[2 * row] = have & 1 ? a[0] : 0.0f;
    ring[2 * row + 1] = have & 2 ? b[0] : 0.0f;
}
