/* batch_norm.cl -- y = relu((x - mean) invstd gamma + beta + residual) per channel, and its gradients.
 * x, y, residual: rows x C. Statistics in two ordered stages (rows.h): partial results of `per` rows
 * by Welford's update, merged by Chan, Golub and LeVeque's, so that |mean| >> sigma does not cancel.
 *   part[chunks][2][C]: mean and sum of squared deviations; backward: sum g and sum g (x - mean)
 *   saved[2][C]: mean, 1 / sqrt(var + eps)
 *   coef[3][C]: dx = coef0 g + coef1 (x - mean) + coef2 */
#include "lib/prelude.clh"
#include "lib/rows.clh"

#define SUM_GROUP 256 /* work-items of a group in the first stage on GPUs (rows.c) */
#define AT_ONCE   4   /* rows whose values are on their way to a work-item there */

/* Counts na and nb (nb > 0), means and squares of a and b: a becomes the union. */
#define MERGE(na, mean_a, m2_a, nb, mean_b, m2_b)                                                  \
    {                                                                                              \
        float both = (na) + (nb);                                                                  \
        m2_a += (m2_b) + ((mean_b) - mean_a) * ((mean_b) - mean_a) * ((na) * ((nb) / both));       \
        mean_a += ((mean_b) - mean_a) * ((nb) / both);                                             \
        na = both;                                                                                 \
    }

inline float rows_of(uint chunk, uint per, uint rows)
{
    return (float)min(per, rows - chunk * per);
}

/* ---- forward ---- */

#if CTR_CPU
/* Row by row, so that memory is read in order; the statistics so far lie in cache. */
kernel ONE_ITEM void
batch_norm_fwd_sums(global float *part, global const act_t *x, const uint per, const uint rows,
                    const uint C)
{
    size_t first = get_group_id(1) * (size_t)per, end = min((ulong)(first + per), (ulong)rows);
    global float *means = part + get_group_id(1) * (size_t)(2 * C), *squares = means + C;
    for (size_t r = first; r < end; r++) {
        const float before = r - first, share = 1.0f / (before + 1);
        CTR_LANE_LOOP(c, C)
        {
            vfloat mean = 0, m2 = 0, d = load_act_part(x + r * C + c, C - c);
            if (r > first) {
                mean = load_part(means + c, C - c);
                m2 = load_part(squares + c, C - c);
            }
            d -= mean;
            store_part(means + c, fma(d, (vfloat)(share), mean), C - c);
            store_part(squares + c, fma(d * d, (vfloat)(before * share), m2), C - c);
        }
    }
}
#else
kernel void batch_norm_fwd_sums(global float *part, global const act_t *x, const uint per,
                                const uint rows, const uint C)
{
    local vfloat means[SUM_GROUP], squares[SUM_GROUP];
    local float counts[SUM_GROUP];
    const uint lanes = get_local_size(0), c = get_global_id(0) * VW;
    const uint me = get_local_id(1) * lanes + get_local_id(0);
    size_t first = get_group_id(1) * (size_t)per, end = min((ulong)(first + per), (ulong)rows);
    const size_t mine = first + get_local_id(1), step = get_local_size(1);
    vfloat mean = 0, m2 = 0, about = 0;
    float n = 0;
    if (mine < end && c < C)
        about = load_act_part(x + mine * C + c, C - c); /* sums about it: no cancellation */
    for (size_t r = mine; r < end && c < C; r += AT_ONCE * step) {
        vfloat v[AT_ONCE];
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++)
            v[k] = load_act_part(x + (r + k * step < end ? r + k * step : r) * C + c, C - c);
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++) { /* without branches, which loads would wait for */
            const int there = r + k * step < end;
            const vfloat d = there ? v[k] - about : (vfloat)(0);
            mean += d;
            m2 = fma(d, d, m2);
            n += there;
        }
    }
    mean /= max(n, 1.0f);
    m2 -= mean * mean * n;
    means[me] = mean + about;
    squares[me] = m2;
    counts[me] = n;
    for (uint step = get_local_size(1) / 2; step > 0; step /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        uint other = me + step * lanes;
        if (get_local_id(1) < step && counts[other] > 0) {
            MERGE(counts[me], means[me], squares[me], counts[other], means[other], squares[other])
        }
    }
    if (get_local_id(1) == 0 && c < C) {
        global float *out = part + get_group_id(1) * (size_t)(2 * C) + c;
        store_part(out, means[me], C - c);
        store_part(out + C, squares[me], C - c);
    }
}
#endif

