/* center.cl -- y = x less the mean of its group: rows first + k stride, k < n, of a block of n * stride
 * rows, the first from 0 to stride - 1 in it. x, y: [M][D].
 * Grid: a work-item for VW columns of a group, the columns of one group side by side. */
#include "lib/prelude.clh"
#include "lib/rows.clh"

kernel void center(global float *y, global const float *x, const uint n, const uint stride, const uint D,
                   const ulong items)
{
    const uint blocks = (D + VW - 1) / VW;
    if (get_global_id(0) >= items)
        return;
    const uint c = get_global_id(0) % blocks * VW;
    const size_t group = get_global_id(0) / blocks;
    const size_t at = (group / stride * n * stride + group % stride) * D + c;
    const int left = D - c;
    vfloat sum = (vfloat)(0.0f);
    for (uint k = 0; k < n; k++)
        sum += load_part(x + at + (size_t)k * stride * D, left);
    const vfloat mean = sum / n;
    for (uint k = 0; k < n; k++) {
        const size_t row = at + (size_t)k * stride * D;
        store_part(y + row, load_part(x + row, left) - mean, left);
    }
}
