#!/usr/bin/env python3
"""Decode and resize by `clcontrast pack` and by PyTorch on the same files, in turn: bench_pack.py PROGRAM FOLDER.

Theirs: ImageFolder, torchvision's Resize and CenterCrop, then bytes (PILToTensor, the least that can be asked of it) or
floats (ToTensor, as its examples do), by a DataLoader with each number of --workers; the best counts. Ours decodes,
resizes, adds checksums and writes the file. With --photos N the folder is first filled with N photograph-like JPEGs, 4:3
and --width wide (mosaics of the images below --from, gradient and noise on top, quality 90). Beside the rates stands the
processor time of an image, which neighbours on the machine change less."""
import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time

import numpy
import torch
import torchvision
from PIL import Image


def make_photos(folder, n, width, source):
    """n mosaics of 4 x 3 images, in two classes."""
    tile, height = width // 4, width // 4 * 3
    files = sorted(os.path.join(where, name) for where, _, names in os.walk(source) for name in names)
    draw, noise = random.Random(1), numpy.random.default_rng(1)
    ramp = numpy.linspace(0.6, 1.1, 4 * tile)[None, :, None] * numpy.linspace(0.8, 1.1, height)[:, None, None]
    for i in range(n):
        picture = Image.new("RGB", (4 * tile, height))
        for k in range(12):
            part = Image.open(draw.choice(files)).convert("RGB").resize((tile, tile), Image.BICUBIC)
            picture.paste(part, (k % 4 * tile, k // 4 * tile))
        pixels = numpy.asarray(picture) * ramp + noise.normal(0, 6, (height, 4 * tile, 3))
        where = os.path.join(folder, "train", "ab"[i % 2])
        os.makedirs(where, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(
            os.path.join(where, "%05d.jpg" % i), quality=90)


def theirs(folder, size, batch, kind, workers):
    """How many images, and seconds."""
    from torchvision import transforms as t
    begin = time.perf_counter()
    data = torchvision.datasets.ImageFolder(
        folder, t.Compose([t.Resize(size), t.CenterCrop(size), t.ToTensor() if kind == "floats" else t.PILToTensor()]))
    n = 0
    for images, _ in torch.utils.data.DataLoader(data, batch_size=batch, num_workers=workers):
        n += len(images)
    return n, time.perf_counter() - begin


def ours(program, folder, size):
    with tempfile.TemporaryDirectory() as out:
        begin = time.perf_counter()
        done = subprocess.run([program, "pack", folder, "-o", os.path.join(out, "set.ctrd"), "--image-size",
                               str(size), "--json", "--quiet"], check=True, capture_output=True)
        return json.loads(done.stdout)["images"], time.perf_counter() - begin


def cpu():
    """Seconds of this process and its children that ended."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("folder", help="with one sub-folder a class, or train/ alone over them")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2], help="of the DataLoader")
    parser.add_argument("--batch", type=int, default=64, help="its images of a batch")
    parser.add_argument("--photos", type=int, help="make so many of them first")
    parser.add_argument("--width", type=int, default=500, help="of these")
    parser.add_argument("--from", dest="source", help="folder of images that the photographs are made of")
    args = parser.parse_args()
    if args.photos:
        make_photos(args.folder, args.photos, args.width, args.source)
    train = os.path.join(args.folder, "train")
    root = train if os.path.isdir(train) else args.folder
    names = ["pack"] + ["%s, %d workers" % (kind, workers) for kind in ("bytes", "floats") for workers in args.workers]
    rates, used = ({name: [] for name in names} for _ in range(2))
    for _ in range(args.rounds):
        for name in names:
            before = cpu()
            n, seconds = ours(args.program, root, args.size) if name == "pack" else \
                theirs(root, args.size, args.batch, name.split(",")[0], int(name.split()[1]))
            rates[name].append(n / seconds)
            used[name].append(1e6 * (cpu() - before) / n)
    median = {name: statistics.median(values) for name, values in rates.items()}
    print("%d images to %d pixels, %d rounds in turn, torch %s, torchvision %s" % (
        n, args.size, args.rounds, torch.__version__, torchvision.__version__))
    for name, values in rates.items():
        print("%-18s %8.0f images/s  (%s)  %.0f us of processor time an image" % (
            name, median[name], ", ".join("%.0f" % v for v in values), statistics.median(used[name])))
    for kind in ("bytes", "floats"):
        best = max((name for name in names if name.startswith(kind)), key=median.get)
        print("pack is %.2f times as fast as %s (%.2f .. %.2f)" % (
            median["pack"] / median[best], best, *(f(a / b for a, b in zip(rates["pack"], rates[best]))
                                                    for f in (min, max))))


if __name__ == "__main__":
    main()
