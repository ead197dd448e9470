/* transform.c -- the table of transformations and the presets made of them. What each does to
 * pixels is in cl/data/augment.cl, what it draws in cl/data/augment_draw.cl. */
#include "data/augment.h"

#define DO(op) (1u << CTR_DO_##op)
/* Name, other words, default probability, operations, flops a pixel, help, source; then the values.
 */
#define ROW(a, b, c, d, e, f, g, ...)                                                              \
    {                                                                                              \
        .name = a, .also = b, .p = c, .ops = d, .flops = e, .help = f, .source = g, .value = {     \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

const struct ctr_transform ctr_transforms[CTR_TRANSFORMS] = {
    [CTR_T_CROP] = ROW("crop", "resized-crop randomresizedcrop resize", 1, 0, 0,
                       "a part of the image's area, width / height between the aspects, brought to "
                       "the view's size",
                       "RandomResizedCrop; Szegedy et al. 2015", {"area_min", 0.08, 1e-6, 1, 0},
                       {"area_max", 1, 1e-6, 1, CTR_VALUE_UPPER},
                       {"aspect_min", 3.0 / 4, 1e-3, 1e3, CTR_VALUE_LOG},
                       {"aspect_max", 4.0 / 3, 1e-3, 1e3, CTR_VALUE_LOG | CTR_VALUE_UPPER}),
    [CTR_T_PATCH] = ROW("patch", "grid tile subsample", 1, 0, 0,
                        "one of n x n patches of the image, which overlap by this part of their "
                        "side; the views of an "
                        "image get different ones",
                        "van den Oord et al. 2018 (CPC)", {"n", 3, 1, 15, CTR_VALUE_WHOLE},
                        {"overlap", 0, 0, 0.9, 0}),
    [CTR_T_FLIP] = ROW("flip", "hflip mirror", 0.5, DO(MOVE), 0, "left becomes right",
                       "RandomHorizontalFlip", {0}),
    [CTR_T_VFLIP] =
        ROW("vflip", "flipud", 0.5, DO(MOVE), 0, "top becomes bottom", "RandomVerticalFlip", {0}),
    [CTR_T_ROTATE90] = ROW("rotate90", "rot90 turn", 1, DO(MOVE), 0,
                           "a turn by 0, 90, 180 or 270 degrees; views must be square",
                           "SimCLR's \"rotate\"; Gidaris et al. 2018", {0}),
    [CTR_T_ROTATE] = ROW("rotate", "rotation", 1, DO(WARP), 40,
                         "a turn by up to so many degrees either way; bilinear, black outside",
                         "RandomRotation", {"degrees", 30, 0, 180, 0}),
    [CTR_T_TRANSLATE] =
        ROW("translate", "shift", 1, DO(WARP), 40,
            "a shift by whole pixels, up to these parts of the sides; black outside",
            "RandomAffine", {"x", 0.125, 0, 1, 0}, {"y", 0.125, 0, 1, 0}),
    [CTR_T_AFFINE] =
        ROW("affine", "shear scale warp", 1, DO(WARP), 40,
            "turn, shift, scale and horizontal shear (degrees) at once; bilinear, black outside",
            "RandomAffine", {"degrees", 15, 0, 180, 0}, {"x", 0.1, 0, 1, 0}, {"y", 0.1, 0, 1, 0},
            {"scale_min", 0.8, 0.05, 20, 0}, {"scale_max", 1.2, 0.05, 20, CTR_VALUE_UPPER},
            {"shear", 10, 0, 80, 0}),
    [CTR_T_JITTER] =
        ROW("jitter", "colorjitter colourjitter color-jitter", 0.8,
            DO(BRIGHTNESS) | DO(CONTRAST) | DO(SATURATION) | DO(HUE), 102,
            "factors drawn from 1 -+ each, hue from -+ so many turns, in random order; saturation and hue need "
            "RGB",
            "ColorJitter", {"brightness", 0.4, 0, 100, 0}, {"contrast", 0.4, 0, 100, 0},
            {"saturation", 0.4, 0, 100, 0}, {"hue", 0.1, 0, 0.5, 0}),
    [CTR_T_GRAY] = ROW("gray", "grey grayscale greyscale color-drop", 0.2, DO(GRAY), 6,
                       "all colour is lost; needs RGB", "RandomGrayscale", {0}),
    [CTR_T_SOLARIZE] = ROW("solarize", "solarise invert", 0.2, DO(SOLARIZE), 6,
                           "values from the threshold on are inverted",
                           "RandomSolarize; Grill et al. 2020 (BYOL)", {"threshold", 0.5, 0, 1, 0}),
    [CTR_T_POSTERIZE] =
        ROW("posterize", "posterise", 0.5, DO(POSTERIZE), 12, "each value keeps so many bits",
            "RandomPosterize", {"bits", 4, 1, 8, CTR_VALUE_WHOLE}),
    [CTR_T_AUTOCONTRAST] = ROW("autocontrast", NULL, 0.5, DO(AUTOCONTRAST), 12,
                               "each channel is stretched to [0,1]", "RandomAutocontrast", {0}),
    [CTR_T_EQUALIZE] =
        ROW("equalize", "equalise", 0.5, DO(EQUALIZE), 12,
            "each channel's histogram, of 256 levels, becomes flat", "RandomEqualize", {0}),
    [CTR_T_NOISE] = ROW("noise", "gaussian-noise", 1, DO(NOISE), 200,
                        "independent Gaussian noise on every value", "v2.GaussianNoise",
                        {"sigma", 0.1, 0, 10, 0}),
    [CTR_T_BLUR] =
        ROW("blur", "gaussian-blur gaussianblur", 0.5, DO(BLUR), 0,
            "Gaussian blur, sigma in pixels; the kernel is 10 % of the height, odd, at least 3",
            "GaussianBlur; SimCLR, appendix A", {"sigma_min", 0.1, 1e-3, 1e3, 0},
            {"sigma_max", 2, 1e-3, 1e3, CTR_VALUE_UPPER}),
    [CTR_T_SOBEL] = ROW("sobel", "edges", 0.5, DO(SOBEL), 24,
                        "length of the gray image's gradient by Sobel's filters / 4, at most 1; needs RGB or one "
                        "channel",
                        "SimCLR's \"Sobel filtering\"", {0}),
    [CTR_T_CUTOUT] =
        ROW("cutout", "hole mask", 1, DO(RECT), 3,
            "a square of this part of the height, centred anywhere in the view, is filled",
            "DeVries and Taylor 2017", {"size", 0.5, 0.001, 2, 0}, {"fill", 0.5, 0, 1, 0}),
    [CTR_T_ERASE] = ROW(
        "erase", "erasing randomerasing random-erasing", 0.5, DO(RECT), 3,
        "a rectangle of this part of the area, height / width between the aspects, is filled",
        "RandomErasing; Zhong et al. 2017", {"area_min", 0.02, 0, 1, 0},
        {"area_max", 0.33, 0, 1, CTR_VALUE_UPPER}, {"aspect_min", 0.3, 1e-3, 1e3, CTR_VALUE_LOG},
        {"aspect_max", 3.3, 1e-3, 1e3, CTR_VALUE_LOG | CTR_VALUE_UPPER}, {"fill", 0, 0, 1, 0}),
};

const struct ctr_augment_preset ctr_augment_presets[] = {
    {"none", "", "the largest centred square alone"},
    {"small", "crop flip jitter gray", "SimCLR for CIFAR (Chen et al. 2020, B.9): strength 0.5"},
    {"large", "crop flip jitter(0.8,0.8,0.8,0.2) gray blur", "SimCLR for ImageNet, appendix A"},
    {"small-any", "crop flip jitter(0.4,0.4,0,0)", "small for any number of channels"},
    {"large-any", "crop flip jitter(0.8,0.8,0,0) blur", "large for any number of channels"},
    {"byol",
     "crop flip jitter(0.4,0.4,0.2,0.1) gray blur(;1) | "
     "crop flip jitter(0.4,0.4,0.2,0.1) gray blur(;0.1) solarize(0.5;0.2)",
     "BYOL for ImageNet (Grill et al. 2020, table 6): the two views differ"},
    {NULL, NULL, NULL},
};