/* Statistics of the batch from its parts; moves the running ones. Grid: ctr_grid_row_totals. */
kernel void batch_norm_fwd_totals(global float *saved, global float *running_mean,
                                  global float *running_var, global const float *part,
                                  const float eps, const float momentum, const uint chunks,
                                  const uint per, const uint rows, const uint C)
{
#if CTR_CPU
    for (uint c = get_group_id(0) * 16; c < min(C, (uint)get_group_id(0) * 16 + 16); c++) {
        float n = 0, mean = 0, m2 = 0;
        for (uint i = 0; i < chunks; i++) {
            global const float *p = part + i * (size_t)(2 * C) + c;
            MERGE(n, mean, m2, rows_of(i, per, rows), p[0], p[C])
        }
#else
    local float means[16][16], squares[16][16], counts[16][16];
    const uint lane = get_local_id(1), k = get_local_id(0), c = get_global_id(0);
    float n = 0, mean = 0, m2 = 0;
    for (uint i = lane; i < chunks && c < C; i += 16) {
        global const float *p = part + i * (size_t)(2 * C) + c;
        MERGE(n, mean, m2, rows_of(i, per, rows), p[0], p[C])
    }
    means[lane][k] = mean;
    squares[lane][k] = m2;
    counts[lane][k] = n;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane == 0 && c < C) {
        for (uint i = 1; i < min(16u, chunks); i++)
            MERGE(n, mean, m2, counts[i][k], means[i][k], squares[i][k])
#endif
        saved[c] = mean;
        saved[C + c] = 1.0f / sqrt(m2 / n + eps);
        running_mean[c] += momentum * (mean - running_mean[c]);
        running_var[c] += momentum * (m2 / (n - 1) - running_var[c]);
    }
}

/* Inference: the running statistics take the batch's place. Grid: one item a channel. */
kernel void batch_norm_fwd_running(global float *saved, global const float *running_mean,
                                   global const float *running_var, const float eps, const uint C)
{
    const uint c = get_global_id(0);
    if (c < C) {
        saved[c] = running_mean[c];
        saved[C + c] = 1.0f / sqrt(running_var[c] + eps);
    }
}

/* Written once, so that forward and backward agree to the bit on where a ReLU is open. */
ALWAYS_INLINE vfloat normalise(vfloat x, vfloat mean, vfloat scale, vfloat beta)
{
    return fma(x - mean, scale, beta);
}

/* Rows of an element-wise work-item that are on their way together; on CPUs the next one is fetched
 * ahead by itself. */
#define ROWS (CTR_CPU ? 1 : 2)

/* residual is read only with add_residual. stream: rows.clh, as the grid. */
kernel void batch_norm_fwd_apply(global act_t *y, global const act_t *x, global const float *saved,
                                 global const float *gamma, global const float *beta,
                                 global const act_t *residual, const int add_residual,
                                 const int use_relu, const int stream, const uint per,
                                 const uint rows, const uint C)
{
    CTR_ROWS_LOOP(r, rows, per, ROWS)
    CTR_LANE_LOOP(c, C)
    {
        const int n = C - c;
        vfloat scale = load_part(saved + C + c, n) * load_part(gamma + c, n);
        vfloat mean = load_part(saved + c, n), shift = load_part(beta + c, n), v[ROWS], add[ROWS];
#pragma unroll
        for (int k = 0; k < ROWS; k++) {
            const size_t at = CTR_ROW(r, k) * C + c;
            v[k] = load_act_part(x + at, n);
            add[k] = add_residual ? load_act_part(residual + at, n) : (vfloat)(0);
        }
#pragma unroll
        for (int k = 0; k < ROWS; k++) {
            v[k] = normalise(v[k], mean, scale, shift);
            if (add_residual)
                v[k] += add[k];
            if (CTR_ROW_THERE(r, k))
                stream_act_part(y + (r + k) * C + c, use_relu ? relu(v[k]) : v[k], n, stream);
        }
    }
}

