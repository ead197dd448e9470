#!/usr/bin/env python3
"""Precision and recall of `clcontrast dedup` with duplicates planted among real images. Needs Pillow.

    plant_duplicates.py plant FOLDER SET [--images 20000] [--copies 900]
    clcontrast dedup SET --json > found.json
    plant_duplicates.py score SET found.json [--before found-without.json]

`plant` copies a random choice of a folder's images into SET and adds copies of some, by turns
  resized       to 20, 24, 28, 40, 48 or 64 pixels, bilinear, bicubic or Lanczos, quality 90
  recompressed  as JPEG of quality 20 to 60
  cropped       a square of 75 to 95 % of the area, anywhere, quality 90
`NAME.KIND.jpg` beside NAME.jpg tells which are whose; SET/plant.json lists them.

`score` looks at pairs of images in one group. Recall: planted pairs found. Precision: of the pairs with a planted
copy in them, those that are planted pairs. Real sets have duplicates of their own; with --before, a report on the
set without the copies, pairs of images that were together there already do not count as wrong."""
import argparse
import json
import os
import random
import shutil

KINDS = ("resized", "recompressed", "cropped")


def plant(args):
    from PIL import Image
    draw = random.Random(args.seed)
    files = sorted(os.path.relpath(os.path.join(where, name), args.folder)
                   for where, _, names in os.walk(args.folder) for name in names if name.endswith(".jpg"))
    chosen = sorted(draw.sample(files, min(args.images, len(files))))
    for name in chosen:
        os.makedirs(os.path.dirname(os.path.join(args.set, name)), exist_ok=True)
        shutil.copy(os.path.join(args.folder, name), os.path.join(args.set, name))
    copies = {}
    for i, name in enumerate(draw.sample(chosen, args.copies)):
        kind, quality = KINDS[i % 3], 90
        image = Image.open(os.path.join(args.folder, name)).convert("RGB")
        width, height = image.size
        if kind == "resized":
            side = draw.choice((20, 24, 28, 40, 48, 64))
            image = image.resize((side, side), draw.choice((Image.BILINEAR, Image.BICUBIC, Image.LANCZOS)))
        elif kind == "recompressed":
            quality = draw.randint(20, 60)
        else:
            side = round(min(width, height) * draw.uniform(0.75, 0.95) ** 0.5)
            x, y = draw.randint(0, width - side), draw.randint(0, height - side)
            image = image.crop((x, y, x + side, y + side))
        copy = "%s.%s.jpg" % (os.path.splitext(name)[0], kind)
        image.save(os.path.join(args.set, copy), quality=quality)
        copies[copy] = name
    with open(os.path.join(args.set, "plant.json"), "w", encoding="utf-8") as file:
        json.dump(copies, file, indent=0)


def groups(path):
    """Lists of paths."""
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    return report, [[image["path"] for image in group["images"]] for group in report["groups"]]


def pairs(paths):
    return ((a, b) for i, a in enumerate(paths) for b in paths[:i])


def score(args):
    with open(os.path.join(args.set, "plant.json"), encoding="utf-8") as file:
        copies = json.load(file)
    report, found = groups(args.report)
    before = set()
    for group in groups(args.before)[1] if args.before else []:
        before.update(frozenset(pair) for pair in pairs(group))
    hits, wrong, others = dict.fromkeys(KINDS, 0), 0, 0
    for group in found:
        for a, b in pairs(group):
            origins = frozenset(copies.get(name, name) for name in (a, b))
            if len(origins) == 1:
                hits[(a if a in copies else b).split(".")[-2]] += 1
            elif a in copies or b in copies:
                wrong += origins not in before
            else:
                others += 1
    planted = {kind: sum(name.split(".")[-2] == kind for name in copies) for kind in KINDS}
    right = sum(hits.values())
    print("threshold %.4f (%s), %d groups" % (report["threshold"],
                                              "chosen" if report["threshold_chosen"] else "given", len(found)))
    for kind in KINDS:
        print("recall %-13s %d of %d: %.3f" % (kind, hits[kind], planted[kind], hits[kind] / max(planted[kind], 1)))
    print("recall               %d of %d: %.3f" % (right, len(copies), right / len(copies)))
    print("precision            %d of %d: %.3f" % (right, right + wrong, right / max(right + wrong, 1)))
    print("pairs of images without a planted copy: %d" % others)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("plant")
    one.add_argument("folder")
    one.add_argument("set")
    one.add_argument("--images", type=int, default=20000)
    one.add_argument("--copies", type=int, default=900)
    one.add_argument("--seed", type=int, default=1)
    one.set_defaults(run=plant)
    two = commands.add_parser("score")
    two.add_argument("set")
    two.add_argument("report")
    two.add_argument("--before")
    two.set_defaults(run=score)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
