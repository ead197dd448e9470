/* dense.cl -- what surrounds the matrix products of y = relu(x w^T + b).
 * y, dy: rows x C (N x O). Forward: bias and ReLU in place. Backward: g = dy where y > 0 and
 * db = sum of g over the rows, in two ordered stages (rows.h): part[chunks][C], then the total. */
#include "lib/prelude.clh"
#include "lib/rows.clh"

#define SUM_GROUP 256 /* work-items of a group in the first stage on GPUs (rows.c) */

/* Grid: rows.clh. */
kernel void dense_fwd_bias(global float *y, global const float *b, const int use_bias,
                           const int use_relu, const uint per, const uint rows, const uint C)
{
    CTR_ROW_LOOP(r, rows, per)
    CTR_LANE_LOOP(c, C)
    {
        vfloat v = load_part(y + r * C + c, (int)(C - c));
        if (use_bias)
            v += load_part(b + c, (int)(C - c));
        store_part(y + r * C + c, use_relu ? relu(v) : v, (int)(C - c));
    }
}

/* g is written with use_relu; else it would equal dy. Grid: ctr_grid_row_sums. */
kernel void dense_bwd_db(global float *part, global float *g, global const float *dy,
                         global const float *y, const int use_relu, const uint per, const uint rows,
                         const uint C)
{
    size_t first = get_group_id(1) * (size_t)per, end = min((ulong)(first + per), (ulong)rows);
    global float *out = part + get_group_id(1) * (size_t)C;
#if CTR_CPU
    CTR_LANE_LOOP(c, C)
#else
    local vfloat sums[SUM_GROUP];
    const uint lanes = get_local_size(0), me = get_local_id(1) * lanes + get_local_id(0);
    const uint c = get_global_id(0) * VW;
#endif
    {
        vfloat sum = 0;
        for (size_t r = first + get_local_id(1); r < end && c < C; r += get_local_size(1)) {
            vfloat v = load_part(dy + r * C + c, (int)(C - c));
            if (use_relu) {
                v = relu_mask(v, load_part(y + r * C + c, (int)(C - c)));
                store_part(g + r * C + c, v, (int)(C - c));
            }
            sum += v;
        }
#if CTR_CPU
        store_part(out + c, sum, (int)(C - c));
    }
#else
        sums[me] = sum;
    }
    for (uint step = get_local_size(1) / 2; step > 0; step /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (get_local_id(1) < step)
            sums[me] += sums[me + step * lanes];
    }
    if (get_local_id(1) == 0 && c < C)
        store_part(out + c, sums[me], (int)(C - c));
#endif
}

/* Grid: ctr_grid_row_totals. */
kernel void dense_bwd_db_total(global float *db, global const float *part, const uint chunks,
                               const uint C)
{
#if CTR_CPU
    const int n = (int)C - (int)get_group_id(0) * VW;
    vfloat sum = 0;
    for (uint i = 0; i < chunks; i++)
        sum += load_part(part + (size_t)i * C + get_group_id(0) * VW, n);
    store_part(db + get_group_id(0) * VW, sum, n);
#else
    local float sums[16][16];
    const uint lane = get_local_id(1), k = get_local_id(0), c = get_global_id(0);
    float sum = 0;
    for (uint i = lane; i < chunks && c < C; i += 16)
        sum += part[(size_t)i * C + c];
    sums[lane][k] = sum;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane == 0 && c < C) {
        for (uint i = 1; i < 16; i++)
            sum += sums[i][k];
        db[c] = sum;
    }
#endif
}
