/* row_dot.cl -- y_i = scale * a_i.b_j, j = (i + shift) mod K.  a: [M][D]; b: [K][D]; y: [M].
 * Grid: groups of LANES work-items, each `rows` rows. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
row_dot_fwd(global float *y, const global float *a, const global float *b, const float scale,
            const ulong shift, const ulong M, const ulong K, const int D, const uint rows)
{
    local float part[LANES];
    CTR_GROUP_ROWS(i, M, rows)
    {
        const global float *ai = a + i * D, *bj = b + (i + shift) % K * D;
        vfloat sum = (vfloat)(0.0f);
        float rest = 0.0f;
        CTR_ROW_COLUMNS(d, D, sum += vload(0, ai + d) * vload(0, bj + d), rest += ai[d] * bj[d])
        const float dot = ctr_row_sum(part, ctr_vsum(sum) + rest);
        if (get_local_id(0) == 0)
            y[i] = scale * dot;
    }
}

/* dx_i = scale * (dy_i o_(i + shift) if sides & 1, + sum_r dy_r o_r over r = i - shift modulo K if sides &
 * 2), row i of R = M or K; o is the other operand. */
kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
row_dot_bwd(global float *dx, const global float *dy, const global float *o, const float scale,
            const int sides, const ulong shift, const ulong R, const ulong M, const ulong K, const int D,
            const uint rows)
{
    CTR_GROUP_ROWS(i, R, rows)
    {
        const size_t next = sides & 1 ? (i + shift) % K : 0, last = sides & 2 ? (i + K - shift) % K : M;
        const float p = sides & 1 ? scale * dy[i] : 0.0f, q = last < M ? scale * dy[last] : 0.0f;
        const global float *on = o + next * D, *ol = o + (last < M ? last : 0) * D;
        global float *to = dx + i * D;
        CTR_ROW_COLUMNS(d, D, vstore(p * vload(0, on + d) + q * vload(0, ol + d), 0, to + d),
                        to[d] = p * on[d] + q * ol[d])
        for (size_t r = last + K; r < M; r += K) {
            const float more = scale * dy[r];
            ol = o + r * D;
            CTR_ROW_COLUMNS(d, D, vstore(more * vload(0, ol + d) + vload(0, to + d), 0, to + d),
                            to[d] += more * ol[d])
        }
    }
}
