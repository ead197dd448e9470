/* bias.cl -- y = x + b for each of `rows` rows of C values; b: [C].  dx = dy; db, the sum of dy over
 * the rows, is dense.cl's.  Grid: rows.clh. */
#include "lib/prelude.clh"
#include "lib/rows.clh"

kernel void bias_fwd(global float *y, global const float *x, global const float *b, const uint per,
                     const ulong rows, const uint C)
{
    CTR_ROW_LOOP(r, rows, per)
    CTR_LANE_LOOP(c, C)
    {
        const int n = (int)(C - c);
        store_part(y + r * C + c, load_part(x + r * C + c, n) + load_part(b + c, n), n);
    }
}
