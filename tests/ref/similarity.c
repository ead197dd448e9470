/* similarity.c -- s[A,B] = scale * a[A,D] b[B,D]^T, in double. */
#include "ref/ref.h"

void ref_similarity_fwd(double *s, const double *a, const double *b, double scale, size_t A,
                        size_t B, size_t D)
{
    for (size_t i = 0; i < A; i++)
        for (size_t j = 0; j < B; j++)
            for (size_t d = 0; d < D; d++)
                s[i * B + j] += scale * a[i * D + d] * b[j * D + d];
}

void ref_similarity_bwd(double *da, double *db, const double *ds, const double *a, const double *b,
                        double scale, size_t A, size_t B, size_t D)
{
    for (size_t i = 0; i < A; i++)
        for (size_t j = 0; j < B; j++)
            for (size_t d = 0; d < D; d++) {
                if (da)
                    da[i * D + d] += scale * ds[i * B + j] * b[j * D + d];
                if (db)
                    db[j * D + d] += scale * ds[i * B + j] * a[i * D + d];
            }
}

void ref_gram_fwd(double *c, const double *a, const double *b, double scale, size_t M, size_t D,
                  size_t E)
{
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < E; j++)
            for (size_t m = 0; m < M; m++)
                c[i * E + j] += scale * a[m * D + i] * b[m * E + j];
}

void ref_gram_bwd(double *da, double *db, const double *dc, const double *a, const double *b,
                  double scale, size_t M, size_t D, size_t E)
{
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < E; j++)
            for (size_t m = 0; m < M; m++) {
                if (da)
                    da[m * D + i] += scale * dc[i * E + j] * b[m * E + j];
                if (db)
                    db[m * E + j] += scale * dc[i * E + j] * a[m * D + i];
            }
}
