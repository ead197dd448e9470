/* take_rows.cl -- y = x[at .. at + n);  dx[at .. at + n) = dy, zero elsewhere. Flat; at: in values.
 * Grid: element-wise over what is written. */
#include "lib/prelude.clh"

kernel void take_rows_fwd(global float *y, const global float *x, const ulong at, const ulong n,
                          const ulong total, const uint chunk)
{
    CTR_CHUNK_LOOP(i, total, chunk, vstore(vload(0, x + at + i), 0, y + i), y[i] = x[at + i])
}

static inline float padded(const global float *dy, ulong i, ulong at, ulong n)
{
    return i >= at && i < at + n ? dy[i - at] : 0.0f;
}

kernel void take_rows_bwd(global float *dx, const global float *dy, const ulong at, const ulong n,
                          const ulong total, const uint chunk)
{
    CTR_CHUNK_LOOP(i, total, chunk,
                   for (int l = 0; l < VW; l++) dx[i + l] = padded(dy, i + l, at, n),
                   dx[i] = padded(dy, i, at, n))
}
