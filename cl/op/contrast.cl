/* contrast.cl -- contrastive losses of rows: loss = mean_i f(pos_i, neg_i), with
 *   kind 0   log(1 + e^(neg - pos)), that is NT-Xent: the positive is in the denominator
 *   kind 1   neg - pos: it is not
 * pos, neg, top: [M].  Grid: one group of LANES work-items. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

/* log(1 + e^x) and its derivative. Large x either way stay finite. */
static inline float softplus(float x)
{
    return (x > 0.0f ? x : 0.0f) + log1p(exp(-fabs(x)));
}

static inline float logistic(float x)
{
    const float e = exp(-fabs(x));
    return (x > 0.0f ? 1.0f : e) / (1.0f + e);
}

/* nearest: rows whose positive is above `top`, the best negative, by more than rounding. */
kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
contrast_fwd(global float *loss, global float *nearest, global float *similarity,
             const global float *pos, const global float *neg, const global float *top,
             const int has_top, const float inv_scale, const int kind, const int M)
{
    local float part[LANES];
    float sum = 0.0f, near = 0.0f, mean = 0.0f;
    for (int i = get_local_id(0); i < M;) {
        float s = 0.0f, m = 0.0f; /* few at a time, to round less */
        for (int end = min(M, i + 64 * LANES); i < end; i += LANES) {
            const float p = pos[i], x = neg[i] - p;
            s += kind == 0 ? softplus(x) : x;
            m += p;
            near += has_top && p - top[i] > 1e-6f * fabs(p) ? 1.0f : 0.0f;
        }
        sum += s;
        mean += m;
    }
    sum = ctr_row_sum(part, sum);
    near = ctr_row_sum(part, near);
    mean = ctr_row_sum(part, mean);
    if (get_local_id(0) == 0) {
        loss[0] = sum / M;
        nearest[0] = near / M;
        similarity[0] = inv_scale * mean / M;
    }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
contrast_bwd(global float *dpos, global float *dneg, const global float *dloss,
             const global float *pos, const global float *neg, const int kind, const int M)
{
    const float g = dloss[0] / M;
    for (int i = get_local_id(0); i < M; i += LANES) {
        const float w = kind == 0 ? g * logistic(neg[i] - pos[i]) : g;
        dpos[i] = -w;
        dneg[i] = w;
    }
}
