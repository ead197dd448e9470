#!/usr/bin/env python3
"""One SimCLR step in PyTorch on what step-dump wrote: step.py DUMP.safetensors [--time N] [--fixture].

Prints the loss of both and, for every gradient, sqrt(sum (ours - theirs)^2 / sum theirs^2), in double
precision on their side; exits 1 when anything differs by more than 1e-4 and by more than four times as
much as PyTorch does in fp32 (depth amplifies rounding; of ours that of Winograd F(4x4,3x3)). --time also times the same
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
    def __init__(self, dump):
        super().__init__()
        c1, c2 = len(dump["conv1.bias"]), len(dump["conv2.bias"])
        self.conv1 = nn.Conv2d(3, c1, 3)
        self.conv2 = nn.Conv2d(c1, c2, 3)
        out, features = dump["dense.weight"].shape
        self.dense = nn.Linear(features, out)

    def forward(self, x):
        x = Relu.apply(F.max_pool2d(self.conv1(x), 2))  # the maximum first: the same, and as the
        x = Relu.apply(F.max_pool2d(self.conv2(x), 2))  # fused kernel keeps it
        return self.dense(x.permute(0, 2, 3, 1).flatten(1))  # features in the order h, w, c


def conv(dump, name, stride, groups=1):
    out, of_group, size, _ = dump[name].shape
    return nn.Conv2d(of_group * groups, out, size, stride, size // 2, groups=groups, bias=False)


class Block(nn.Module):
    """A block of two or three convolutions, as the dump has them; the first of 3x3 has the stride."""

    def __init__(self, dump, name, stride):
        super().__init__()
        self.n = 3 if name + "conv3.weight" in dump else 2
        for i in range(1, self.n + 1):
            own = stride if i == self.n - 1 else 1
            weight = "%sconv%d.weight" % (name, i)
            groups = len(dump[name + "conv1.weight"]) // dump[weight].shape[1] if i == 2 else 1
            setattr(self, "conv%d" % i, conv(dump, weight, own, groups))
            setattr(self, "bn%d" % i, nn.BatchNorm2d(len(dump["%sbn%d.weight" % (name, i)])))
        self.downsample = None
        if name + "downsample.0.weight" in dump:
            self.downsample = nn.Sequential(conv(dump, name + "downsample.0.weight", stride),
                                            nn.BatchNorm2d(len(dump[name + "downsample.1.weight"])))

    def forward(self, x):
        y = x
        for i in range(1, self.n + 1):
            y = getattr(self, "bn%d" % i)(getattr(self, "conv%d" % i)(y))
            if i < self.n:
                y = Relu.apply(y)
        return Relu.apply(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, dump):
        super().__init__()
        self.conv1 = conv(dump, "conv1.weight", 1)
        self.bn1 = nn.BatchNorm2d(len(dump["bn1.weight"]))
        for stage in range(1, 5):
            blocks = sum("layer%d.%d.conv1.weight" % (stage, b) in dump for b in range(50))
            setattr(self, "layer%d" % stage, nn.Sequential(*(
                Block(dump, "layer%d.%d." % (stage, b), 2 if stage > 1 and not b else 1)
                for b in range(blocks))))

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
    dim = dump["projection_head.0.weight"].shape[1]
    encoder = ResNet(dump) if "layer1.0.conv1.weight" in dump else Cnn(dump)
    return SimClr(encoder, dim)


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
    Relu.used = 0
    model(x).backward()
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
    theirs = 0
    for name in names:
        want = parameter(exact, name).grad
        scale = max(float(want.norm()), 1e-2 * largest)
        error = float((dump["grad." + name].double() - want).norm()) / scale
        single = float((parameter(model, name).grad.double() - want).norm()) / scale
        worst, theirs = max(worst, error), max(theirs, single)
        print("  %-36s %.1e" % (name, error))
    print("worst relative error %.1e over the loss and %d gradients; of PyTorch in fp32 %.1e"
          % (worst, len(names), theirs))
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
    sys.exit(worst > max(1e-4, 4 * theirs))


if __name__ == "__main__":
    main()
