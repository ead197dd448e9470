/* augment_draw.cl -- draws[v][n][24] <- Philox(seed; epoch, sample, view): what is to be done to each
 * view. Crop as torchvision's RandomResizedCrop.get_params (ten attempts, then the central crop).
 * Grid: 1-D, a work-item for each of V*N rows. Host defines N V SH SW. */
#include "lib/prelude.clh"
#include "lib/rng.clh"
#include "lib/draws.clh"

/* For a syntax check alone; the host gives all of them. */
#ifndef N
#define N  1
#define V  2
#define SH 32
#define SW 32
#endif

/* Blocks of the stream; fixed, so that one option's value never moves another's draw. */
enum { BLOCK_CROP = 0, BLOCK_CHOICE = 10, BLOCK_COLOUR = 11, BLOCK_BLUR = 12 };

inline void draw_crop(global float *d, uint4 counter, uint2 key, float area_min, float area_max,
                      float log_ratio_min, float log_ratio_max)
{
    for (uint attempt = 0; attempt < 10; attempt++) {
        counter.s0 = BLOCK_CROP + attempt;
        const uint4 bits = ctr_philox(counter, key);
        const float4 u = ctr_uniform4(bits);
        const float area = (float)SH * SW * mix(area_min, area_max, u.s0);
        const float ratio = exp(mix(log_ratio_min, log_ratio_max, u.s1));
        const float w = rint(sqrt(area * ratio)), h = rint(sqrt(area / ratio));
        if (w > 0.0f && w <= SW && h > 0.0f && h <= SH) {
            d[D_TOP] = ctr_below(bits.s2, SH - (uint)h + 1);
            d[D_LEFT] = ctr_below(bits.s3, SW - (uint)w + 1);
            d[D_HEIGHT] = h;
            d[D_WIDTH] = w;
            d[D_ATTEMPTS] = attempt + 1;
            return;
        }
    }
    /* torchvision's fallback: the largest centred crop whose aspect is in range; attempts = 0. */
    const float lo = exp(log_ratio_min), hi = exp(log_ratio_max), aspect = (float)SW / SH;
    const float h = aspect < lo ? min(rint(SW / lo), (float)SH) : (float)SH;
    const float w = aspect > hi ? min(rint(SH * hi), (float)SW) : (float)SW;
    d[D_TOP] = floor(0.5f * (SH - h));
    d[D_LEFT] = floor(0.5f * (SW - w));
    d[D_HEIGHT] = h;
    d[D_WIDTH] = w;
    d[D_ATTEMPTS] = 0.0f;
}

/* step: seed lo, seed hi, epoch. p: area_min, area_max, log_ratio_min, log_ratio_max;
 * q: flip, jitter, gray, blur probabilities; range: brightness, contrast, saturation, hue. */
kernel void augment_draw(global float *draws, global const uint *index, global const uint *step,
                         const float area_min, const float area_max, const float log_ratio_min,
                         const float log_ratio_max, const float flip_p, const float jitter_p,
                         const float gray_p, const float blur_p, const float brightness,
                         const float contrast, const float saturation, const float hue,
                         const float sigma_min, const float sigma_max)
{
    const uint i = get_global_id(0);
    if (i >= N * V)
        return;
    const uint2 key = (uint2)(step[0], step[1]);
    uint4 counter = (uint4)(0, index[i % N], step[2], CTR_RNG_AUGMENT | (i / N) << 8);
    global float *d = draws + (size_t)i * DRAWS;
    draw_crop(d, counter, key, area_min, area_max, log_ratio_min, log_ratio_max);

    counter.s0 = BLOCK_CHOICE;
    const uint4 bits = ctr_philox(counter, key);
    const float4 choice = ctr_uniform4(bits);
    d[D_FLIP] = choice.s0 < flip_p;
    d[D_JITTER] = choice.s1 < jitter_p;
    d[D_GRAY] = choice.s2 < gray_p;
    d[D_ORDER] = ctr_below(bits.s3, 24);

    counter.s0 = BLOCK_COLOUR;
    const float4 colour = ctr_uniform4(ctr_philox(counter, key)) * 2.0f - 1.0f;
    d[D_BRIGHTNESS] = max(0.0f, 1.0f + brightness * colour.s0);
    d[D_CONTRAST] = max(0.0f, 1.0f + contrast * colour.s1);
    d[D_SATURATION] = max(0.0f, 1.0f + saturation * colour.s2);
    d[D_HUE] = hue * colour.s3;

    counter.s0 = BLOCK_BLUR;
    const float4 blur = ctr_uniform4(ctr_philox(counter, key));
    d[D_SIGMA] = blur.s0 < blur_p ? mix(sigma_min, sigma_max, blur.s1) : 0.0f;
    for (int k = D_ATTEMPTS + 1; k < DRAWS; k++)
        d[k] = 0.0f;
}
