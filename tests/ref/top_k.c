/* top_k.c -- the k largest of a_i.b_j + c_j, by insertion. */
#include "ref/ref.h"

#include <math.h>

void ref_top_k(double *score, size_t *index, const double *a, const double *b, const double *c, size_t M,
               size_t N, size_t D, size_t k)
{
    for (size_t i = 0; i < M; i++) {
        double *s = score + i * k;
        for (size_t x = 0; x < k; x++)
            s[x] = -INFINITY;
        for (size_t j = 0; j < N; j++) {
            double sum = c ? c[j] : 0;
            for (size_t d = 0; d < D; d++)
                sum += a[i * D + d] * b[j * D + d];
            size_t at = k;
            while (at > 0 && s[at - 1] < sum)
                at--;
            for (size_t x = k - 1; x > at && at < k; x--) {
                s[x] = s[x - 1];
                if (index)
                    index[i * k + x] = index[i * k + x - 1];
            }
            if (at < k) {
                s[at] = sum;
                if (index)
                    index[i * k + at] = j;
            }
        }
    }
}
