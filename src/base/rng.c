/* rng.c -- Philox 4x32-10 and what is drawn from it. Invariant: no state but the counter. */
#include "base/rng.h"

#include <math.h>

void ctr_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    /* not an array: GCC would keep it in memory and take three times as long */
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void ctr_rng_init(struct ctr_rng *rng, uint64_t seed, enum ctr_rng_stage stage, uint32_t index,
                  uint32_t sub)
{
    *rng = (struct ctr_rng){.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                            .counter = {0, index, sub, (uint32_t)stage}};
}

uint32_t ctr_rng_u32(struct ctr_rng *rng)
{
    if (rng->left == 0) {
        ctr_philox(rng->out, rng->counter, rng->key);
        rng->counter[0]++;
        rng->left = 4;
    }
    return rng->out[4 - rng->left--];
}

float ctr_rng_uniform(struct ctr_rng *rng)
{
    return (float)(ctr_rng_u32(rng) >> 8) * 0x1p-24f;
}

float ctr_rng_normal(struct ctr_rng *rng)
{
    double u = 1.0 - ctr_rng_uniform(rng), v = ctr_rng_uniform(rng);
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

uint32_t ctr_rng_below(struct ctr_rng *rng, uint32_t n)
{
    return (uint32_t)(((uint64_t)ctr_rng_u32(rng) * n) >> 32);
}

void ctr_rng_permutation(struct ctr_rng *rng, uint32_t *perm, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        perm[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = ctr_rng_below(rng, i), t = perm[i - 1];
        perm[i - 1] = perm[j];
        perm[j] = t;
    }
}
