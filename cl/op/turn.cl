/* turn.cl -- of each block of n words a turn, n_all those of all turns: part = all[turn];
 * all[turn] = part. Grid: element-wise over a block's n, by blocks. */
#include "lib/prelude.clh"

#ifdef BYTES
typedef uchar word_t;
#else
typedef uint word_t;
#endif

kernel void turn_take(global word_t *part, global const word_t *all, global const int *turn,
                      const ulong n, const ulong n_all, const uint chunk)
{
    all += get_global_id(1) * n_all + turn[0] * n;
    part += get_global_id(1) * n;
    CTR_CHUNK_LOOP(i, n, chunk, vstore(vload(0, all + i), 0, part + i), part[i] = all[i])
}

kernel void turn_put(global word_t *all, global const word_t *part, global const int *turn,
                     const ulong n, const ulong n_all, const uint chunk)
{
    all += get_global_id(1) * n_all + turn[0] * n;
    part += get_global_id(1) * n;
    CTR_CHUNK_LOOP(i, n, chunk, vstore(vload(0, part + i), 0, all + i), all[i] = part[i])
}
