/* sgd.cl -- g += wd w;  m = momentum m + g;  w -= lr (nesterov ? g + momentum m : m).
 * Flat buffers of n values and scalars {lr, step} (blocks.clh). Grid: 1-D, a work-item does `chunk`
 * values (prelude.clh); vectors never cross a block. */
#include "lib/prelude.clh"
#include "lib/blocks.clh"

kernel void sgd_update(global float *w, global float *m, global const float *dw,
                       global const uint *blocks, global const float *scalars,
                       const float weight_decay, const float own_rate, const float momentum,
                       const int nesterov, const ulong n, const uint chunk)
{
    const float lr = scalars[0], factor = gradient_factor(scalars);
    if (factor == 0)
        return;
    const size_t end = min((get_global_id(0) + 1) * (ulong)chunk, n);
    for (size_t i = get_global_id(0) * (size_t)chunk; i < end; i += VW) {
        vfloat v = load_vector(w + i), old = load_vector(m + i);
        vfloat g = fma(v, (vfloat)(block_decay(blocks, i, weight_decay)), load_vector(dw + i) * factor);
        vfloat next = fma(old, (vfloat)(momentum), g);
        vfloat step = nesterov ? fma(next, (vfloat)(momentum), g) : next;
        store_vector(next, m + i);
        store_vector(fma(step, (vfloat)(-block_rate(blocks, i, lr, own_rate)), v), w + i);
    }
}
