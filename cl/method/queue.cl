/* queue.cl -- n rows of D values into a ring of K rows: row r of step number s (step[3], from 1) goes to
 * row ((s - 1) n + r) mod K.  Grid: element-wise over the n rows. */
#include "lib/prelude.clh"

kernel void queue_put(global float *queue, global const float *rows, global const uint *step,
                      const ulong K, const ulong D, const ulong total, const uint chunk)
{
    const size_t n = total / D, first = (size_t)(step[3] - 1) * n % K;
    size_t i = get_global_id(0) * (size_t)chunk;
    const size_t end = min((ulong)(i + chunk), total);
    for (; i < end; i++)
        queue[(first + i / D) % K * D + i % D] = rows[i];
}
