/* mma.cl -- do matrix units compute, are fragments where cl/lib/mma.clh takes them to be, and do
 * copies arrive (copies.clh): y[16][8] = 2 A B + a, with A[m][k] = x[(7m + 5k) % 64] and B[k][n] =
 * x[(11n + 3k) % 64], 8 deep in tf32, 16 deep else; exact for the values given. Where a word has
 * two values the second A B is of B lying the other way. Grid: one warp, 32 work-items. Built only
 * to find out: may fail. */
#include "lib/prelude.clh"
#define TILE_ITEMS  32
#define COPY_GROUPS 2
#define COPY_MOST   1
#include "lib/mma.clh"
#include "lib/copies.clh"

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

kernel __attribute__((reqd_work_group_size(32, 1, 1))) void
probe_mma(global float *y, global const float *in, const float a)
{
    local uint4 x4[32], A4[32], B4[16], turned4[16];
    local const float *x = (local const float *)x4;
    local uint *A = (local uint *)A4, *B = (local uint *)B4, *turned = (local uint *)turned4;
    struct copies copies = {0};
    MMA_LOCALS(6);
    const int lane = MMA_LANE, of_a = lane % 16 * 2 + lane / 16, of_b = lane % 8 * 2 + lane / 8 % 2;
    const int of_turned = lane % 16;
    uint u[4], v[4], w[4];
    float r[4] = {a, a, a, a};
    copy_begin(&copies, x4 + lane, in + 4 * lane, lane < 16);
    copies_group(&copies);
    copies_wait(&copies, 0);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = lane; i < 16 * MMA_DEEP; i += 32) /* [16 rows][8 words] */
        A[i] = WORD(x, i / MMA_DEEP * 7 + i % MMA_DEEP * DEEP * 5, 5);
    for (int i = lane; i < 8 * MMA_DEEP; i += 32) { /* [8 columns][8 words]; [16 deep][4 words] */
        B[i] = WORD(x, i / MMA_DEEP * 11 + i % MMA_DEEP * DEEP * 3, 3);
        turned[i] = WORD(x, i % 4 * 2 * 11 + i / 4 * 3, 11);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    mma_load(u, &of_a, 1, 0, A4, mma_lanes);
    mma_load(v, &of_b, 1, 0, B4, mma_lanes);
    mma_load(w, &of_turned, 1, ACT != 0, ACT ? turned4 : B4, mma_lanes);
    mma_all(r, u, v, 1, 1, mma_lanes);
    mma_all(r, u, ACT ? w : v, 1, 1, mma_lanes);
    for (int i = 0; i < 4; i++)
        y[(MMA_ROW + i / 2 * 8) * 8 + MMA_WORD * 2 + i % 2] = r[i];
}
