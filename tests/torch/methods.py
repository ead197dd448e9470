#!/usr/bin/env python3
"""One step of a learning method in PyTorch on what step-dump wrote:
methods.py METHOD[:VIEWS[+LOCAL]] DUMP.safetensors [--fixture].

Each loss is written down as its paper has it, with whole matrices, in double precision. Prints the
relative error of the loss, of each gradient and of what a step leaves (shadow, queue), and how far the
slope of the loss along our gradient, by central differences, is from the gradient's length; exits 1 when one
is above 1e-4 (a bias before batch-norm has no gradient but rounding). --fixture prints tests/train/fixtures/METHOD.inc. The inputs are those of
tests/train/step.h."""
import argparse
import copy
import math
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

from step import Cnn, Relu, ReluLayer, ResNet, projection

NUMBER, TOTAL = 3, 8  # step.h: STEP_NUMBER, STEP_TOTAL


def mlp(dump, name, plain_last=False):
    """The head whose parameters are in the dump; plain_last: batch-norm without parameters behind it."""
    layers, at = [], 0
    while "%s.%d.weight" % (name, at) in dump:
        out, features = dump["%s.%d.weight" % (name, at)].shape
        layers.append(nn.Linear(features, out, bias="%s.%d.bias" % (name, at) in dump))
        if "%s.%d.weight" % (name, at + 3) in dump:
            norm = "%s.%d.weight" % (name, at + 1) in dump
            layers += [nn.BatchNorm1d(out) if norm else nn.Identity(), ReluLayer()]
        elif plain_last:
            layers.append(nn.BatchNorm1d(out, affine=False))
        at += 3
    return nn.Sequential(*layers)


class Net(nn.Module):
    """The encoder's parameters stand beside the heads', under the dump's names."""

    def __init__(self, dump, plain_last):
        super().__init__()
        self.encoder = ResNet(dump) if "layer1.0.conv1.weight" in dump else Cnn(dump)
        self.projection_head = mlp(dump, "projection_head", plain_last)
        self.predictor = mlp(dump, "predictor")
        if "prototypes.weight" in dump:
            self.prototypes = nn.Linear(*reversed(dump["prototypes.weight"].shape), bias=False)
        if "fc.weight" in dump:
            self.fc = nn.Linear(*reversed(dump["fc.weight"].shape))
        if "pair_output.weight" in dump:
            self.pair_output = nn.Linear(1, 1)

    def named(self):
        return {n.removeprefix("encoder."): p for n, p in self.named_parameters()}

    def project(self, x):
        return self.projection_head(self.encoder(x))


