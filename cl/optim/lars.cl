/* lars.cl -- per entry r = eta |w| / (|g| + wd |w|);  m = momentum m + lr r (g + wd w);  w -= m.
 * Entries free of weight decay take r = 1, wd = 0. With clip min(r, lr) stands for lr r, and infinity for
 * r = 1. Flat buffers of n values (blocks.clh).
 * Three launches: squares of each block, the rate of each entry (blocks of an entry lie side by
 * side, in order), the update. squares[2][blocks]: of w, of dw. */
#include "lib/prelude.clh"
#include "lib/blocks.clh"

#define GROUP 64 /* work-items on one block or entry on GPUs (lars.c) */

#if CTR_CPU
#define LANES 1
#else
#define LANES GROUP
#endif

/* Ordered sum over the group; all work-items call it. */
inline float2 group_sum(float2 v, local float2 *sums)
{
#if !CTR_CPU
    sums[get_local_id(0)] = v;
    for (uint step = LANES / 2; step > 0; step /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (get_local_id(0) < step)
            sums[get_local_id(0)] += sums[get_local_id(0) + step];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    v = sums[0];
#endif
    return v;
}

/* Grid: a group takes blocks [group per, (group + 1) per). */
kernel void lars_squares(global float *squares, global const float *w, global const float *dw,
                         global const float *scalars, const uint n_blocks, const uint per)
{
    local float2 sums[LANES];
    const float factor = gradient_factor(scalars);
    const uint end = min(n_blocks, (uint)(get_group_id(0) + 1) * per);
    for (uint b = get_group_id(0) * per; b < end; b++) {
        size_t at = (size_t)b * CTR_STORE_BLOCK;
        float part_w[VW], part_g[VW];
        vfloat sum_w = 0, sum_g = 0;
        for (uint i = get_local_id(0) * VW; i < CTR_STORE_BLOCK; i += LANES * VW) {
            vfloat v = load_vector(w + at + i), g = load_vector(dw + at + i) * factor;
            sum_w = fma(v, v, sum_w);
            sum_g = fma(g, g, sum_g);
        }
        vstore(sum_w, 0, part_w);
        vstore(sum_g, 0, part_g);
        float2 sum = 0;
        for (uint i = 0; i < VW; i++)
            sum += (float2)(part_w[i], part_g[i]);
        sum = group_sum(sum, sums);
        if (get_local_id(0) == 0) {
            squares[b] = sum.x;
            squares[n_blocks + b] = sum.y;
        }
#if !CTR_CPU
        barrier(CLK_LOCAL_MEM_FENCE); /* sums[] are read before the next block writes them */
#endif
    }
}

/* rates[blocks]: r of the block's entry, `plain` where nothing is adapted. Grid: as above; the group
 * that holds an entry's first block does the entry. Rows of LANES 16 blocks are summed first, then those sums. */
kernel void lars_rates(global float *rates, global const float *squares, global const uint *blocks,
                       const float eta, const float weight_decay, const float plain,
                       const uint n_blocks, const uint per)
{
    local float2 sums[LANES];
    const uint stop = min(n_blocks, (uint)(get_group_id(0) + 1) * per);
    for (uint first = get_group_id(0) * per; first < stop; first++) {
        const uint mark = blocks[first];
        uint end = first;
        float2 sum = 0;
        if (first > 0 && blocks[first - 1] == mark)
            continue;
        while (end < n_blocks && blocks[end] == mark) {
            float2 row = 0;
            for (uint i = 0; i < 16; i++) {
                uint b = end + i * LANES + get_local_id(0);
                if (b < n_blocks && blocks[b] == mark)
                    row += (float2)(squares[b], squares[n_blocks + b]);
            }
            sum += row;
            end += 16 * LANES;
        }
        sum = sqrt(group_sum(sum, sums));
        float below = sum.y + weight_decay * sum.x;
        float rate = sum.x > 0 && below > 0 ? eta * sum.x / below : plain;
        if (mark & CTR_BLOCK_NO_DECAY)
            rate = plain;
        for (uint b = first + get_local_id(0); b < n_blocks && blocks[b] == mark; b += LANES)
            rates[b] = rate;
#if !CTR_CPU
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
    }
}

/* scalars: {lr, step} (blocks.clh). Grid as in sgd.cl. */
kernel void lars_update(global float *w, global float *m, global const float *dw,
                        global const uint *blocks, global const float *rates,
                        global const float *scalars, const float weight_decay,
                        const float own_rate, const float momentum, const int nesterov,
                        const int clip, const ulong n, const uint chunk)
{
    const float factor = gradient_factor(scalars);
    if (factor == 0)
        return;
    const size_t end = min((get_global_id(0) + 1) * (ulong)chunk, n);
    for (size_t i = get_global_id(0) * (size_t)chunk; i < end; i += VW) {
        const float lr = block_rate(blocks, i, scalars[0], own_rate);
        vfloat v = load_vector(w + i);
        vfloat g = fma(v, (vfloat)(block_decay(blocks, i, weight_decay)),
                       load_vector(dw + i) * factor);
        const float rate = rates[i / CTR_STORE_BLOCK];
        g *= clip ? min(rate, lr) : lr * rate;
        vfloat next = fma(load_vector(m + i), (vfloat)(momentum), g);
        store_vector(next, m + i);
        store_vector(v - (nesterov ? fma(next, (vfloat)(momentum), g) : next), w + i);
    }
}
