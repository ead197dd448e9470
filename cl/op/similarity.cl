/* similarity.cl -- s[A][B] = scale * a[A][D] b[B][D]^T on a CPU (elsewhere the BLAS multiplies).
 * Grid: ceil(B / 32) x ceil(A / block) work-items of one; local: D * 32 floats. */
#include "lib/prelude.clh"
#include "lib/products.clh"

/* The first n of 32 lanes. */
static inline void store_row(global float *to, float16 x, float16 y, int n)
{
    float row[QT];
    if (n >= QT) {
        vstore16(x, 0, to);
        vstore16(y, 1, to);
        return;
    }
    vstore16(x, 0, row);
    vstore16(y, 1, row);
    for (int l = 0; l < n; l++)
        to[l] = row[l];
}

kernel ONE_ITEM void
similarity_fwd_tile(global float *s, const global float *a, const global float *b, local float *q,
                    const float scale, const int A, const int B, const int D, const int block)
{
    const int j0 = get_global_id(0) * QT, end = min(A, (int)(get_global_id(1) + 1) * block);
    pack_queries(q, b, scale, j0, D, B);
    for (int i = get_global_id(1) * block; i < end; i += KT) {
        float16 tile[KT][2];
        tile_products(tile, q, a, i, D, A);
        _Pragma("unroll") for (int r = 0; r < KT; r++)
        {
            if (i + r < end)
                store_row(s + (size_t)(i + r) * B + j0, tile[r][0], tile[r][1], B - j0);
        }
    }
}
