/* rng.h -- Philox 4x32-10, counter based: the same (key, counter) gives the same numbers in any
 * order, on any thread, on host and device (cl/lib/rng.clh is the same function).
 * Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#ifndef CTR_BASE_RNG_H
#define CTR_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* What a stream of numbers is for; part of the counter, so that streams never meet. */
enum ctr_rng_stage {
    CTR_RNG_SHUFFLE = 1,
    CTR_RNG_AUGMENT = 2,
    CTR_RNG_INIT = 3,
    CTR_RNG_SHAPES = 4,
    CTR_RNG_TEST = 5,
    CTR_RNG_LABELS = 6,
    CTR_RNG_MAP = 7
};

/* out = Philox4x32-10(key, counter). */
void ctr_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* A sequential stream over Philox: counter = (block, index, sub, stage), key = seed. */
struct ctr_rng {
    uint32_t key[2], counter[4], out[4];
    unsigned left;
};
void ctr_rng_init(struct ctr_rng *rng, uint64_t seed, enum ctr_rng_stage stage, uint32_t index,
                  uint32_t sub);
uint32_t ctr_rng_u32(struct ctr_rng *rng);
/* Uniform in [0, 1), 24 bits: (u32 >> 8) / 2^24. */
float ctr_rng_uniform(struct ctr_rng *rng);
/* Standard normal by Box-Muller (two uniforms a call, so that the stream length is fixed). */
float ctr_rng_normal(struct ctr_rng *rng);
/* Uniform in [0, n), n > 0, without modulo bias worth measuring (64-bit multiply-shift). */
uint32_t ctr_rng_below(struct ctr_rng *rng, uint32_t n);
/* Fisher-Yates permutation of 0..n-1 into perm. */
void ctr_rng_permutation(struct ctr_rng *rng, uint32_t *perm, uint32_t n);

#endif