/* ---- backward: g = dy where the ReLU is open ---- */

/* The host defines MASK, how the mask is found: no ReLU; from x (its normalised value again); from
 * y (with a residual); from y, and g is also written: it is the residual's gradient, and saves the
 * second pass the mask. */
#define MASK_NONE 0
#define MASK_X    1
#define MASK_Y    2
#define MASK_KEEP 3
#ifndef MASK
#define MASK MASK_NONE
#endif

ALWAYS_INLINE vfloat masked(vfloat dy, vfloat x, vfloat mean, vfloat scale, vfloat beta,
                            global const act_t *y, int n)
{
    if (MASK == MASK_X)
        return relu_mask(dy, normalise(x, mean, scale, beta));
    return MASK == MASK_NONE ? dy : relu_mask(dy, load_act_part(y, n));
}

#if CTR_CPU
kernel ONE_ITEM void
batch_norm_bwd_sums(global float *part, global act_t *g_out, global const act_t *dy,
                    global const act_t *x, global const act_t *y, global const float *saved,
                    global const float *gamma, global const float *beta, const int stream,
                    const uint per, const uint rows, const uint C)
{
    size_t first = get_group_id(1) * (size_t)per, end = min((ulong)(first + per), (ulong)rows);
    global float *sums = part + get_group_id(1) * (size_t)(2 * C), *dots = sums + C;
    for (size_t r = first; r < end; r++)
        CTR_LANE_LOOP(c, C)
        {
            const int n = C - c;
            const size_t at = r * C + c;
            vfloat mean = load_part(saved + c, n), v = load_act_part(x + at, n), sum = 0, dot = 0;
            vfloat scale = load_part(saved + C + c, n) * load_part(gamma + c, n);
            vfloat g = masked(load_act_part(dy + at, n), v, mean, scale, load_part(beta + c, n),
                              y + at, n);
            if (MASK == MASK_KEEP)
                stream_act_part(g_out + at, g, n, stream);
            if (r > first) {
                sum = load_part(sums + c, n);
                dot = load_part(dots + c, n);
            }
            store_part(sums + c, sum + g, n);
            store_part(dots + c, fma(g, v - mean, dot), n);
        }
}
#else
kernel void batch_norm_bwd_sums(global float *part, global act_t *g_out, global const act_t *dy,
                                global const act_t *x, global const act_t *y,
                                global const float *saved, global const float *gamma,
                                global const float *beta, const int stream, const uint per,
                                const uint rows, const uint C)
{
    local vfloat sums[SUM_GROUP], dots[SUM_GROUP];
    const uint lanes = get_local_size(0), c = get_global_id(0) * VW;
    const uint me = get_local_id(1) * lanes + get_local_id(0);
    const int n = (int)C - (int)c;
    size_t first = get_group_id(1) * (size_t)per, end = min((ulong)(first + per), (ulong)rows);
    vfloat sum = 0, dot = 0, mean = 0, scale = 0, b = 0;
    if (n > 0) {
        mean = load_part(saved + c, n);
        scale = load_part(saved + C + c, n) * load_part(gamma + c, n);
        b = load_part(beta + c, n);
    }
    const size_t step = get_local_size(1);
    for (size_t r = first + get_local_id(1); r < end && n > 0; r += AT_ONCE * step) {
        vfloat v[AT_ONCE], g[AT_ONCE];
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++) {
            const size_t at = (r + k * step < end ? r + k * step : r) * C + c;
            v[k] = load_act_part(x + at, n);
            g[k] = masked(load_act_part(dy + at, n), v[k], mean, scale, b, y + at, n);
        }
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++) {
            const vfloat d = r + k * step < end ? g[k] : (vfloat)(0);
            sum += d;
            dot = fma(d, v[k] - mean, dot);
        }
