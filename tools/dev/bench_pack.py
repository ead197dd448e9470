#!/usr/bin/env python3
"""Decode and resize by `clcontrast pack` and by PyTorch on the same files, in turn: bench_pack.py PROGRAM FOLDER.

Theirs: ImageFolder, torchvision's Resize, CenterCrop and PILToTensor, DataLoader without and with two workers; the
faster of them counts. Ours decodes, resizes, adds checksums and writes the file. With --photos N the folder is first
filled with N photograph-like JPEGs of 500x375 (mosaics of the images below --from, gradient and noise on top,
quality 90)."""
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


def make_photos(folder, n, source):
    """n mosaics of 4 x 3 images, in two classes."""
    files = sorted(os.path.join(where, name) for where, _, names in os.walk(source) for name in names)
    draw, noise = random.Random(1), numpy.random.default_rng(1)
    ramp = numpy.linspace(0.6, 1.1, 500)[None, :, None] * numpy.linspace(0.8, 1.1, 375)[:, None, None]
    for i in range(n):
        picture = Image.new("RGB", (500, 375))
        for k in range(12):
            tile = Image.open(draw.choice(files)).convert("RGB").resize((125, 125), Image.BICUBIC)
            picture.paste(tile, (k % 4 * 125, k // 4 * 125))
        pixels = numpy.asarray(picture) * ramp + noise.normal(0, 6, (375, 500, 3))
        where = os.path.join(folder, "train", "ab"[i % 2])
        os.makedirs(where, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(
            os.path.join(where, "%05d.jpg" % i), quality=90)


def theirs(folder, size, workers):
    """Images a second, and how many."""
    from torchvision import transforms as t
    begin = time.perf_counter()
    data = torchvision.datasets.ImageFolder(
        folder, t.Compose([t.Resize(size), t.CenterCrop(size), t.PILToTensor()]))
    n = 0
    for images, _ in torch.utils.data.DataLoader(data, batch_size=256, num_workers=workers):
        n += len(images)
    return n / (time.perf_counter() - begin), n


def ours(program, folder, size):
    with tempfile.TemporaryDirectory() as out:
        begin = time.perf_counter()
        done = subprocess.run([program, "pack", folder, "-o", os.path.join(out, "set.ctrd"), "--image-size",
                               str(size), "--json", "--quiet"], check=True, capture_output=True)
        n = json.loads(done.stdout)["images"]
        return n / (time.perf_counter() - begin), n


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("folder", help="with one sub-folder a class, or train/ alone over them")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=int, help="make so many of them first")
    parser.add_argument("--from", dest="source", help="folder of images that the photographs are made of")
    args = parser.parse_args()
    if args.photos:
        make_photos(args.folder, args.photos, args.source)
    train = os.path.join(args.folder, "train")
    root = train if os.path.isdir(train) else args.folder
    times = {"pack": [], "0 workers": [], "2 workers": []}
    for _ in range(args.rounds):
        for name in times:
            per_s, n = ours(args.program, root, args.size) if name == "pack" else \
                theirs(root, args.size, int(name[0]))
            times[name].append(per_s)
    median = {name: statistics.median(values) for name, values in times.items()}
    print("%d images to %d pixels, %d rounds in turn, torch %s, torchvision %s" % (
        n, args.size, args.rounds, torch.__version__, torchvision.__version__))
    for name, values in times.items():
        print("%-10s %8.0f images/s  (%s)" % (name, median[name], ", ".join("%.0f" % v for v in values)))
    print("ratio %.2f" % (median["pack"] / max(median["0 workers"], median["2 workers"])))


if __name__ == "__main__":
    main()
