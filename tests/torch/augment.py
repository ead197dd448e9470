#!/usr/bin/env python3
"""Writes tests/data/augment_fixture.h: what torchvision makes of one small image with the draws fixed.

Usage: augment.py > tests/data/augment_fixture.h. Values are kept in 16 bits, good to 7.6e-6."""
import itertools
import textwrap

import numpy as np
import torch
import torchvision
import torchvision.transforms.functional as F
import torchvision.transforms.v2.functional as F2
from torchvision.transforms import InterpolationMode

H, W, OUT, RADIUS = 12, 16, 8, 1
EQUALIZE_H, EQUALIZE_W = 24, 20
# enum ctr_do of src/data/augment.h.
CODES = ["brightness", "contrast", "saturation", "hue", "gray", "solarize", "posterize", "rect", "noise",
         "move", "warp", "blur", "sobel", "autocontrast", "equalize"]
FLIP_X, FLIP_Y, TRANSPOSE = 1, 2, 4
HERE = (2, 5, OUT, OUT)  # top, left, height, width: the view's size
JITTER = [("brightness", 1.3), ("contrast", 0.6), ("saturation", 1.7), ("hue", -0.15)]


def jitter(order):
    return [JITTER[k] for k in list(itertools.permutations(range(4)))[order]]


def warp(angle=0.0, x=0, y=0, scale=1.0, shear=0.0):
    """The operation's matrix as torchvision has it, and what affine() is given."""
    m = F._get_inverse_affine_matrix([0.0, 0.0], angle, [x, y], scale, [shear, 0.0])
    return ("warp", *m, (angle, [x, y], scale, [shear, 0.0]))


# name, bicubic, crop, move, operations
CASES = [
    ("identity", 0, HERE, 0, []),
    ("enlarge, bilinear", 0, (3, 4, 5, 6), 0, []),
    ("enlarge, bicubic", 1, (3, 4, 5, 6), 0, []),
    ("reduce, bilinear", 0, (0, 0, H, W), 0, []),
    ("reduce, bicubic", 1, (0, 1, H - 1, W - 1), 0, []),
    ("flip", 0, HERE, FLIP_X, []),
    ("flip both ways", 0, (3, 4, 5, 6), FLIP_X | FLIP_Y, []),
    ("transpose", 0, (0, 0, H, W), TRANSPOSE, []),
    ("brightness", 0, HERE, 0, [("brightness", 1.6)]),
    ("contrast", 0, HERE, 0, [("contrast", 0.35)]),
    ("saturation", 0, HERE, 0, [("saturation", 0.25)]),
    ("hue forwards", 0, HERE, 0, [("hue", 0.2)]),
    ("hue backwards", 0, HERE, 0, [("hue", -0.37)]),
    ("gray", 0, HERE, 0, [("gray",)]),
    ("blur", 0, HERE, 0, [("blur", 1.1)]),
    ("order 0", 0, HERE, 0, jitter(0)),
    ("order 9", 0, HERE, 0, jitter(9)),
    ("order 17", 0, HERE, 0, jitter(17)),
    ("order 23", 0, HERE, 0, jitter(23)),
    ("all, bilinear", 0, (1, 2, 10, 7), FLIP_X, jitter(14) + [("blur", 0.7)]),
    ("all, bicubic", 1, (4, 3, 6, 11), 0, jitter(20) + [("gray",), ("blur", 1.9)]),
    ("solarize", 0, HERE, 0, [("solarize", 0.4)]),
    ("posterize", 0, HERE, 0, [("posterize", 8)]),
    ("autocontrast", 0, (3, 4, 5, 6), 0, [("brightness", 0.5), ("autocontrast",)]),
    ("autocontrast of one value", 0, (4, 6, 2, 3), 0, [("autocontrast",)]),
    ("equalize, too few pixels to do anything", 0, HERE, 0, [("equalize",)]),
    ("rectangle", 0, HERE, 0, [("rect", 2, 1, 7, 5, 0.25)]),
    ("turn later", 0, HERE, 0, [("blur", 0.6), ("move", TRANSPOSE | FLIP_Y)]),
    ("rotate", 0, HERE, 0, [warp(angle=-27.0)]),
    ("translate", 0, HERE, 0, [warp(x=2, y=-3)]),
    ("affine", 1, HERE, 0, [warp(angle=15.0, x=1, y=-1, scale=1.3, shear=20.0)]),
    ("far outside", 0, HERE, 0, [warp(x=8, y=0, scale=0.05)]),
    ("sobel", 0, HERE, 0, [("sobel",)]),
    ("many", 0, (0, 2, 11, 12), FLIP_Y,
     [("blur", 0.8), ("contrast", 1.7), warp(angle=40.0), ("saturation", 1.5), ("contrast", 0.8), ("sobel",),
      ("autocontrast",), ("rect", 0, 0, 8, 2, 1.0), ("move", FLIP_X), ("brightness", 1.1), ("gray",)]),
]


