/* add.cl -- y = a + b, or max(a + b, 0);  da = db = dy where y > 0 (without ReLU: dy, no kernel).
 * All: n values, any shape, contiguous.  Grid: 1-D, a work-item does `chunk` values. */
#include "lib/prelude.clh"

kernel void add_fwd(global float *y, global const float *a, global const float *b, const ulong n,
                    const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vstore(vload(0, a + i) + vload(0, b + i), 0, y + i),
                   y[i] = a[i] + b[i])
}

kernel void add_fwd_relu(global float *y, global const float *a, global const float *b, const ulong n,
                         const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, const vfloat v = vload(0, a + i) + vload(0, b + i);
                   vstore(select(v, (vfloat)(0.0f), v < 0.0f), 0, y + i),
                   const float v = a[i] + b[i];
                   y[i] = v < 0.0f ? 0.0f : v)
}

kernel void add_bwd_relu(global float *dx, global const float *dy, global const float *y, const ulong n,
                         const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, const vfloat v = vload(0, dy + i);
                   vstore(select(v, (vfloat)(0.0f), vload(0, y + i) <= 0.0f), 0, dx + i),
                   dx[i] = y[i] <= 0.0f ? 0.0f : dy[i])
}
