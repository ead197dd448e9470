/* half.cl -- does half arithmetic compile and compute: y[i] = x[i] * a + 1, exact in half for the
 * values given. Grid: 64 work-items in groups of 16 (1-D). Built only to find out: may fail. */
#include "lib/prelude.clh"
#pragma OPENCL EXTENSION cl_khr_fp16 : enable

kernel void probe_half(global float *y, global const float *x, const float a)
{
    const uint i = get_global_id(0);
    const half h = (half)x[i] * (half)a + (half)1.0f;
    y[i] = (float)h;
}
