/* cast.cl -- y = x: fp32 to fp16 or bf16 (ACT, prelude.clh), rounded to nearest, ties to even; and
 * back. x, y: n values, any shape, contiguous.  Grid: 1-D, a work-item does `chunk` values. */
#include "lib/prelude.clh"

kernel void cast_narrow(global act_t *y, global const float *x, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, store_act_vector(load_vector(x + i), y + i), put_act(x[i], y + i))
}

kernel void cast_widen(global float *y, global const act_t *x, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, store_vector(load_act_vector(x + i), y + i), y[i] = get_act(x + i))
}
