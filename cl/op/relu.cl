/* relu.cl -- y = max(x, 0);  dx = dy where y > 0, else 0.  NaN stays NaN, so that a guard sees it.
 * x, y, dy, dx: n values, any shape, contiguous.  Grid: 1-D, a work-item does `chunk` values. */
#include "lib/prelude.clh"

kernel void relu_fwd(global act_t *y, global const act_t *x, const ulong n, const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vfloat v = load_act_vector(x + i);
                   store_act_vector(select(v, (vfloat)(0.0f), v < 0.0f), y + i),
                   put_act(get_act(x + i) < 0.0f ? 0.0f : get_act(x + i), y + i))
}

kernel void relu_bwd(global act_t *dx, global const act_t *dy, global const act_t *y, const ulong n,
                     const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vfloat v = load_act_vector(dy + i);
                   store_act_vector(select(v, (vfloat)(0.0f), load_act_vector(y + i) <= 0.0f), dx + i),
                   put_act(get_act(y + i) <= 0.0f ? 0.0f : get_act(dy + i), dx + i))
}
