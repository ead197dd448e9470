/* sigmoid.cl -- y = 1 / (1 + e^-x);  dx = dy y (1 - y).
 * x, y, dy, dx: n values, any shape, contiguous.  Grid: 1-D, a work-item does `chunk` values. */
#include "lib/prelude.clh"

kernel void sigmoid_fwd(global float *y, global const float *x, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vstore(1.0f / (1.0f + exp(-vload(0, x + i))), 0, y + i),
                   y[i] = 1.0f / (1.0f + exp(-x[i])))
}

kernel void sigmoid_bwd(global float *dx, global const float *dy, global const float *y, const ulong n,
                        const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, const vfloat v = vload(0, y + i);
                   vstore(vload(0, dy + i) * v * (1.0f - v), 0, dx + i),
                   dx[i] = dy[i] * y[i] * (1.0f - y[i]))
}
