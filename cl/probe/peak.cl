/* peak.cl -- how fast this device can be: multiply-adds in registers, and streams of memory larger
 * than its caches (src/dev/peak.c times them).
 *
 * Streams count vectors of VW floats; a work-item takes `per` of them: side by side on CPUs, a grid
 * apart on GPUs, so that neighbours read neighbours. */
#include "lib/prelude.clh"

#ifndef WIDTH
#define WIDTH 4
#define CHAINS 4
#endif
#if WIDTH == 1
#define V float
#else
#define V CTR_CAT(float, WIDTH)
#endif

/* CHAINS independent sums of WIDTH lanes, 2 * CHAINS * WIDTH * loops operations a work-item. Grid:
 * any; y[work-items] keeps the compiler from leaving it out. */
kernel void peak_fma(global V *y, const float a, const float b, const int loops)
{
    V v[CHAINS];
#pragma unroll
    for (int k = 0; k < CHAINS; k++)
        v[k] = (V)(b * (float)k);
    for (int i = 0; i < loops; i++) {
#pragma unroll
        for (int k = 0; k < CHAINS; k++)
            v[k] = fma(v[k], (V)(a), (V)(b));
    }
    V sum = v[0];
#pragma unroll
    for (int k = 1; k < CHAINS; k++)
        sum += v[k];
    y[get_global_id(0)] = sum;
}

#if CTR_CPU
#define AT(k) (get_global_id(0) * (size_t)per + (k))
#else
#define AT(k) ((k) * get_global_size(0) + get_global_id(0))
#endif

/* y[work-items] = sums of what each read; per is a multiple of 4. */
kernel void peak_read(global float *y, global const float *x, const uint per)
{
    vfloat s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (uint k = 0; k < per; k += 4) {
        s0 += vload(AT(k), x);
        s1 += vload(AT(k + 1), x);
        s2 += vload(AT(k + 2), x);
        s3 += vload(AT(k + 3), x);
    }
    vstore(s0 + s1 + s2 + s3, get_global_id(0), y);
}

/* y += scale x: two streams in, one out. In place, since a line that is only written would be fetched
 * first. */
kernel void peak_update(global float *y, global const float *x, const float scale, const uint per)
{
    for (uint k = 0; k < per; k++)
        vstore(fma(vload(AT(k), x), (vfloat)(scale), vload(AT(k), y)), AT(k), y);
}
