/* builtin.cl -- y = value;  y = a;  y = a + b;  y = a in the first turn of a part, then y += a.
 * Any shape, contiguous, n values. Grid: 1-D, a work-item does `chunk` values (prelude.clh). */
#include "lib/prelude.clh"
#include "lib/rows.clh"

kernel void builtin_fill(global float *y, const float value, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, store_vector((vfloat)(value), y + i), y[i] = value)
}

kernel void builtin_copy(global act_t *y, global const act_t *a, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vstore(vload(0, a + i), 0, y + i), y[i] = a[i])
}

kernel void builtin_sum(global act_t *y, global const act_t *a, global const act_t *b,
                        const int stream, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk,
                   stream_act_part(y + i, load_act_part(a + i, VW) + load_act_part(b + i, VW), VW,
                                   stream),
                   put_act(get_act(a + i) + get_act(b + i), y + i))
}

kernel void builtin_accumulate(global float *y, global const float *a, global const int *turn,
                               const ulong n, const uint chunk)
{
    const int first = turn[0] == 0;
    CTR_CHUNK_LOOP(i, n, chunk,
                   store_vector(first ? load_vector(a + i) : load_vector(y + i) + load_vector(a + i),
                                y + i),
                   y[i] = first ? a[i] : y[i] + a[i])
}
