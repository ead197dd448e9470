/* ema.cl -- shadow += rate (values - shadow), flat, n values. step: u32[4], [3] the number of this step
 * from 1; with inv_steps > 0 the rate falls to zero by half a cosine over 1 / inv_steps steps.
 * Grid: element-wise. */
#include "lib/prelude.clh"

kernel void ema_update(global float *shadow, global const float *values, global const uint *step,
                       const float rate, const float inv_steps, const ulong n, const uint chunk)
{
    const float share = min(1.0f, (float)(step[3] - 1) * inv_steps);
    const float r = rate * 0.5f * (1.0f + cospi(share));
    CTR_CHUNK_LOOP(i, n, chunk, const vfloat s = load_vector(shadow + i);
                   store_vector(s + r * (load_vector(values + i) - s), shadow + i),
                   shadow[i] += r * (values[i] - shadow[i]))
}
