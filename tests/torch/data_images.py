#!/usr/bin/env python3
"""Writes tests/data/fixtures.h: tiny images in every variant, and the RGB that Pillow reads from them;
and what Pillow's antialiased bilinear filter makes of a pattern when it is resized and cropped as
torchvision does. Run by hand: data_images.py > tests/data/fixtures.h. Needs Pillow and NumPy."""
import io
import struct
import sys
import zlib

import numpy as np
from PIL import Image


def picture(width, height):
    """A smooth picture with a few edges, other values in each channel."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    red = 255 * x / max(width - 1, 1)
    green = 127 + 120 * np.sin(y / 3 + x / 7)
    blue = np.where((x // 4 + y // 4) % 2 == 0, 40, 210)
    return np.stack([red, green, blue], -1).round().astype(np.uint8)


def pattern(width, height):
    """The same in integers, as tests/data/image.c draws it."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return ((x * 7 + y * 13 + c * 50 + x * y % 31 * 3) % 256).astype(np.uint8)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows, interlaced=0):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) +
            chunk(b"IEND", b""))


def adam7(rgb):
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                           (1, 0, 2, 2), (0, 1, 1, 2)):
        part = rgb[y0::dy, x0::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    return png(rgb.shape[1], rgb.shape[0], 8, 2, rows, 1)


def wide(values, colour):
    """16 bits a sample; the expectation is rounded to 8."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(values.shape[1], values.shape[0], 16, colour, rows)


def orientation_6():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif.tobytes()


def read(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def fixtures():
    rgb = picture(12, 9)
    image = Image.fromarray(rgb)
    alpha = Image.fromarray((np.arange(108).reshape(9, 12) * 255 // 107).astype(np.uint8))
    cmyk = Image.merge("CMYK", [*image.split(), alpha])
    rgba = image.copy()
    rgba.putalpha(alpha)
    grey = image.convert("L")
    palette = image.quantize(13)
    deep = rgb.astype(np.uint16) * 257 + 100 * (rgb < 200)
    to8 = lambda v: ((v.astype(float) / 257) + 0.5).astype(np.uint8)
    yield "jpeg_444", saved(image, "JPEG", optimize=True, quality=90, subsampling=0), None
    yield "jpeg_420", saved(image, "JPEG", optimize=True, quality=80, subsampling=2), None
    yield "jpeg_grey", saved(grey, "JPEG", optimize=True, quality=85), None
    yield "jpeg_progressive", saved(image, "JPEG", optimize=True, quality=85, progressive=True), None
    yield "jpeg_cmyk", saved(cmyk, "JPEG", optimize=True, quality=90), None
    yield "jpeg_exif_6", saved(image, "JPEG", optimize=True, quality=85, exif=orientation_6()), None
    yield "png_rgb", saved(image, "PNG"), None
    yield "png_rgba", saved(rgba, "PNG"), rgb
    yield "png_grey", saved(grey, "PNG"), None
    yield "png_grey_alpha", saved(Image.merge("LA", [grey, alpha]), "PNG"), None
    yield "png_palette", saved(palette, "PNG"), None
    yield "png_palette_clear", saved(palette, "PNG", transparency=3), palette.convert("RGB")
    yield "png_1_bit", saved(image.convert("1"), "PNG"), None
    yield "png_rgb_16", wide(deep, 2), to8(deep)
    yield "png_grey_16", wide(deep[..., 1], 0), np.repeat(to8(deep[..., 1])[..., None], 3, 2)
    yield "png_interlaced", adam7(rgb), None
    yield "png_1x1", saved(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG"), None
    yield "png_1x500", saved(Image.fromarray(picture(1, 500)), "PNG"), None
    yield "bmp_24", saved(image.crop((0, 0, 11, 9)), "BMP"), None
    yield "bmp_32", saved(rgba.crop((0, 0, 5, 4)), "BMP"), rgb[:4, :5]
    yield "ppm", saved(image, "PPM"), None
    yield "pgm", saved(grey, "PPM"), None


def fit(image, size):
    """torchvision's Resize(size, antialias) and CenterCrop(size)."""
    w, h = image.size
    short = min(w, h)
    w, h = int(size * w / short), int(size * h / short)
    image = image.resize((w, h), Image.BILINEAR)
    left, top = int(round((w - size) / 2)), int(round((h - size) / 2))
    return np.asarray(image.crop((left, top, left + size, top + size)))


def lines(data):
    text = data.hex()
    return "\n".join('        "%s"' % text[at:at + 88] for at in range(0, len(text), 88)) or '""'


def main():
    print("/* fixtures.h -- made by tests/torch/data_images.py; do not edit. Bytes are in hexadecimal. */"
          "\n/* clang-format off */")
    print("/* Images and the RGB that Pillow reads from them. */\nstatic const struct fixture {\n"
          "    const char *name;\n    unsigned width, height;\n    const char *bytes, *rgb;\n"
          "} fixtures[] = {")
    for name, data, rgb in fixtures():
        rgb = read(data) if rgb is None else np.asarray(rgb)
        assert len(data) < 2048, name
        print('    {"%s", %d, %d,\n%s,\n%s},' %
              (name, rgb.shape[1], rgb.shape[0], lines(data), lines(rgb.tobytes())))
    print("};\n/* The pattern of width x height, fitted to size x size. */\n"
          "static const struct fit_case {\n    unsigned width, height, size;\n"
          "    const char *rgb;\n} fit_cases[] = {")
    for w, h, size in ((23, 17, 8), (9, 7, 12), (1, 300, 4), (40, 15, 15), (64, 64, 5), (21, 23, 20)):
        print("    {%d, %d, %d,\n%s}," %
              (w, h, size, lines(fit(Image.fromarray(pattern(w, h)), size).tobytes())))
    print("};\n/* clang-format on */")


if __name__ == "__main__":
    sys.exit(main())
