/* batch.cl -- reads the cursor, hands out this step's samples and numbers, moves the cursor.
 * cursor: u32[4] {step of the epoch, epoch, steps done, -}; order: u32[steps][N]; rates: f32[steps];
 * index: u32[N]; step: u32[4] {seed low, seed high, epoch, number from 1}; scalars: f32[2] {rate,
 * number}. Grid: one work-group. With FED the host brings the batch: no order, no index.
 * batch_labels: the classes of a batch. */
#include "lib/prelude.clh"

kernel void batch_begin(global uint *step, global float *scalars,
#ifndef FED
                        global uint *index,
#endif
                        global uint *cursor, global const float *rates,
#ifndef FED
                        global const uint *order,
#endif
                        const uint seed_lo, const uint seed_hi, const uint steps, const uint N)
{
    const uint at = min(cursor[0], steps - 1), done = cursor[2] + 1;
#ifndef FED
    for (uint i = get_local_id(0); i < N; i += get_local_size(0))
        index[i] = order[(size_t)at * N + i];
#endif
    if (get_local_id(0) == 0) {
        step[0] = seed_lo;
        step[1] = seed_hi;
        step[2] = cursor[1];
        step[3] = done;
        scalars[0] = rates[at];
        scalars[1] = (float)done;
    }
    barrier(CLK_GLOBAL_MEM_FENCE);
    if (get_local_id(0) == 0) {
        cursor[0] = at + 1;
        cursor[2] = done;
    }
}

/* label[N] = labels[index]; n labels, never read past. Grid: N. */
kernel void batch_labels(global int *label, global const int *labels, global const uint *index,
                         const uint n, const uint N)
{
    const size_t i = get_global_id(0);
    if (i < N)
        label[i] = labels[min(index[i], n - 1)];
}
