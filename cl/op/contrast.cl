/* contrast.cl -- contrastive losses of rows: loss = mean_i f(pos_i, neg_i), with x = neg - pos,
 *   kind 0   log(1 + e^x), that is NT-Xent: the positive is in the denominator
 *   kind 1   x: it is not
 *   kind 2   neg - w_i pos, w_i = 2 - M softmax_i(a pos), held constant
 *   kind 3   log(1 + e^y), y the larger of log((e^x - a n) / (1 - a)) and its floor log n - scale - pos
 * pos, neg, top: [M]; floor: log n - scale.  Grid: one group of LANES work-items. */
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

/* log(softmax's denominator) of a * pos. */
static inline float weights_lse(local float *part, const global float *pos, float a, int M)
{
    float top = -INFINITY, sum = 0.0f;
    for (int i = get_local_id(0); i < M; i += LANES)
        top = fmax(top, a * pos[i]);
    top = ctr_row_max(part, top);
    for (int i = get_local_id(0); i < M; i += LANES)
        sum += exp(a * pos[i] - top);
    return top + log(ctr_row_sum(part, sum));
}

/* y of kind 3; *slope: dy / dx, 0 at the floor. NaN stays. */
static inline float debiased(float *slope, float x, float pos, float a, float an, float least)
{
    const float t = an * exp(-x);
    const float own = t >= 1.0f ? -INFINITY : x + log1p(-t) - log1p(-a);
    least -= pos;
    *slope = own < least ? 0.0f : 1.0f / (1.0f - t);
    return own < least ? least : own;
}

/* nearest: rows whose positive is above `top`, the best negative, by more than rounding. */
kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
contrast_fwd(global float *loss, global float *nearest, global float *similarity,
             const global float *pos, const global float *neg, const global float *top,
             const int has_top, const float inv_scale, const int kind, const float a, const float an,
             const float least, const int M)
{
    local float part[LANES];
    float sum = 0.0f, near = 0.0f, mean = 0.0f, slope;
    const float lse = kind == 2 ? weights_lse(part, pos, a, M) : 0.0f;
    for (int i = get_local_id(0); i < M;) {
        float s = 0.0f, m = 0.0f; /* few at a time, to round less */
        for (int end = min(M, i + 64 * LANES); i < end; i += LANES) {
            const float p = pos[i], x = neg[i] - p;
            if (kind == 0)
                s += softplus(x);
            else if (kind == 3)
                s += softplus(debiased(&slope, x, p, a, an, least));
            else
                s += kind == 2 ? neg[i] - (2.0f - M * exp(a * p - lse)) * p : x;
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
             const global float *pos, const global float *neg, const int kind, const float a,
             const float an, const float least, const int M)
{
    local float part[LANES];
    const float g = dloss[0] / M, lse = kind == 2 ? weights_lse(part, pos, a, M) : 0.0f;
    for (int i = get_local_id(0); i < M; i += LANES) {
        const float p = pos[i], x = neg[i] - p;
        float dp = g, dn = g, slope;
        if (kind == 0) {
            dp = dn = g * logistic(x);
        } else if (kind == 2) {
            dp = g * (2.0f - M * exp(a * p - lse));
        } else if (kind == 3) {
            const float w = g * logistic(debiased(&slope, x, p, a, an, least));
            dn = slope * w;
            dp = slope > 0.0f ? dn : w;
        }
        dpos[i] = -dp;
        dneg[i] = dn;
    }
}
