/* add.cl -- y = a + b, or max(a + b, 0);  da = db = dy where y > 0 (without ReLU: dy, no kernel).
 * All: n values, any shape, contiguous.  Grid: 1-D, a work-item does `chunk` values. */
#include "lib/prelude.clh"

kernel void add_fwd(global act_t *y, global const act_t *a, global const act_t *b, const ulong n,
                    const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, store_act_vector(load_act_vector(a + i) + load_act_vector(b + i), y + i),
                   put_act(get_act(a + i) + get_act(b + i), y + i))
}

kernel void add_fwd_relu(global act_t *y, global const act_t *a, global const act_t *b, const ulong n,
                         const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, const vfloat v = load_act_vector(a + i) + load_act_vector(b + i);
                   store_act_vector(select(v, (vfloat)(0.0f), v < 0.0f), y + i),
                   const float v = get_act(a + i) + get_act(b + i);
                   put_act(v < 0.0f ? 0.0f : v, y + i))
}

kernel void add_bwd_relu(global act_t *dx, global const act_t *dy, global const act_t *y, const ulong n,
                         const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, const vfloat v = load_act_vector(dy + i);
                   store_act_vector(select(v, (vfloat)(0.0f), load_act_vector(y + i) <= 0.0f), dx + i),
                   put_act(get_act(y + i) <= 0.0f ? 0.0f : get_act(dy + i), dx + i))
}
