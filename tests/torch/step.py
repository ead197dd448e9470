#!/usr/bin/env python3
"""One SimCLR step in PyTorch on what step-dump wrote: step.py DUMP.safetensors [--time N] [--fixture].

Prints the loss of both and, for every gradient, sqrt(sum (ours - theirs)^2 / sum theirs^2), in double
precision on their side; exits 1 when anything differs by more than 1e-4. --time also times the same
step in fp32 in both memory layouts. --fixture prints tests/train/fixtures/ENCODER.inc."""
import argparse
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file


class Relu:
    """ReLU whose sides are taken from the dump, in the order of the calls, when it has them."""
    masks, used = [], 0

    @classmethod
    def apply(cls, x):
        if not cls.masks:
            return F.relu(x)
        mask = cls.masks[cls.used].to(x.dtype)
        cls.used += 1
        return x * (mask.permute(0, 3, 1, 2) if mask.dim() == 4 else mask)


class ReluLayer(nn.Module):
    def forward(self, x):
        return Relu.apply(x)


class Cnn(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        left = ((size - 2) // 2 - 2) // 2
        self.left = left
        self.dense = nn.Linear(64 * left * left, 64)

    def forward(self, x):
        x = Relu.apply(F.max_pool2d(self.conv1(x), 2))  # the maximum first: the same, and as the
        x = Relu.apply(F.max_pool2d(self.conv2(x), 2))  # fused kernel keeps it
        return self.dense(x.permute(0, 2, 3, 1).flatten(1))  # features in the order h, w, c


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.downsample = None
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False),
                                            nn.BatchNorm2d(cout))

    def forward(self, x):
        y = self.bn2(self.conv2(Relu.apply(self.bn1(self.conv1(x)))))
        return Relu.apply(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        cin = 64
        for stage, n in enumerate(blocks):
            cout = 64 << stage
            layers = []
            for b in range(n):
                layers.append(Block(cin, cout, 2 if stage and not b else 1))
                cin = cout
            setattr(self, "layer%d" % (stage + 1), nn.Sequential(*layers))

    def forward(self, x):
        x = Relu.apply(self.bn1(self.conv1(x)))
        for stage in range(4):
            x = getattr(self, "layer%d" % (stage + 1))(x)
        return x.mean((2, 3))


class SimClr(nn.Module):
    def __init__(self, encoder, dim):
        super().__init__()
        self.encoder = encoder
        self.projection_head = nn.Sequential(nn.Linear(dim, dim, bias=False), nn.BatchNorm1d(dim),
                                             ReluLayer(), nn.Linear(dim, 128))

    def forward(self, x):
        z = F.normalize(self.projection_head(self.encoder(x)), dim=1)
        n = len(z)
        s = z @ z.T / 0.5
        s.fill_diagonal_(float("-inf"))
        return F.cross_entropy(s, torch.arange(n, device=x.device).roll(n // 2))


def model_for(dump):
    if "layer1.0.conv1.weight" in dump:
        blocks = [sum(("layer%d.%d.conv1.weight" % (s, b)) in dump for b in range(10))
                  for s in range(1, 5)]
        return SimClr(ResNet(blocks), 512)
    return SimClr(Cnn(dump["views"].shape[1]), 64)


def parameter(model, name):
    owner = model if name.startswith("projection_head") else model.encoder
    return dict(owner.named_parameters())[name]


def projection(t):
    """A fixed pseudo-random combination of all values: sensitive to any of them being misplaced."""
    n = t.numel()
    w = torch.cos(1.0 + 0.7 * torch.arange(n, dtype=torch.float64))
    return float((t.flatten().double() * w).sum())


def main():
    args = argparse.ArgumentParser()
    args.add_argument("dump")
    args.add_argument("--time", type=int, default=0)
    args.add_argument("--fixture", action="store_true")
    args.add_argument("--threads", type=int, default=0)
    args = args.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    dump = load_file(args.dump)
    names = [n for n in dump if n not in ("views", "loss") and not n.startswith(("grad.", "mask."))]
    model = model_for(dump)
    with torch.no_grad():
        for name in names:
            parameter(model, name).copy_(dump[name])
    x = dump["views"].permute(0, 3, 1, 2).contiguous()
    exact = model_for(dump).double()
    exact.load_state_dict(model.state_dict())
    Relu.masks = [dump[n] for n in sorted(dump) if n.startswith("mask.")]
    loss = exact(x.double())
    loss.backward()
    assert Relu.used == len(Relu.masks)
    Relu.masks = []
    loss = float(loss.detach())
    worst = abs(float(dump["loss"]) - loss) / loss
    if args.fixture:
        print("/* Generated by tests/torch/step.py --fixture: {name, norm, projection} of each gradient\n"
              " * in PyTorch %s, double precision. */" % torch.__version__.split("+")[0])
        print('{"loss", %.9e, 0},' % loss)
        for name in names:
            grad = parameter(exact, name).grad
            print('{"%s", %.9e, %.9e},' % (name, float(grad.norm()), projection(grad)))
        return
    print("loss: ours %.9g, PyTorch %.9g (double)" % (float(dump["loss"]), loss))
    # A bias before batch-norm has no gradient but rounding: measured against the largest gradient.
    largest = max(float(parameter(exact, name).grad.norm()) for name in names)
    for name in names:
        want = parameter(exact, name).grad
        scale = max(float(want.norm()), 1e-2 * largest)
        error = float((dump["grad." + name].double() - want).norm()) / scale
        worst = max(worst, error)
        print("  %-36s %.1e" % (name, error))
    print("worst relative error %.1e over the loss and %d gradients" % (worst, len(names)))
    for layout in ("channels_first", "channels_last") if args.time else ():
        fmt = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        m, v, seconds = model_for(dump).to(memory_format=fmt), x.to(memory_format=fmt), []
        for i in range(args.time + 2):
            start = time.perf_counter()
            m.zero_grad()
            m(v).backward()
            if i >= 2:
                seconds.append(time.perf_counter() - start)
        t = statistics.median(seconds)
        print("PyTorch %s %s: median %.4f s of %d, %.0f views/s" % (torch.__version__, layout, t,
                                                                 args.time, len(x) / t))
    sys.exit(worst > 1e-4)


main()
