/* pairs.cl -- losses over pairs of M rows, d_ij^2 = q_i + q_j - 2 s_ij; "same" tells which belong
 * together (by label[i mod N], else by i mod N), a row and itself aside. margin m:
 *   kind 0   1/2 mean_same d^2 + 1/2 mean_other max(m - d, 0)^2
 *   kind 1   mean_i max(m + d_ip - d_in, 0), p the farthest of the same, n the nearest other
 *   kind 2   mean over same pairs i, p of that, n the nearest other beyond p, else the farthest
 *   kind 3   1/2 mean_same -log p + 1/2 mean_other -log(1 - p), p = 1 / (1 + e^-t), t = b - w d
 * s, ds: [M][M]; q, dq: [M]; w, b, dw, db: [1]. Ties go to the first. A distance within rounding of
 * zero has no direction: where the gradient would divide by it there is none.
 * Grid: a work-item a row. */
#include "lib/prelude.clh"

static inline int together(const global int *label, int has_label, int i, int j, int N)
{
    return has_label ? label[i % N] == label[j % N] : i % N == j % N;
}

static inline float squared(const global float *s, const global float *q, int i, int j, int M)
{
    return fmax(q[i] + q[j] - 2.0f * s[(size_t)i * M + j], 0.0f);
}

/* 1 / d where d is more than rounding, else 0. */
static inline float inverse(float d2, float qi, float qj)
{
    return d2 > 1e-7f * (qi + qj) ? rsqrt(d2) : 0.0f;
}

/* Row i's farthest of the same and nearest other; -1: none. */
static inline void hardest(int *p, int *n, const global float *s, const global float *q,
                           const global int *label, int has_label, int i, int N, int M)
{
    float far = -1.0f, near = INFINITY;
    *p = *n = -1;
    for (int j = 0; j < M; j++) {
        const float d2 = squared(s, q, i, j, M);
        const int same = together(label, has_label, i, j, N);
        if (same && j != i && d2 > far) {
            far = d2;
            *p = j;
        } else if (!same && d2 < near) {
            near = d2;
            *n = j;
        }
    }
}

/* The nearest other beyond p, else the farthest other; -1: none. */
static inline int semi_hard(const global float *s, const global float *q, const global int *label,
                            int has_label, int i, int p, int N, int M)
{
    const float least = squared(s, q, i, p, M);
    float near = INFINITY, far = -1.0f;
    int n = -1, last = -1;
    for (int j = 0; j < M; j++) {
        const float d2 = squared(s, q, i, j, M);
        if (together(label, has_label, i, j, N))
            continue;
        if (d2 > least && d2 < near) {
            near = d2;
            n = j;
        }
        if (d2 > far) {
            far = d2;
            last = j;
        }
    }
    return n >= 0 ? n : last;
}

/* sum[0], [1], [4]: loss, number and right ones of same pairs or triplets; [2], [3], [5]: of others. */
static inline void add_triplet(float sum[6], const global float *s, const global float *q, float margin,
                               int i, int p, int n, int M)
{
    if (p < 0 || n < 0)
        return;
    const float dp = sqrt(squared(s, q, i, p, M)), dn = sqrt(squared(s, q, i, n, M));
    sum[0] += fmax(margin + dp - dn, 0.0f);
    sum[1] += 1.0f;
    sum[4] += dp < dn ? 1.0f : 0.0f;
}

static inline void add_pair(float sum[6], float d, float margin, int same)
{
    const float gap = fmax(margin - d, 0.0f);
    sum[same ? 0 : 2] += same ? d * d : gap * gap;
    sum[same ? 1 : 3] += 1.0f;
    sum[same ? 4 : 5] += (same ? d < 0.5f * margin : d >= 0.5f * margin) ? 1.0f : 0.0f;
}

/* x: the logit of what the pair is not. */
static inline void add_sigmoid(float sum[6], float x, int same)
{
    sum[same ? 0 : 2] += fmax(x, 0.0f) + log1p(exp(-fabs(x)));
    sum[same ? 1 : 3] += 1.0f;
    sum[same ? 4 : 5] += (same ? x < 0.0f : x <= 0.0f) ? 1.0f : 0.0f;
}

/* part: [6][M]. w, b: read by kind 3. */
kernel void pairs_fwd(global float *part, const global float *s, const global float *q,
                      const global float *w, const global float *b, const global int *label,
                      const int has_label, const int kind, const float margin, const int N, const int M)
{
    const int i = get_global_id(0);
    float sum[6] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
    int p, n;
    if (i >= M)
        return;
    if (kind == 1) {
        hardest(&p, &n, s, q, label, has_label, i, N, M);
        add_triplet(sum, s, q, margin, i, p, n, M);
    }
    for (int j = 0; j < M && kind != 1; j++) {
        const int same = together(label, has_label, i, j, N);
        if (kind == 0 && j != i)
            add_pair(sum, sqrt(squared(s, q, i, j, M)), margin, same);
        if (kind == 3 && j != i) {
            const float t = b[0] - w[0] * sqrt(squared(s, q, i, j, M));
            add_sigmoid(sum, same ? -t : t, same);
        }
        if (kind == 2 && j != i && same)
            add_triplet(sum, s, q, margin, i, j, semi_hard(s, q, label, has_label, i, j, N, M), M);
    }
    for (int a = 0; a < 6; a++)
        part[(size_t)a * M + i] = sum[a];
}

