/* decorrelate.cl -- loss = diagonal * sum_i f(c_ii) + off * sum_{i != j} c_ij^2;  kind 0: f(c) = (1 - c)^2,
 * kind 1: f(c) = max(1 - sqrt(max(c, 0) + 1e-4), 0).  c, dc: [D][D].
 * Grid: groups of LANES work-items, each `rows` rows; decorrelate_sum one group. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

static inline float spread(float c)
{
    return sqrt(fmax(c, 0.0f) + 1e-4f);
}

/* part: [D], by row. */
kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
decorrelate_fwd(global float *part, const global float *c, const int kind, const float diagonal,
                const float off, const int D, const uint rows)
{
    local float shared[LANES];
    CTR_GROUP_ROWS(i, D, rows)
    {
        const global float *row = c + i * D;
        const int own = i;
        float square = 0.0f, rest = 0.0f;
        CTR_ROW_COLUMNS(
            d, D, const vfloat v = vload(0, row + d);
            if (own < d || own >= d + VW) square += ctr_vsum(v * v);
            else for (int l = d; l < d + VW; l++) square += l == own ? 0.0f : row[l] * row[l],
            rest += d == own ? 0.0f : row[d] * row[d])
        const float sum = ctr_row_sum(shared, square + rest), x = row[own];
        const float f = kind == 0 ? (1.0f - x) * (1.0f - x) : fmax(1.0f - spread(x), 0.0f);
        if (get_local_id(0) == 0)
            part[i] = diagonal * f + off * sum;
    }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
decorrelate_sum(global float *loss, const global float *part, const int D)
{
    local float shared[LANES];
    float sum = 0.0f;
    for (int i = get_local_id(0); i < D; i += LANES)
        sum += part[i];
    sum = ctr_row_sum(shared, sum);
    if (get_local_id(0) == 0)
        loss[0] = sum;
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
decorrelate_bwd(global float *dc, const global float *dloss, const global float *c, const int kind,
                const float diagonal, const float off, const int D, const uint rows)
{
    const float g = dloss[0];
    CTR_GROUP_ROWS(i, D, rows)
    {
        const global float *row = c + i * D;
        global float *to = dc + i * D;
        const int own = i, even = D / VW * VW;
        const int writer = own < even ? own / VW % LANES : (own - even) % LANES;
        CTR_ROW_COLUMNS(d, D, vstore(2.0f * g * off * vload(0, row + d), 0, to + d),
                        to[d] = 2.0f * g * off * row[d])
        if ((int)get_local_id(0) == writer) { /* the lane that wrote it: no barrier */
            const float x = row[own], s = spread(x);
            to[own] = g * diagonal *
                      (kind == 0                  ? -2.0f * (1.0f - x)
                       : s < 1.0f && x > 0.0f ? -0.5f / s
                                                  : 0.0f);
        }
    }
}