#pragma unroll
        for (int k = 0; MASK == MASK_KEEP && k < AT_ONCE; k++)
            if (r + k * step < end)
                stream_act_part(g_out + (r + k * step) * C + c, g[k], n, stream);
    }
    sums[me] = sum;
    dots[me] = dot;
    for (uint step = get_local_size(1) / 2; step > 0; step /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (get_local_id(1) < step) {
            sums[me] += sums[me + step * lanes];
            dots[me] += dots[me + step * lanes];
        }
    }
    if (get_local_id(1) == 0 && n > 0) {
        global float *out = part + get_group_id(1) * (size_t)(2 * C) + c;
        store_part(out, sums[me], n);
        store_part(out + C, dots[me], n);
    }
}
#endif

/* Totals in order: dgamma, dbeta and the coefficients of dx, whose last two are 0 when the
 * statistics were constants (share = 0; in training 1 / rows). Grid: ctr_grid_row_totals. */
kernel void batch_norm_bwd_totals(global float *dgamma, global float *dbeta, global float *coef,
                                  global const float *part, global const float *saved,
                                  global const float *gamma, const float share, const uint chunks,
                                  const uint C)
{
#if CTR_CPU
    for (uint c = get_group_id(0) * 16; c < min(C, (uint)get_group_id(0) * 16 + 16); c++) {
        float sum = 0, dot = 0;
        for (uint i = 0; i < chunks; i++) {
            sum += part[i * (size_t)(2 * C) + c];
            dot += part[i * (size_t)(2 * C) + C + c];
        }
#else
    local float sums[16][16], dots[16][16];
    const uint lane = get_local_id(1), k = get_local_id(0), c = get_global_id(0);
    float sum = 0, dot = 0;
    for (uint i = lane; i < chunks && c < C; i += 16) {
        sum += part[i * (size_t)(2 * C) + c];
        dot += part[i * (size_t)(2 * C) + C + c];
    }
    sums[lane][k] = sum;
    dots[lane][k] = dot;
    barrier(CLK_LOCAL_MEM_FENCE);
    if (lane == 0 && c < C) {
        for (uint i = 1; i < 16; i++) {
            sum += sums[i][k];
            dot += dots[i][k];
        }
#endif
        float invstd = saved[C + c], scale = gamma[c] * invstd;
        dgamma[c] = dot * invstd;
        dbeta[c] = sum;
        coef[c] = scale;
        coef[C + c] = -scale * invstd * invstd * dot * share;
        coef[2 * C + c] = -scale * sum * share;
    }
}

/* Grid: rows.clh. */
kernel void batch_norm_bwd_dx(global act_t *dx, global const act_t *dy, global const act_t *x,
                              global const act_t *y, global const float *saved,
                              global const float *coef, global const float *gamma,
                              global const float *beta, const int stream, const uint per,
                              const uint rows, const uint C)
{
    CTR_ROWS_LOOP(r, rows, per, ROWS)
    CTR_LANE_LOOP(c, C)
    {
        const int n = C - c;
        vfloat mean = load_part(saved + c, n), shift = load_part(beta + c, n), v[ROWS], g[ROWS];
        vfloat scale = load_part(saved + C + c, n) * load_part(gamma + c, n);
        vfloat to_g = load_part(coef + c, n), to_x = load_part(coef + C + c, n);
        vfloat rest = load_part(coef + 2 * C + c, n);
#pragma unroll
        for (int k = 0; k < ROWS; k++) {
            const size_t at = CTR_ROW(r, k) * C + c;
            v[k] = load_act_part(x + at, n);
            g[k] = masked(load_act_part(dy + at, n), v[k], mean, scale, shift, y + at, n);
        }
#pragma unroll
        for (int k = 0; k < ROWS; k++)
            if (CTR_ROW_THERE(r, k))
                stream_act_part(dx + (r + k) * C + c, fma(to_g, g[k], fma(to_x, v[k] - mean, rest)),
                                n, stream);
    }
}
