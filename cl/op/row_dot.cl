/* row_dot.cl -- y_i = scale * a_i.b_j, j = (i + shift) mod M.  a, b: [M][D]; y: [M].
 * Grid: groups of LANES work-items, each `rows` rows. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
row_dot_fwd(global float *y, const global float *a, const global float *b, const float scale,
            const ulong shift, const ulong M, const int D, const uint rows)
{
    local float part[LANES];
    CTR_ROW_LOOP(i, M, rows)
    {
        const global float *ai = a + i * D, *bj = b + (i + shift) % M * D;
        vfloat sum = (vfloat)(0.0f);
        float rest = 0.0f;
        CTR_ROW_COLUMNS(d, D, sum += vload(0, ai + d) * vload(0, bj + d), rest += ai[d] * bj[d])
        const float dot = ctr_row_sum(part, ctr_vsum(sum) + rest);
        if (get_local_id(0) == 0)
            y[i] = scale * dot;
    }
}

/* dx_i = scale * (dy_i o_(i + shift) if sides & 1, + dy_(i - shift) o_(i - shift) if sides & 2); o is the
 * other operand. */
kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
row_dot_bwd(global float *dx, const global float *dy, const global float *o, const float scale,
            const int sides, const ulong shift, const ulong M, const int D, const uint rows)
{
    CTR_ROW_LOOP(i, M, rows)
    {
        const size_t next = (i + shift) % M, last = (i + M - shift) % M;
        const float p = sides & 1 ? scale * dy[i] : 0.0f, q = sides & 2 ? scale * dy[last] : 0.0f;
        const global float *on = o + next * D, *ol = o + last * D;
        global float *to = dx + i * D;
        CTR_ROW_COLUMNS(d, D, vstore(p * vload(0, on + d) + q * vload(0, ol + d), 0, to + d),
                        to[d] = p * on[d] + q * ol[d])
    }
}
