/* ring.cl -- ring[(number - 1) % rows] = {a, b, c, d}; number is step[3]; bit i of `have` says whether the
 * i-th exists, else it is 0. Grid: one work-item. */
#include "lib/prelude.clh"

kernel void ring_put(global float *ring, global const uint *step, global const float *a,
                     global const float *b, global const float *c, global const float *d,
                     const uint have, const uint rows)
{
    const uint row = (step[3] - 1) % rows;
    ring[4 * row] = have & 1 ? a[0] : 0.0f;
    ring[4 * row + 1] = have & 2 ? b[0] : 0.0f;
    ring[4 * row + 2] = have & 4 ? c[0] : 0.0f;
    ring[4 * row + 3] = have & 8 ? d[0] : 0.0f;
}
