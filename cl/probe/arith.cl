/* arith.cl -- does this device compute at all: y[i] = fma(x[i], a, i) + sum of x over the group.
 * Grid: 64 work-items in groups of 16 (1-D). Local memory and a barrier on purpose. */
#include "lib/prelude.clh"

kernel void probe_arith(global float *y, global const float *x, const float a)
{
    local float part[16];
    const uint i = get_global_id(0), l = get_local_id(0);
    part[l] = x[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    float sum = 0.0f;
    for (uint k = 0; k < 16; k++)
        sum += part[k];
    y[i] = fma(x[i], a, (float)i) + sum;
}
