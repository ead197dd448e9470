/* label_mean.cl -- y_i = mean of x_j over j != i with label[j mod N] = label[i mod N], in order of j; zero
 * where there are none. x, y: [M][D]; label: [N].  Grid: groups of LANES work-items, each `rows` rows. */
#include "lib/prelude.clh"
#include "lib/rowgroup.clh"

kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) void
label_mean(global float *y, const global float *x, const global int *label, const ulong M, const ulong N,
           const int D, const uint rows)
{
    CTR_GROUP_ROWS(i, M, rows)
    {
        global float *to = y + i * D;
        const int own = label[i % N];
        uint count = 0;
        CTR_ROW_COLUMNS(d, D, vstore((vfloat)(0.0f), 0, to + d), to[d] = 0.0f)
        for (size_t n = 0; n < N; n++)
            count += label[n] == own;
        const float share = 1.0f / max((float)(count * (uint)(M / N)) - 1.0f, 1.0f);
        for (size_t v = 0; v < M; v += N)
            for (size_t n = 0; n < N; n++)
                if (label[n] == own && v + n != i) {
                    const global float *from = x + (v + n) * D;
                    CTR_ROW_COLUMNS(d, D,
                                    vstore(share * vload(0, from + d) + vload(0, to + d), 0, to + d),
                                    to[d] += share * from[d])
                }
    }
}
