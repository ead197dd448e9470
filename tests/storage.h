/* storage.h -- fp16 and bf16 by their definition (IEEE 754; bf16 is the upper half of an fp32): to and
 * from double, rounding to nearest, ties to even. Slow and plain: what kernels are compared with. */
#ifndef CTR_TESTS_STORAGE_H
#define CTR_TESTS_STORAGE_H

#include <math.h>
#include <stdint.h>

#include "graph/graph.h"

/* Bits of the mantissa, smallest exponent of a normal number. */
static inline int storage_bits(enum ctr_dtype dtype)
{
    return dtype == CTR_F16 ? 10 : 7;
}

static inline int storage_least(enum ctr_dtype dtype)
{
    return dtype == CTR_F16 ? -14 : -126;
}

static inline double storage_widen(uint16_t word, enum ctr_dtype dtype)
{
    int bits = storage_bits(dtype), least = storage_least(dtype);
    int mantissa = word & ((1 << bits) - 1), exponent = (word & 0x7fff) >> bits;
    double v;
    if (exponent == 3 - 2 * least)
        v = mantissa ? NAN : INFINITY;
    else if (exponent == 0)
        v = ldexp(mantissa, least - bits);
    else
        v = ldexp((1 << bits) + mantissa, exponent - 1 + least - bits);
    return word & 0x8000 ? -v : v;
}

static inline uint16_t storage_narrow(double x, enum ctr_dtype dtype)
{
    int bits = storage_bits(dtype), least = storage_least(dtype);
    unsigned sign = signbit(x) ? 0x8000 : 0, infinite = (3u - 2u * (unsigned)least) << bits;
    if (isnan(x))
        return (uint16_t)(sign | infinite | 1u << (bits - 1));
    if (isinf(x))
        return (uint16_t)(sign | infinite);
    int e = x == 0 || ilogb(x) < least ? least : ilogb(x);
    double q = nearbyint(ldexp(fabs(x), bits - e)); /* in units of the last place */
    double word = ldexp(e - least, bits) + q;       /* carries into the exponent by itself */
    return (uint16_t)(sign | (word > infinite ? infinite : (unsigned)word));
}

/* x as it comes back from storage. */
static inline double storage_round(double x, enum ctr_dtype dtype)
{
    if (dtype == CTR_F16 || dtype == CTR_BF16)
        return storage_widen(storage_narrow(x, dtype), dtype);
    return dtype == CTR_F32 ? (double)(float)x : x;
}

/* Relative error that one rounding may make, half a unit of the last place; 0 for fp32, whose rounding
 * is part of a case's tolerance. */
static inline double storage_error(enum ctr_dtype dtype)
{
    return dtype == CTR_F16 || dtype == CTR_BF16 ? ldexp(1, -storage_bits(dtype) - 1) : 0;
}

#endif