/* weight: what one same pair or triplet, and one other pair, count in the loss. Grid: one item. */
kernel void pairs_sum(global float *loss, global float *right, global float *weight,
                      const global float *part, const int kind, const int M)
{
    float sum[6];
    for (int a = 0; a < 6; a++) {
        sum[a] = 0.0f;
        for (int i = 0; i < M; i++)
            sum[a] += part[(size_t)a * M + i];
    }
    const float share = kind == 0 || kind == 3 ? 0.5f : 1.0f;
    weight[0] = sum[1] > 0.0f ? share / sum[1] : 0.0f;
    weight[1] = sum[3] > 0.0f ? share / sum[3] : 0.0f;
    loss[0] = weight[0] * sum[0] + weight[1] * sum[2];
    right[0] = weight[0] * sum[4] + weight[1] * sum[5];
}

/* ds_ip and ds_in of a triplet; g is its weight. */
static inline void push_triplet(global float *ds, float g, const global float *s,
                                const global float *q, float margin, int i, int p, int n, int M)
{
    if (p < 0 || n < 0)
        return;
    const float p2 = squared(s, q, i, p, M), n2 = squared(s, q, i, n, M);
    if (margin + sqrt(p2) - sqrt(n2) <= 0.0f)
        return;
    ds[p] -= g * inverse(p2, q[i], q[p]);
    ds[n] += g * inverse(n2, q[i], q[n]);
}

/* ds_ij = -2 dloss / dd_ij^2. */
kernel void pairs_bwd(global float *ds, const global float *dloss, const global float *s,
                      const global float *q, const global float *weight, const global int *label,
                      const int has_label, const int kind, const float margin, const int N, const int M)
{
    const int i = get_global_id(0);
    const float g = dloss[0] * weight[0], h = dloss[0] * weight[1];
    int p, n;
    if (i >= M)
        return;
    ds += (size_t)i * M;
    for (int j = 0; j < M; j++) {
        const float d2 = squared(s, q, i, j, M), gap = margin - sqrt(d2);
        float w = 0.0f;
        if (kind == 0 && j != i)
            w = together(label, has_label, i, j, N) ? -2.0f * g
                : gap > 0.0f                        ? 2.0f * h * gap * inverse(d2, q[i], q[j])
                                                    : 0.0f;
        ds[j] = w;
    }
    if (kind == 1) {
        hardest(&p, &n, s, q, label, has_label, i, N, M);
        push_triplet(ds, g, s, q, margin, i, p, n, M);
    }
    for (p = 0; p < M && kind == 2; p++)
        if (p != i && together(label, has_label, i, p, N)) {
            n = semi_hard(s, q, label, has_label, i, p, N, M);
            push_triplet(ds, g, s, q, margin, i, p, n, M);
        }
}

/* The same for kind 3: t = b - w d. part: [2][M], each row's share of dw and db. */
kernel void pairs_bwd_sigmoid(global float *ds, global float *part, const global float *dloss,
                             const global float *s, const global float *q, const global float *w,
                             const global float *b, const global float *weight,
                             const global int *label, const int has_label, const int N, const int M)
{
    const int i = get_global_id(0);
    float dw = 0.0f, db = 0.0f;
    if (i >= M)
        return;
    for (int j = 0; j < M; j++) {
        const float d2 = squared(s, q, i, j, M), d = sqrt(d2);
        const int same = together(label, has_label, i, j, N);
        const float t = b[0] - w[0] * d, p = 1.0f / (1.0f + exp(-t));
        const float dt = i == j ? 0.0f : dloss[0] * (same ? weight[0] * (p - 1.0f) : weight[1] * p);
        ds[(size_t)i * M + j] = w[0] * dt * inverse(d2, q[i], q[j]);
        dw -= dt * d;
        db += dt;
    }
    part[i] = dw;
    part[M + i] = db;
}

/* Grid: one item. */
kernel void pairs_dt(global float *dw, global float *db, const global float *part, const int M)
{
    float sum[2] = {0.0f, 0.0f};
    for (int i = 0; i < M; i++) {
        sum[0] += part[i];
        sum[1] += part[M + i];
    }
    dw[0] = sum[0];
    db[0] = sum[1];
}

/* dq_i = -1/2 (sum of row i of ds + sum of its column i). */
kernel void pairs_dq(global float *dq, const global float *ds, const int M)
{
    const int i = get_global_id(0);
    float row = 0.0f, column = 0.0f;
    if (i >= M)
        return;
    for (int j = 0; j < M; j++) {
        row += ds[(size_t)i * M + j];
        column += ds[(size_t)j * M + i];
    }
    dq[i] = -0.5f * (row + column);
}
