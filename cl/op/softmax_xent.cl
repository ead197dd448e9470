/* softmax_xent.cl -- softmax cross-entropy: lse_n = log sum_k e^x_nk, loss = mean_n (lse_n - sum_k t_nk x_nk),
 * t_nk = (1 - smoothing) [k == label] + smoothing / K; dx_nk = dloss / N (e^(x_nk - lse_n) - t_nk).
 * x, dx: [N][K]; label: int [N]; lse, each, hit: [N]. A label outside [0, K) makes its row's loss NaN,
 * and so the mean.
 * Grid: groups of LANES work-items, each `rows` rows; _mean: one group. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

/* hit: 1 where the label is the first of the largest logits. */
kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
softmax_xent_fwd(global float *lse, global float *each, global float *hit, const global float *x,
                 const global int *label, const float smoothing, const ulong N, const int K,
                 const uint rows)
{
    local float part[LANES];
    CTR_GROUP_ROWS(n, N, rows)
    {
        const global float *xn = x + n * K;
        const int own = label[n], valid = own >= 0 && own < K;
        float top = xn[0], earlier = 0.0f, rest = 0.0f, below_rest = 0.0f;
        vfloat many = (vfloat)(xn[0]), sum = (vfloat)(0.0f), below = (vfloat)(0.0f);
        CTR_ROW_COLUMNS(k, K, const vfloat v = vload(0, xn + k); many = v > many ? v : many,
                        top = xn[k] > top ? xn[k] : top)
        top = ctr_row_max(part, fmax(top, ctr_vmax(many)));
        CTR_ROW_COLUMNS(k, K, sum += exp(vload(0, xn + k) - top), rest += exp(xn[k] - top))
        const float log_sum = log(ctr_row_sum(part, ctr_vsum(sum) + rest));
        if (smoothing > 0.0f) {
            CTR_ROW_COLUMNS(k, K, below += vload(0, xn + k) - top, below_rest += xn[k] - top)
            below_rest = ctr_row_sum(part, ctr_vsum(below) + below_rest) * (smoothing / K);
        }
        for (int k = get_local_id(0); valid && k < own; k += LANES)
            earlier += xn[k] >= top ? 1.0f : 0.0f;
        earlier = ctr_row_sum(part, earlier);
        if (get_local_id(0) == 0) {
            lse[n] = top + log_sum;
            each[n] = valid ? log_sum - (1.0f - smoothing) * (xn[own] - top) - below_rest : NAN;
            hit[n] = valid && xn[own] >= top && earlier == 0.0f ? 1.0f : 0.0f;
        }
    }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
softmax_xent_mean(global float *loss, global float *accuracy, const global float *each,
                  const global float *hit, const int N)
{
    local float part[LANES];
    vfloat e = (vfloat)(0.0f), h = (vfloat)(0.0f);
    float e_rest = 0.0f, h_rest = 0.0f;
    CTR_ROW_COLUMNS(n, N, e += vload(0, each + n); h += vload(0, hit + n), e_rest += each[n];
                    h_rest += hit[n])
    const float total = ctr_row_sum(part, ctr_vsum(e) + e_rest);
    const float hits = ctr_row_sum(part, ctr_vsum(h) + h_rest);
    if (get_local_id(0) == 0) {
        loss[0] = total / N;
        accuracy[0] = hits / N;
    }
}

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
softmax_xent_bwd(global float *dx, const global float *dloss, const global float *x,
                 const global int *label, const global float *lse, const float smoothing,
                 const ulong N, const int K, const uint rows)
{
    const float g = dloss[0] / N, all = g * smoothing / K;
    CTR_GROUP_ROWS(n, N, rows)
    {
        const global float *xn = x + n * K;
        global float *to = dx + n * K;
        const int own = label[n], even = K / VW * VW;
        const int writer = own < even ? own / VW % LANES : (own - even) % LANES;
        const float base = lse[n];
        CTR_ROW_COLUMNS(k, K, vstore(g * exp(vload(0, xn + k) - base) - all, 0, to + k),
                        to[k] = g * exp(xn[k] - base) - all)
        if ((int)get_local_id(0) == writer && own >= 0 && own < K)
            to[own] -= g * (1.0f - smoothing); /* by the lane that wrote it: no barrier */
    }
}
