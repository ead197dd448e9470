/* opt_augment.c -- augmentation options: table, and table to parameters. In: a parsed table. Out:
 * what src/data/augment.h takes. */
#include "opt_augment.h"

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct augment_options, member, __VA_ARGS__)

const struct opt augment_rows[] = {
    ROW(DOUBLE, crop_min, .name = "crop-min", .metavar = "X", .init = "0.08", .min = 0.001,
        .max = 1, .help = "smallest share of the image's area that a crop shows"),
    ROW(DOUBLE, crop_max, .name = "crop-max", .metavar = "X", .init = "1", .min = 0.001, .max = 1,
        .help = "largest share"),
    ROW(DOUBLE, crop_aspect, .name = "crop-aspect", .metavar = "R", .init = "1.3333333333333333",
        .shown = "4/3", .min = 1, .max = 100,
        .help = "a crop's sides differ at most by this factor"),
    ROW(DOUBLE, flip, .name = "flip", .metavar = "P", .init = "0.5", .max = 1,
        .help = "probability of a horizontal flip"),
    ROW(DOUBLE, jitter, .name = "jitter", .metavar = "P", .init = "0.8", .max = 1,
        .help = "probability of colour jitter"),
    ROW(DOUBLE, strength, .name = "jitter-strength", .metavar = "S", .init = "0.5", .max = 2.5,
        .help = "brightness, contrast, saturation 0.8 S, hue 0.2 S (1 for large photographs)"),
    ROW(DOUBLE, gray, .name = "gray", .metavar = "P", .init = "0.2", .max = 1,
        .help = "probability of losing all colour"),
    ROW(DOUBLE, blur, .name = "blur", .metavar = "P", .init = "0", .max = 1,
        .help = "probability of Gaussian blur (0.5 for large photographs)"),
    ROW(DOUBLE, blur_min, .name = "blur-min", .metavar = "PIXELS", .init = "0.1", .min = 0.001,
        .max = 1000, .help = "smallest sigma of the blur"),
    ROW(DOUBLE, blur_max, .name = "blur-max", .metavar = "PIXELS", .init = "2", .min = 0.001,
        .max = 1000, .help = "largest sigma of the blur"),
    ROW(FLAG, bicubic, .name = "bicubic",
        .help = "resize crops by cubic instead of linear filters"),
    {.name = NULL},
};

int augment_params(struct ctr_augment_params *out, const struct augment_options *o)
{
    const float colour = 0.8f * (float)o->strength;
    const struct ctr_augment_params p = {
        .area_min = (float)o->crop_min,
        .area_max = (float)o->crop_max,
        .aspect_min = (float)(1 / o->crop_aspect),
        .aspect_max = (float)o->crop_aspect,
        .flip_p = (float)o->flip,
        .jitter_p = (float)o->jitter,
        .brightness = colour,
        .contrast = colour,
        .saturation = colour,
        .hue = 0.2f * (float)o->strength,
        .gray_p = (float)o->gray,
        .blur_p = (float)o->blur,
        .sigma_min = (float)o->blur_min,
        .sigma_max = (float)o->blur_max,
        .cubic = o->bicubic,
    };
    if (p.area_min > p.area_max)
        return ctr_fail(CTR_E_USAGE, "--crop-min %g is above --crop-max %g", p.area_min,
                        p.area_max);
    if (p.sigma_min > p.sigma_max)
        return ctr_fail(CTR_E_USAGE, "--blur-min %g is above --blur-max %g", p.sigma_min,
                        p.sigma_max);
    int rc = ctr_augment_check(&p);
    if (rc == 0)
        *out = p;
    return rc;
}