def picture():
    """Waves of three colours, saturated corners, one gray and one black patch."""
    y, x = np.mgrid[0:H, 0:W]
    waves = [128 + 120 * np.sin(0.9 * x + 0.4 * y), 128 + 120 * np.cos(0.5 * x - 0.8 * y),
             128 + 120 * np.sin(0.2 * x * y)]
    image = np.stack(waves, -1)
    image[4:6, 6:9] = 77
    image[6:8, 10:12] = 0
    image[0, 0], image[8, 8], image[9, 7] = (255, 0, 0), (0, 255, 255), (255, 255, 255)
    return np.clip(image, 0, 255).astype(np.uint8)


def equalized():
    """Enough pixels to be told apart: values that tests/data/augment.c makes by the same formula."""
    y, x, c = np.mgrid[0:EQUALIZE_H, 0:EQUALIZE_W, 0:3]
    image = ((7 * x * x + 5 * y * y + 3 * x * y) >> (2 * c)) % (200 - 60 * c) + 20 * c
    view = torch.from_numpy(image.astype(np.uint8)).permute(2, 0, 1)
    return F2.equalize(view).permute(1, 2, 0).numpy()


def move(x, bits):
    x = x.transpose(-1, -2) if bits & TRANSPOSE else x
    x = F.hflip(x) if bits & FLIP_X else x
    return F.vflip(x) if bits & FLIP_Y else x


def sobel(x):
    gray = torch.nn.functional.pad(F.rgb_to_grayscale(x, 1)[None], (1, 1, 1, 1), mode="replicate")
    k = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 4
    g = torch.nn.functional.conv2d(gray, torch.stack([k, k.T])[:, None])[0]
    return g.square().sum(0, keepdim=True).sqrt().clamp(max=1).expand(3, -1, -1)


def rectangle(x, top, left, bottom, right, value):
    return F.erase(x, top, left, bottom - top, right - left, torch.tensor(value))


OPS = {
    "brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation,
    "hue": F.adjust_hue, "gray": lambda x: F.rgb_to_grayscale(x, 3), "solarize": F2.solarize,
    "posterize": lambda x, levels: F2.posterize(x, levels.bit_length() - 1), "rect": rectangle, "move": move,
    "warp": lambda x, *m: F.affine(x, m[6][0], m[6][1], m[6][2], m[6][3], InterpolationMode.BILINEAR),
    "blur": lambda x, sigma: F.gaussian_blur(x, [2 * RADIUS + 1] * 2, [sigma] * 2), "sobel": sobel,
    "autocontrast": F2.autocontrast, "equalize": F2.equalize,
}


def torchvision_view(image, cubic, crop, moved, ops):
    mode = InterpolationMode.BICUBIC if cubic else InterpolationMode.BILINEAR
    x = torch.from_numpy(image).permute(2, 0, 1).float() / 255
    x = move(F.resized_crop(x, *crop, [OUT, OUT], mode, antialias=True).clamp(0, 1), moved)
    for name, *operands in ops:
        x = OPS[name](x, *operands)
    return x.permute(1, 2, 0).numpy()


def draws(crop, moved, ops):
    """A row as src/data/augment.h has it: crop, attempts, move, count, reserved, operations."""
    row = [*crop, 0, moved, len(ops), 0]
    for name, *operands in ops:
        numbers = [float(v) for v in operands if not isinstance(v, tuple)]
        row += [CODES.index(name), *numbers] + [0] * (7 - len(numbers))
    return [float(np.float32(v)) for v in row]


def lines(text, width=88):
    return "\n".join('     "%s"' % text[i:i + width] for i in range(0, len(text), width))


def main():
    image = picture()
    print("/* Generated by tests/torch/augment.py with torchvision %s; do not edit. */"
          % torchvision.__version__.split("+")[0])
    print("enum { FIXTURE_H = %d, FIXTURE_W = %d, FIXTURE_OUT = %d };" % (H, W, OUT))
    print("/* Bytes, two hexadecimal digits each. */\nstatic const char fixture_image[] =")
    print(lines(image.tobytes().hex()) + ";")
    print("enum { EQUALIZE_H = %d, EQUALIZE_W = %d };" % (EQUALIZE_H, EQUALIZE_W))
    print("static const char fixture_equalized[] =")
    print(lines(equalized().astype(np.uint8).tobytes().hex()) + ";")
    print("/* pixels: value * 65535, four hexadecimal digits each. */")
    most = max(len(draws(*case[2:])) for case in CASES)
    print("static const struct {\n    const char *name;\n    int cubic;\n    float draws[%d];\n"
          "    const char *pixels;\n} fixture[] = {" % most)
    for name, cubic, *case in CASES:
        out = np.rint(torchvision_view(image, cubic, *case).astype(np.float64) * 65535).astype(">u2")
        row = ", ".join("%.9gf" % d if "." in "%.9g" % d or "e" in "%.9g" % d else "%.9g" % d
                        for d in draws(*case))
        print('    {"%s",\n     %d,\n%s\n%s},' % (name, cubic, textwrap.fill(
            "{" + row + "},", 99, initial_indent="     ", subsequent_indent="      "),
            lines(out.tobytes().hex())))
    print("};")


main()
