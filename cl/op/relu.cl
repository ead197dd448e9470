/* relu.cl -- y = max(x, 0);  dx = dy where y > 0, else 0.  NaN stays NaN, so that a guard sees it.
 * x, y, dy, dx: n values, any shape, contiguous.  Grid: 1-D, a work-item does `chunk` values. */
#include "lib/prelude.clh"

kernel void relu_fwd(global float *y, global const float *x, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vfloat v = vload(0, x + i);
                   vstore(select(v, (vfloat)(0.0f), v < 0.0f), 0, y + i),
                   y[i] = x[i] < 0.0f ? 0.0f : x[i])
}

kernel void relu_bwd(global float *dx, global const float *dy, global const float *y, const ulong n,
                     const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vfloat v = vload(0, dy + i);
                   vstore(select(v, (vfloat)(0.0f), vload(0, y + i) <= 0.0f), 0, dx + i),
                   dx[i] = y[i] <= 0.0f ? 0.0f : dy[i])
}
