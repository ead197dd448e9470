/* l2norm.cl -- rows to length one: r = 1 / sqrt(sum x^2 + eps), y = r x;  dx = r (dy - y (y.dy)).
 * x, y, dx, dy: [N][D]; r: [N].  Grid: groups of LANES work-items, each `rows` rows. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
l2norm_fwd(global float *y, global float *r, const global float *x, const float eps, const ulong N,
           const int D, const uint rows)
{
    local float part[LANES];
    CTR_GROUP_ROWS(n, N, rows)
    {
        const global float *from = x + n * D;
        global float *to = y + n * D;
        vfloat square = (vfloat)(0.0f);
        float rest = 0.0f;
        CTR_ROW_COLUMNS(d, D, const vfloat v = vload(0, from + d); square += v * v,
                        rest += from[d] * from[d])
        const float scale = 1.0f / sqrt(ctr_row_sum(part, ctr_vsum(square) + rest) + eps);
        CTR_ROW_COLUMNS(d, D, vstore(scale * vload(0, from + d), 0, to + d), to[d] = scale * from[d])
        if (get_local_id(0) == 0)
            r[n] = scale;
    }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
l2norm_bwd(global float *dx, const global float *dy, const global float *y, const global float *r,
           const ulong N, const int D, const uint rows)
{
    local float part[LANES];
    CTR_GROUP_ROWS(n, N, rows)
    {
        const global float *dyn = dy + n * D, *yn = y + n * D;
        global float *to = dx + n * D;
        vfloat product = (vfloat)(0.0f);
        float rest = 0.0f;
        CTR_ROW_COLUMNS(d, D, product += vload(0, dyn + d) * vload(0, yn + d), rest += dyn[d] * yn[d])
        const float dot = ctr_row_sum(part, ctr_vsum(product) + rest), scale = r[n];
        CTR_ROW_COLUMNS(d, D,
                        vstore(scale * (vload(0, dyn + d) - dot * vload(0, yn + d)), 0, to + d),
                        to[d] = scale * (dyn[d] - dot * yn[d]))
    }
}
