/* builtin.cl -- y = value;  y = a;  y = a + b.
 * Any shape, contiguous, n values. Grid: 1-D, a work-item does `chunk` values (prelude.clh). */
#include "lib/prelude.clh"

kernel void builtin_fill(global float *y, const float value, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vstore((vfloat)(value), 0, y + i), y[i] = value)
}

kernel void builtin_copy(global act_t *y, global const act_t *a, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vstore(vload(0, a + i), 0, y + i), y[i] = a[i])
}

kernel void builtin_sum(global act_t *y, global const act_t *a, global const act_t *b, const ulong n,
                        const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, store_act(load_act(a + i) + load_act(b + i), y + i),
                   put_act(get_act(a + i) + get_act(b + i), y + i))
}
