/* mean.cl -- y = offset + share * sum(x), share = scale / n;  dx_i = share dy.  x: [n].
 * Grid: mean_fwd one group of LANES work-items; mean_bwd element-wise. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
mean_fwd(global float *y, const global float *x, const float share, const float offset, const int n)
{
    local float part[LANES];
    vfloat sum = (vfloat)(0.0f);
    float rest = 0.0f;
    CTR_ROW_COLUMNS(i, n, sum += vload(0, x + i), rest += x[i])
    const float total = ctr_row_sum(part, ctr_vsum(sum) + rest);
    if (get_local_id(0) == 0)
        y[0] = offset + share * total;
}

kernel void mean_bwd(global float *dx, const global float *dy, const float share, const ulong n,
                     const uint chunk)
{
    const float each = share * dy[0];
    CTR_CHUNK_LOOP(i, n, chunk, vstore((vfloat)(each), 0, dx + i), dx[i] = each)
}
