/* sinkhorn.cl -- q = u_k e_ik r_i, e = e^(s / eps): by turns u_k = 1 / sum_i e_ik r_i over the N rows of a
 * problem and r_i = 1 / sum_k u_k e_ik; at the start r = 1, at the end rows sum to one. The factor N / K that
 * columns should have is one to all of u, which r takes out again.
 * s, q: [M][K]; u: [M / N][K]; r: [M]. q holds e until the last launch. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

/* Grid: element-wise. */
kernel void sinkhorn_exp(global float *q, global const float *s, const float inv_eps, const ulong n,
                         const uint chunk)
{
    CTR_CHUNK_LOOP(i, n, chunk, vstore(exp(inv_eps * vload(0, s + i)), 0, q + i),
                   q[i] = exp(inv_eps * s[i]))
}

/* Grid: a work-item for VW columns of a problem. */
kernel void sinkhorn_columns(global float *u, global const float *q, global const float *r,
                             const int first, const uint N, const uint K, const ulong items)
{
    const uint blocks = (K + VW - 1) / VW;
    if (get_global_id(0) >= items)
        return;
    const uint c = get_global_id(0) % blocks * VW;
    const size_t problem = get_global_id(0) / blocks, i0 = problem * N;
    q += i0 * K;
    u += problem * K;
    if (c + VW <= K) {
        vfloat sum = (vfloat)(0.0f);
        for (uint n = 0; n < N; n++)
            sum += (first ? 1.0f : r[i0 + n]) * vload(0, q + (size_t)n * K + c);
        vstore(1.0f / sum, 0, u + c);
        return;
    }
    for (uint k = c; k < K; k++) {
        float sum = 0.0f;
        for (uint n = 0; n < N; n++)
            sum += (first ? 1.0f : r[i0 + n]) * q[(size_t)n * K + k];
        u[k] = 1.0f / sum;
    }
}

/* Grid: groups of LANES work-items, each `rows` rows. last: q = u e r. */
kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
sinkhorn_rows(global float *q, global float *r, const global float *u, const int last, const ulong N,
              const ulong M, const int K, const uint rows)
{
    local float part[LANES];
    CTR_GROUP_ROWS(i, M, rows)
    {
        global float *row = q + i * K;
        const global float *factor = u + i / N * K;
        vfloat sum = (vfloat)(0.0f);
        float rest = 0.0f;
        CTR_ROW_COLUMNS(k, K, sum += vload(0, factor + k) * vload(0, row + k),
                        rest += factor[k] * row[k])
        const float own = 1.0f / ctr_row_sum(part, ctr_vsum(sum) + rest);
        if (get_local_id(0) == 0)
            r[i] = own;
        if (last)
            CTR_ROW_COLUMNS(k, K, vstore(own * vload(0, factor + k) * vload(0, row + k), 0, row + k),
                            row[k] *= own * factor[k])
    }
}
