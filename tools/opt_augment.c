/* opt_augment.c -- augmentation options: table, and table to parameters. In: a parsed set. Out:
 * what src/data/augment.h takes. */
#include "opt_augment.h"

enum { PRESET_SMALL, PRESET_LARGE };

#define ROW(KIND, member, ...) OPT_ROW(KIND, struct augment_options, member, __VA_ARGS__)
const struct opt augment_rows[] = {
    ROW(CHOICE, preset, .name = "augment", .metavar = "PRESET", .choices = "small|large",
        .shown = "small up to 96 pixels, else large",
        .help = "where the values below start, as SimCLR has them for CIFAR and ImageNet"),
    ROW(DOUBLE, crop_min, .name = "crop-min", .metavar = "A", .min = 0.001, .max = 1,
        .shown = "0.08", .help = "smallest part of the image's area in a crop"),
    ROW(DOUBLE, crop_max, .name = "crop-max", .metavar = "A", .min = 0.001, .max = 1, .shown = "1",
        .help = "largest part of the image's area in a crop"),
    ROW(DOUBLE, aspect, .name = "crop-aspect", .metavar = "R", .min = 1, .max = 100,
        .shown = "1.333", .help = "sides of a crop differ at most by this factor"),
    ROW(CHOICE, resize, .name = "resize", .metavar = "FILTER", .choices = "bilinear|bicubic",
        .init = "bilinear", .help = "antialiased filter that brings crops to size"),
    ROW(DOUBLE, flip_p, .name = "flip-p", .metavar = "P", .min = 0, .max = 1, .shown = "0.5",
        .help = "probability of a horizontal flip"),
    ROW(DOUBLE, jitter, .name = "jitter", .metavar = "S", .min = 0, .max = 2.5,
        .shown = "small 0.5, large 1",
        .help = "strength of colour jitter: brightness, contrast, saturation 0.8 S, hue 0.2 S"),
    ROW(DOUBLE, jitter_p, .name = "jitter-p", .metavar = "P", .min = 0, .max = 1, .shown = "0.8",
        .help = "probability of colour jitter"),
    ROW(DOUBLE, gray_p, .name = "gray-p", .metavar = "P", .min = 0, .max = 1, .shown = "0.2",
        .help = "probability of losing all colour"),
    ROW(DOUBLE, blur_p, .name = "blur-p", .metavar = "P", .min = 0, .max = 1,
        .shown = "small 0, large 0.5", .help = "probability of Gaussian blur"),
    ROW(DOUBLE, blur_min, .name = "blur-min", .metavar = "PX", .min = 0.001, .max = 1000,
        .shown = "0.1", .help = "smallest sigma of the blur"),
    ROW(DOUBLE, blur_max, .name = "blur-max", .metavar = "PX", .min = 0.001, .max = 1000,
        .shown = "2", .help = "largest sigma of the blur"),
    {.name = NULL},
};
#undef ROW

static void take(float *value, const struct opt_set *set, const char *name, double given)
{
    if (opt_source(set, name) != OPT_DEFAULT)
        *value = (float)given;
}

int augment_params(struct ctr_augment_params *out, const struct opt_set *set,
                   const struct augment_options *o, size_t size)
{
    int small = o->preset < 0 ? size <= CTR_AUGMENT_SMALL_MAX : o->preset == PRESET_SMALL;
    struct ctr_augment_params p = small ? ctr_augment_small() : ctr_augment_large();
    take(&p.area_min, set, "crop-min", o->crop_min);
    take(&p.area_max, set, "crop-max", o->crop_max);
    take(&p.aspect_max, set, "crop-aspect", o->aspect);
    take(&p.aspect_min, set, "crop-aspect", 1 / (o->aspect > 0 ? o->aspect : 1));
    take(&p.flip_p, set, "flip-p", o->flip_p);
    take(&p.brightness, set, "jitter", 0.8 * o->jitter);
    take(&p.contrast, set, "jitter", 0.8 * o->jitter);
    take(&p.saturation, set, "jitter", 0.8 * o->jitter);
    take(&p.hue, set, "jitter", 0.2 * o->jitter);
    take(&p.jitter_p, set, "jitter-p", o->jitter_p);
    take(&p.gray_p, set, "gray-p", o->gray_p);
    take(&p.blur_p, set, "blur-p", o->blur_p);
    take(&p.sigma_min, set, "blur-min", o->blur_min);
    take(&p.sigma_max, set, "blur-max", o->blur_max);
    p.cubic = o->resize == 1;
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