class Step:
    """What a loss is given: the network, its shadow, views, labels, a queue, and what it leaves."""

    def __init__(self, dump, plain_last=False, V=2):
        self.V = V
        self.net = Net(dump, plain_last)
        with torch.no_grad():
            for name, p in self.net.named().items():
                p.copy_(dump[name])
        self.shadow = copy.deepcopy(self.net).double().requires_grad_(False)
        for p in self.shadow.named().values():
            k = torch.arange(p.numel(), dtype=torch.float64)
            p.copy_((p.flatten() * (1 + 0.2 * torch.cos(k))).float().double().view_as(p))
        self.net.double()
        self.x = dump["views"].permute(0, 3, 1, 2).contiguous().double()
        self.local = dump["local"].permute(0, 3, 1, 2).contiguous().double() if "local" in dump else None
        self.views = len(self.x)
        self.after = {}
        self.held, self.holds = [], 0

    def hold(self, x):
        """x, through which no gradient goes: as it was, when the step is run again with other parameters."""
        if self.holds == len(self.held):
            self.held.append(x.detach())
        self.holds += 1
        return self.held[self.holds - 1]

    def images(self):
        """Of each row the number of its image."""
        return torch.arange(self.views // self.V).repeat(self.V)

    def labels(self):
        return self.images() % 5

    def others(self, x):
        """Beside each row of x another view of its image, once for each."""
        return [x.roll(-v * self.views // self.V, 0) for v in range(1, self.V)]

    def queue(self, rows, dim):
        k = torch.arange(rows * dim, dtype=torch.float64).view(rows, dim)
        return F.normalize(torch.cos(k + k % 7), dim=1).float().double()

    def put(self, name, queue, rows):
        at = ((NUMBER - 1) * len(rows) + torch.arange(len(rows))) % len(queue)
        queue = queue.clone()
        queue[at] = rows.detach()
        self.after[name] = queue

    def follow(self, momentum):
        net = self.net.named()
        for name, p in self.shadow.named().items():
            self.after["shadow." + name] = momentum * p + (1 - momentum) * net[name].detach()


def mean(losses):
    return torch.stack(list(losses)).mean()


def find_all(z, label, t):
    """L_out of SupCon; with one class an image, NT-Xent."""
    own = torch.eye(len(z), dtype=torch.bool)
    logits = (z @ z.T / t).masked_fill(own, -math.inf)
    log_p = (logits - logits.logsumexp(1, keepdim=True)).masked_fill(own, 0)
    same = ((label[:, None] == label) & ~own).double()
    return -((log_p * same).sum(1) / same.sum(1)).mean()


def with_local(s, loss, local):
    """loss: the mean over pairs of views; local: over pairs of a local and another view. Of the V + L - 1
    partners of a view V - 1 are of the first sort (as main_swav.py sums them)."""
    n = len(s.local) * s.V // s.views
    return ((s.V - 1) * loss + n * local) / (s.V + n - 1)


def simclr(s):
    z = F.normalize(s.net.project(s.x), dim=1)
    loss = find_all(z, s.images(), 0.5)
    if s.local is None:
        return loss
    log_p = torch.log_softmax(F.normalize(s.net.project(s.local), dim=1) @ z.T / 0.5, 1)
    own = torch.arange(len(log_p))[:, None] % (len(z) // s.V) == s.images()
    return with_local(s, loss, -log_p[own].mean())


def margin(s):
    z, image = s.net.project(s.x), s.images()
    same, total = [], []
    for i in range(len(z)):
        for j in range(len(z)):
            d = (z[i] - z[j]).norm()
            if i != j:
                (same if image[i] == image[j] else total).append(
                    d ** 2 if image[i] == image[j] else F.relu(1 - d) ** 2)
    return torch.stack(same).mean() / 2 + torch.stack(total).mean() / 2


def siamese(s):
    z, image = s.net.project(s.x), s.images()
    i, j = torch.triu_indices(len(z), len(z), 1)
    logit = s.net.pair_output(-(z[i] - z[j]).norm(dim=1, keepdim=True)).squeeze(1)
    same = image[i] == image[j]
    loss = F.binary_cross_entropy_with_logits(logit, same.double(), reduction="none")
    return loss[same].mean() / 2 + loss[~same].mean() / 2


def triplet(s):
    z, image = F.normalize(s.net.project(s.x), dim=1), s.images()
    losses = []
    for i in range(len(z)):
        d = (z[i] - z).norm(dim=1)
        others = [j for j in range(len(z)) if image[j] != image[i]]
        for p in range(len(z)):
            if p == i or image[p] != image[i]:
                continue
            beyond = [j for j in others if d[j] > d[p]]
            n = min(beyond, key=lambda j: d[j].item()) if beyond else max(others, key=lambda j: d[j].item())
            losses.append(F.relu(0.2 + d[p] - d[n]))
    return torch.stack(losses).mean()


def npair(s):
    z = s.net.project(s.x)
    f, g = z.chunk(2)
    return (F.cross_entropy(f @ g.T, torch.arange(len(f)))
            + 0.002 / 4 * ((f * f).sum(1) + (g * g).sum(1)).mean())


def decoupled(s, weight):
    z, image = F.normalize(s.net.project(s.x), dim=1), s.images()
    neg = (z @ z.T / 0.1).masked_fill(image[:, None] == image, -math.inf).logsumexp(1)
    pos = [(z * other).sum(1) for other in s.others(z)]
    return mean((neg - weight(p) * p / 0.1).mean() for p in pos)


def dcl(s):
    return decoupled(s, lambda pos: 1)


def dclw(s):
    return decoupled(s, lambda pos: 2 - len(pos) * torch.softmax(s.hold(pos) / 0.5, 0))


def debiased(s):
    z, image, tau, t = F.normalize(s.net.project(s.x), dim=1), s.images(), 0.1, 0.5
    n = s.V * (len(z) // s.V - 1)
    neg = (torch.exp(z @ z.T / t) * (image[:, None] != image)).sum(1)
    losses = []
    for other in s.others(z):
        pos = torch.exp((z * other).sum(1) / t)
        n_g = torch.clamp((neg - tau * n * pos) / (1 - tau), min=n * math.exp(-1 / t))
        losses.append(-torch.log(pos / (pos + n_g)).mean())
    return mean(losses)


def supcon(s):
    return find_all(F.normalize(s.net.project(s.x), dim=1), s.labels(), 0.1)


def moco(s):
    first, second = s.x.chunk(2)
    q = F.normalize(s.net.project(first), dim=1)
    k = F.normalize(s.shadow.project(second), dim=1)
    queue = s.queue(64, q.shape[1])
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.T], 1) / 0.2
    s.put("queue", queue, k)
    s.follow(0.99)
    return F.cross_entropy(logits, torch.zeros(len(q), dtype=torch.long))


def byol(s):
    p = s.net.predictor(s.net.project(s.x))
    z = s.shadow.project(s.x)
    s.follow(1 - (1 - 0.99) * (math.cos(math.pi * (NUMBER - 1) / TOTAL) + 1) / 2)
    return mean((2 - 2 * F.cosine_similarity(p, other)).mean() for other in s.others(z))


def simsiam(s):
    z = s.net.project(s.x)
    p = s.net.predictor(z)
    return mean(-F.cosine_similarity(p, other).mean() for other in s.others(s.hold(z)))


def barlow(s):
    norm = [(z - z.mean(0)) / torch.sqrt(z.var(0, unbiased=False) + 1e-5)
            for z in s.net.project(s.x).chunk(2)]
    c = norm[0].T @ norm[1] / len(norm[0])
    diagonal = torch.diagonal(c)
    return ((1 - diagonal) ** 2).sum() + 0.0051 * ((c ** 2).sum() - (diagonal ** 2).sum())


def vicreg(s):
    a, b = s.net.project(s.x).chunk(2)
    loss = 25 * F.mse_loss(a, b)
    for z in (a, b):
        loss = loss + 25 * F.relu(1 - torch.sqrt(z.var(0) + 1e-4)).mean() / 2
        c = torch.cov(z.T)
        loss = loss + (c - torch.diag(torch.diagonal(c))).pow(2).sum() / z.shape[1]
    return loss


def nnclr(s):
    raw = s.net.project(s.x)
    z, p = F.normalize(s.hold(raw), dim=1), F.normalize(s.net.predictor(raw), dim=1)
    queue = s.queue(64, z.shape[1])
    near = queue[(z @ queue.T).argmax(1)]
    s.put("queue", queue, z.chunk(2)[0])
    loss = 0
    for n, other in zip(near.chunk(2), reversed(p.chunk(2))):
        loss = loss + F.cross_entropy(n @ other.T / 0.1, torch.arange(len(n))) / 2
    return loss


def swav(s):
    z = F.normalize(s.net.project(s.x), dim=1)
    prototypes = F.normalize(s.net.prototypes.weight, dim=1)
    scores = z @ prototypes.T
    targets = []
    for view in s.hold(scores).chunk(s.V):
        q = torch.exp(view / 0.05).T
        q = q / q.sum()
        for _ in range(3):
            q = q / q.sum(1, keepdim=True) / q.shape[0]
            q = q / q.sum(0, keepdim=True) / q.shape[1]
        targets.append((q * q.shape[1]).T)
    loss = mean(F.cross_entropy(scores / 0.1, other) for other in s.others(torch.cat(targets)))
    if s.local is None:
        return loss
    scores = F.normalize(s.net.project(s.local), dim=1) @ prototypes.T
    return with_local(s, loss, mean(F.cross_entropy(view / 0.1, target) for view in scores.split(len(targets[0]))
                                    for target in targets))


def supervised(s):
    return F.cross_entropy(s.net.fc(s.net.encoder(s.x)), s.labels(), label_smoothing=0.1)


METHODS = {f.__name__: f for f in (simclr, margin, siamese, triplet, npair, supcon, dcl, dclw, debiased, moco, nnclr, byol, simsiam, barlow, vicreg,
                                  swav, supervised)}
PLAIN_LAST = ("simsiam",)
ONE_VIEW = ("supervised",)


def loss_of(name, s):
    Relu.used = s.holds = 0
    loss = METHODS[name](s)
    assert Relu.used == len(Relu.masks)
    return loss


def gradcheck(name, s, dump, h=1e-5):
    """The relative error of the loss's slope along our gradient, by central differences."""
    params = s.net.named()
    grad = {n: dump["grad." + n].double() for n in params if "grad." + n in dump}
    length = math.sqrt(sum(float((g * g).sum()) for g in grad.values()))
    loss = []
    with torch.no_grad():
        for step in h, -2 * h:
            for n, g in grad.items():
                params[n] += step / length * g
            loss.append(loss_of(name, s).item())
    return abs((loss[0] - loss[1]) / (2 * h) - length) / length


def main():
    args = argparse.ArgumentParser()
    args.add_argument("method", help="one of %s, with :VIEWS[+LOCAL] unless it is 2" % ", ".join(METHODS))
    args.add_argument("dump")
    args.add_argument("--fixture", action="store_true")
    args = args.parse_args()
    dump = load_file(args.dump)
    Relu.masks = [dump[n] for n in sorted(dump) if n.startswith("mask.")]
    method, _, views = args.method.partition(":")
    s = Step(dump, method in PLAIN_LAST, int(views.split("+")[0] or 2 - (method in ONE_VIEW)))
    loss = loss_of(method, s)
    loss.backward()
    wanted = {"grad." + n: p.grad for n, p in s.net.named().items() if p.grad is not None}
    wanted.update(("after." + n, p) for n, p in s.after.items())
    if args.fixture:
        print("/* Generated by tests/torch/methods.py --fixture: {name, norm, projection} of each gradient\n"
              " * and of what the step leaves, in PyTorch %s, double precision. */"
              % torch.__version__.split("+")[0])
        print('{"loss", %.9e, 0},' % loss.item())
        for name, t in wanted.items():
            print('{"%s", %.9e, %.9e},' % (name.removeprefix("grad."), float(t.norm()), projection(t)))
        return
    largest = max(float(t.norm()) for n, t in wanted.items() if n.startswith("grad."))
    worst = abs(float(dump["loss"]) - loss.item()) / abs(loss.item())
    print("loss: ours %.9g, PyTorch %.9g (double)" % (float(dump["loss"]), loss.item()))
    for name, want in wanted.items():
        scale = max(float(want.norm()), 3e-2 * largest if name.startswith("grad.") else 1e-6)
        error = float((dump[name].double() - want).norm()) / scale
        worst = max(worst, error)
        print("  %-36s %.1e" % (name, error))
    slope = gradcheck(method, s, dump)
    print("slope along the gradient: relative error %.1e" % slope)
    print("%s: worst relative error %.1e" % (args.method, worst))
    sys.exit(max(worst, slope) > 1e-4)


if __name__ == "__main__":
    main()
