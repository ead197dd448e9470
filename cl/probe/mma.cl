/* mma.cl -- do matrix units compute, and are fragments where cl/lib/mma.clh takes them to be: y[16][8] = A B
 * + a, with A[m][k] = x[(7m + 5k) % 64] and B[k][n] = x[(11n + 3k) % 64], 8 deep in tf32, 16 deep else; exact
 * for the values given. Grid: one warp, 32 work-items. Built only to find out: may fail. */
#include "lib/prelude.clh"
#ifndef MMA
#define MMA 1
#endif
#define TILE_INLINE inline __attribute__((always_inline))
#define TILE_ITEMS  32
#include "lib/mma.clh"

#if ACT
inline uint bits(float x)
{
#if ACT == 1
    ushort h;
    vstore_half_rte(x, 0, (private half *)&h);
    return h;
#else
    return as_uint(x) >> 16;
#endif
}
#define WORD(x, at, step) (bits(x[(at) % 64]) | bits(x[((at) + (step)) % 64]) << 16)
#define DEEP              2 /* values of a word */
#else
#define WORD(x, at, step) mma_tf32(x[(at) % 64])
#define DEEP              1
#endif

kernel __attribute__((reqd_work_group_size(32, 1, 1))) void probe_mma(global float *y,
                                                                      global const float *x,
                                                                      const float a)
{
    const int lid = get_local_id(0);
    local uint A[16 * MMA_DEEP], B[8 * MMA_DEEP];
    MMA_LOCALS(6);
    uint u[4], v[2];
    float r[4] = {a, a, a, a};
    for (int i = lid; i < 16 * MMA_DEEP; i += 32)
        A[i] = WORD(x, i / MMA_DEEP * 7 + i % MMA_DEEP * DEEP * 5, 5);
    for (int i = lid; i < 8 * MMA_DEEP; i += 32)
        B[i] = WORD(x, i / MMA_DEEP * 11 + i % MMA_DEEP * DEEP * 3, 3);
    barrier(CLK_LOCAL_MEM_FENCE);
    mma_load_a(u, A, MMA_DEEP, 1);
    mma_load_b(v, B, MMA_DEEP, 1);
    mma_all(r, u, v, 1, 1, mma_lanes);
    for (int i = 0; i < 4; i++)
        y[(MMA_ROW + i / 2 * 8) * 8 + MMA_WORD * 2 + i % 2] = r[i];
}
