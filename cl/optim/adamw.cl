/* adamw.cl -- m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;
 * w -= lr wd w + lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps).
 * Flat buffers of n values and scalars {lr, t}, t from 1 (blocks.clh). 1 - b and ln b come from the
 * host, where they are rounded once: 1 - 0.999f would be off by 1e-5. Grid as in sgd.cl. */
#include "lib/prelude.clh"
#include "lib/blocks.clh"

kernel void adamw_update(global float *w, global float *m, global float *v, global const float *dw,
                         global const uint *blocks, global const float *scalars,
                         const float weight_decay, const float own_rate, const float beta1,
                         const float beta2, const float rest1, const float rest2, const float ln_beta1,
                         const float ln_beta2, const float eps, const ulong n, const uint chunk)
{
    const float lr = scalars[0], t = scalars[1], factor = gradient_factor(scalars);
    if (factor == 0)
        return;
    const float debias = -expm1(t * ln_beta1), root = 1.0f / sqrt(-expm1(t * ln_beta2));
    const size_t end = min((get_global_id(0) + 1) * (ulong)chunk, n);
    for (size_t i = get_global_id(0) * (size_t)chunk; i < end; i += VW) {
        vfloat g = load_vector(dw + i) * factor, x = load_vector(w + i);
        vfloat first = fma(load_vector(m + i), (vfloat)(beta1), g * rest1);
        vfloat second = fma(load_vector(v + i), (vfloat)(beta2), g * g * rest2);
        const float rate = block_rate(blocks, i, lr, own_rate), step = rate / debias;
        const float decay = rate * block_decay(blocks, i, weight_decay);
        store_vector(first, m + i);
        store_vector(second, v + i);
        x = fma(x, (vfloat)(-decay), x);
        store_vector(x - step * first / fma(sqrt(second), (vfloat)(root), (vfloat)(eps)), w + i);
    }
}
