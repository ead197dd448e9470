/* take_nearest.cl -- y_i = keys[argmax_k s_ik], the first among equals.  s: [M][K]; keys: [K][D]; y: [M][D].
 * Grid: groups of LANES work-items, each `rows` rows. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
take_nearest(global float *y, const global float *s, const global float *keys, const ulong M, const int K,
             const int D, const uint rows)
{
    local float part[LANES];
    CTR_GROUP_ROWS(i, M, rows)
    {
        const global float *row = s + i * K;
        global float *to = y + i * D;
        vfloat best = (vfloat)(-INFINITY);
        float rest = -INFINITY, first = -(float)(K - 1); /* NaN everywhere: the last key */
        CTR_ROW_COLUMNS(k, K, best = fmax(best, vload(0, row + k)), rest = fmax(rest, row[k]))
        const float top = ctr_row_max(part, fmax(ctr_vmax(best), rest));
        for (int k = get_local_id(0); k < K; k += LANES)
            if (row[k] == top) {
                first = fmax(first, -(float)k);
                break;
            }
        const int k = (int)-ctr_row_max(part, first);
        const global float *from = keys + (size_t)k * D;
        CTR_ROW_COLUMNS(d, D, vstore(vload(0, from + d), 0, to + d), to[d] = from[d])
    }
}
