/* loss_scale.cl -- dynamic loss scaling (src/optim/optim.h). state: {doublings less halvings, good
 * steps in a row, steps left out}; the scale is first * 2^state[0], from 1 to 2^24. */
#include "lib/prelude.clh"

#define GROUP 64 /* work-items of the last launch on GPUs (loss_scale.c) */
#if CTR_CPU
#define LANES 1
#else
#define LANES GROUP
#endif

inline float scale_of(float doublings, float first)
{
    return ldexp(first, (int)doublings);
}

/* Grid: one work-item. */
kernel void loss_scale_seed(global float *seed, global const float *state, const float first)
{
    seed[0] = scale_of(state[0], first);
}

/* flags[i]: whether work-item i has seen an infinity or NaN in its share of g: on CPUs `per` values, a
 * multiple of VW, on GPUs every global-size-th vector. n is a multiple of 256 (the store's blocks). */
kernel void loss_scale_look(global uint *flags, global const float *g, const ulong n,
                            const ulong per)
{
    vint bad = 0;
    size_t i = get_global_id(0) * (size_t)(CTR_CPU ? per : VW);
    const size_t end = CTR_CPU ? min(i + (size_t)per, (size_t)n) : n;
    for (; i < end; i += CTR_CPU ? VW : get_global_size(0) * VW) {
        const vint bits = CTR_CAT(as_int, VW)(load_vector(g + i)) & 0x7f800000;
        bad |= bits == 0x7f800000;
    }
    flags[get_global_id(0)] = any(bad);
}

/* out: {rate, steps taken, 1 / scale, or 0 to leave the step out}. At scale 1 no step is left out: what
 * is not finite then is the gradient itself, and the run must come to know. Grid: one group of LANES.
 */
kernel void loss_scale_settle(global float *out, global float *state, global const uint *flags,
                              global const float *scalars, const float first, const float steps,
                              const uint n)
{
    local uint bad[LANES];
    const uint me = get_local_id(0);
    uint any_bad = 0;
    for (uint i = me; i < n; i += LANES)
        any_bad |= flags[i];
    bad[me] = any_bad;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (me > 0)
        return;
    for (uint i = 1; i < LANES; i++)
        any_bad |= bad[i];
    const float scale = scale_of(state[0], first);
    const int skip = any_bad && scale > 1.0f;
    out[0] = scalars[0];
    out[1] = scalars[1] - state[2];
    out[2] = skip ? 0.0f : 1.0f / scale;
    if (skip) {
        state[0] -= 1;
        state[1] = 0;
        state[2] += 1;
        return;
    }
    state[1] += 1;
    if (state[1] >= steps) {
        state[0] += scale < 16777216.0f;
        state[1] = 0;
    }
}
