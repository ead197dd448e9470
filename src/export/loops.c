/* loops.c -- what exported C files are made of: code.c copies into each the parts that its net
 * needs. A part begins with a line of dashes. Maps are [H][W][C], row by row; compiled in, never
 * linked. */

/* ---- conv: y[P][Q][K] of x[H][W][C], w[groups][R][S][C/groups][K/groups], b[K] ---- */
static void conv(float *y, const float *x, const float *w, const float *b, int H, int W, int C,
                 int P, int Q, int K, int R, int S, int stride, int pad, int groups, int relu)
{
    int c_of = C / groups, k_of = K / groups, p, q, g, r, s, c, k;
    for (p = 0; p < P; p++)
        for (q = 0; q < Q; q++)
            for (g = 0; g < groups; g++) {
                float *to = y + ((long)p * Q + q) * K + (long)g * k_of;
                for (k = 0; k < k_of; k++)
                    to[k] = b[g * k_of + k];
                for (r = 0; r < R; r++)
                    for (s = 0; s < S; s++) {
                        int h = p * stride + r - pad, v = q * stride + s - pad;
                        const float *by = w + (((long)g * R + r) * S + s) * c_of * k_of;
                        if (h < 0 || h >= H || v < 0 || v >= W)
                            continue;
                        for (c = 0; c < c_of; c++) {
                            float from = x[((long)h * W + v) * C + (long)g * c_of + c];
                            for (k = 0; k < k_of; k++)
                                to[k] += from * by[(long)c * k_of + k];
                        }
                    }
                for (k = 0; relu && k < k_of; k++)
                    to[k] = to[k] > 0 ? to[k] : 0;
            }
}

/* ---- dense: y[O] of x[I], w[I][O], b[O] ---- */
static void dense(float *y, const float *x, const float *w, const float *b, int I, int O, int relu)
{
    int i, o;
    for (o = 0; o < O; o++)
        y[o] = b[o];
    for (i = 0; i < I; i++)
        for (o = 0; o < O; o++)
            y[o] += x[i] * w[(long)i * O + o];
    for (o = 0; relu && o < O; o++)
        y[o] = y[o] > 0 ? y[o] : 0;
}

/* ---- scale: each of C channels by w, plus b ---- */
static void scale(float *y, const float *x, const float *w, const float *b, long n, int C, int relu)
{
    long i;
    for (i = 0; i < n; i++) {
        y[i] = x[i] * w[i % C] + b[i % C];
        if (relu && y[i] < 0)
            y[i] = 0;
    }
}

/* ---- add ---- */
static void add(float *y, const float *a, const float *b, long n, int relu)
{
    long i;
    for (i = 0; i < n; i++) {
        y[i] = a[i] + b[i];
        if (relu && y[i] < 0)
            y[i] = 0;
    }
}

/* ---- relu ---- */
static void relu(float *y, const float *x, long n)
{
    long i;
    for (i = 0; i < n; i++)
        y[i] = x[i] > 0 ? x[i] : 0;
}

/* ---- max_pool: windows of size x size, nothing outside counts ---- */
static void max_pool(float *y, const float *x, int H, int W, int C, int P, int Q, int size,
                     int stride, int pad)
{
    int p, q, c, r, s;
    for (p = 0; p < P; p++)
        for (q = 0; q < Q; q++)
            for (c = 0; c < C; c++) {
                float best = -INFINITY;
                for (r = 0; r < size; r++)
                    for (s = 0; s < size; s++) {
                        int h = p * stride + r - pad, v = q * stride + s - pad;
                        if (h >= 0 && h < H && v >= 0 && v < W &&
                            x[((long)h * W + v) * C + c] > best)
                            best = x[((long)h * W + v) * C + c];
                    }
                y[((long)p * Q + q) * C + c] = best;
            }
}

/* ---- avg_pool: windows of size x size, zeros outside count ---- */
static void avg_pool(float *y, const float *x, int H, int W, int C, int P, int Q, int size,
                     int stride, int pad)
{
    int p, q, c, r, s;
    for (p = 0; p < P; p++)
        for (q = 0; q < Q; q++)
            for (c = 0; c < C; c++) {
                float sum = 0;
                for (r = 0; r < size; r++)
                    for (s = 0; s < size; s++) {
                        int h = p * stride + r - pad, v = q * stride + s - pad;
                        if (h >= 0 && h < H && v >= 0 && v < W)
                            sum += x[((long)h * W + v) * C + c];
                    }
                y[((long)p * Q + q) * C + c] = sum / (float)(size * size);
            }
}

/* ---- mean: of each of C channels over a map of n pixels ---- */
static void mean(float *y, const float *x, int n, int C)
{
    int i, c;
    for (c = 0; c < C; c++)
        y[c] = 0;
    for (i = 0; i < n; i++)
        for (c = 0; c < C; c++)
            y[c] += x[(long)i * C + c];
    for (c = 0; c < C; c++)
        y[c] /= (float)n;
}

/* ---- unit: x at length one ---- */
static void unit(float *y, const float *x, int n, float eps)
{
    float sum = eps;
    int i;
    for (i = 0; i < n; i++)
        sum += x[i] * x[i];
    for (i = 0; i < n; i++)
        y[i] = x[i] / sqrtf(sum);
}
