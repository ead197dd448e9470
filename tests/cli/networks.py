"""Weights of ResNets under torchvision's names, drawn at random, and files of them, without PyTorch."""
import json
import random
import struct

BLOCKS = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3),
          "resnext50_32x4d": (3, 4, 6, 3)}


def shapes(encoder, channels=8, stem=7, inputs=3, classes=10):
    """{name: shape}: torchvision's, with `channels` filters of side `stem` in front instead of 64 of 7."""
    found = {}

    def conv(name, norm, out, of, side):
        found[name + ".weight"] = (out, of, side, side)
        for part in "weight", "bias", "running_mean", "running_var":
            found["%s.%s" % (norm, part)] = (out,)
        found[norm + ".num_batches_tracked"] = ()

    conv("conv1", "bn1", channels, inputs, stem)
    deep, groups = encoder in ("resnet50", "resnext50_32x4d"), 32 if "next" in encoder else 1
    at = channels
    for stage, blocks in enumerate(BLOCKS[encoder]):
        wide = channels << stage
        inner = max(wide * (4 if groups > 1 else 64) // 64, 1) * groups
        out = 4 * wide if deep else wide
        for block in range(blocks):
            name = "layer%d.%d." % (stage + 1, block)
            sides = ((inner, at, 1), (inner, inner // groups, 3), (out, inner, 1)) if deep else ((out, at, 3), (out, out, 3))
            for i, (to, of, side) in enumerate(sides):
                conv("%sconv%d" % (name, i + 1), "%sbn%d" % (name, i + 1), to, of, side)
            if at != out or (stage > 0 and block == 0):
                conv(name + "downsample.0", name + "downsample.1", out, at, 1)
            at = out
    found["fc.weight"], found["fc.bias"] = (classes, at), (classes,)
    return found


def draw(shapes_of, seed=1):
    """{name: (dtype, shape, bytes)}: features stay about 1, batch-norm's parts are all of consequence."""
    chance, drawn = random.Random(seed), {}
    for name, shape in shapes_of.items():
        count = 1
        for side in shape:
            count *= side
        if name.endswith("num_batches_tracked"):
            drawn[name] = ("I64", shape, struct.pack("<q", 7))
            continue
        if len(shape) > 1:
            spread = (2 * shape[0] / count) ** 0.5
            values = [chance.gauss(0, spread) for _ in range(count)]
        elif name.endswith("running_var"):
            values = [chance.uniform(0.5, 1.5) for _ in range(count)]
        elif name.endswith("weight"):
            values = [chance.uniform(0.3, 0.9) for _ in range(count)]
        else:
            values = [chance.gauss(0, 0.2) for _ in range(count)]
        drawn[name] = ("F32", shape, struct.pack("<%df" % count, *values))
    return drawn


def save(path, tensors, meta=None, prefix=""):
    head, body = {"__metadata__": meta} if meta else {}, b""
    for name, (kind, shape, data) in tensors.items():
        head[prefix + name] = {"dtype": kind, "shape": list(shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)
