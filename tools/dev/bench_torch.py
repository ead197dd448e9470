#!/usr/bin/env python3
"""`clcontrast bench` beside PyTorch and OpenBLAS: bench_torch.py [NAME ...] (names as bench takes them).

For every named row that has a counterpart, each round times ours (a process of its own), then theirs in
this one; printed are the medians over all rounds and how many times longer theirs takes, with the
least and the largest ratio of a round. Theirs:

  conv2d      oneDNN through PyTorch in both memory layouts, the faster one counts; each gradient alone
              by aten::convolution_backward
  gemm        OpenBLAS as Debian packages it (libopenblas.so.0, by ctypes), row-major sgemm
  dense       torch.nn.functional.linear; both gradients and the bias's by autograd
  batch_norm  torch.nn.functional.batch_norm (+ residual), ReLU; gradients by autograd
  step        SimCLR forward, backward and update (fused SGD or AdamW) without augmentation, the
              network being tests/torch/step.py's; ours includes augmentation

Times of theirs are taken as bench takes ours: runs of 5 ms at least, after a warm-up, nothing waited
for in between. What takes a fifth longer in the first round than another of theirs is left out of the others.
--precision and --math are those of ours only. --memory compares peak memory of steps instead. With --cuda theirs
run on the first CUDA device: cuDNN searches for the fastest algorithm, cuBLAS multiplies matrices, steps are
launched one by one and as one CUDA graph; --math tf32 allows it to theirs too, and --precision is that of
autocast (steps alone, no loss scaling). Needs PyTorch and safetensors; Debian's libopenblas0-pthread
without --cuda. Nothing else may run beside it."""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "torch"))
for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
    del os.environ[name]  # it shall choose by itself

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

LAYOUTS = {"channels_first": torch.contiguous_format, "channels_last": torch.channels_last}
SAMPLE_S = 0.005
AUTOCAST = {"fp16": torch.float16, "bf16": torch.bfloat16}


# ---- theirs: {label: function}, each call one run ----

def images(n, c, h, layout, grad=False):
    return torch.rand(n, c, h, h).mul_(2).sub_(1).to(memory_format=LAYOUTS[layout]).requires_grad_(grad)


def conv2d(row, layout):
    s, which = row["shape"], row["pass"]
    groups = s.get("groups", 1)
    x = images(s["N"], s["C"], s["H"], layout)
    w = torch.rand(s["K"], s["C"] // groups, s["R"], s["R"]).sub_(0.5).to(memory_format=LAYOUTS[layout])
    st, pad = [s["stride"]] * 2, [s["pad"]] * 2
    if s.get("bias_relu_pool"):
        b = torch.zeros(s["K"])
        return None if which != "fwd" else lambda: F.relu(F.max_pool2d(F.conv2d(x, w, b, st, pad), 2))
    if which == "fwd":
        return lambda: F.conv2d(x, w, None, st, pad, 1, groups)
    dy = torch.rand_like(F.conv2d(x, w, None, st, pad, 1, groups))
    mask = [which == "dx", which == "dw", False]
    backward = torch.ops.aten.convolution_backward
    return lambda: backward(dy, x, w, None, st, pad, [1, 1], False, [0, 0], groups, mask)


class Blas:
    library = None

    @classmethod
    def load(cls):
        if cls.library is None:
            cls.library = ctypes.CDLL("libopenblas.so.0")
            for name in ("openblas_get_corename", "openblas_get_config"):
                getattr(cls.library, name).restype = ctypes.c_char_p
        return cls.library

    @classmethod
    def describe(cls):
        lib = cls.load()
        return "%s, kernels of %s, %d threads" % (
            " ".join(lib.openblas_get_config().decode().split()[:2]),
            lib.openblas_get_corename().decode(), lib.openblas_get_num_threads())


def gemm(row, cuda):
    s = row["shape"]
    m, n, k, ta, tb = s["M"], s["N"], s["K"], s["transpose_a"], s["transpose_b"]
    a, b, c = torch.rand(m * k), torch.rand(n * k), torch.zeros(m * n)
    if cuda:
        left, right = a.view(k, m).T if ta else a.view(m, k), b.view(n, k).T if tb else b.view(k, n)
        return lambda: torch.mm(left, right, out=c.view(m, n))
    lib = Blas.load()
    pointer = ctypes.POINTER(ctypes.c_float)
    ptr = [ctypes.cast(t.data_ptr(), pointer) for t in (a, b, c)]
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    args = (101, 112 if ta else 111, 112 if tb else 111, m, n, k, one, ptr[0], m if ta else k,
            ptr[1], k if tb else n, zero, ptr[2], n)

    def run(keep=(a, b, c)):
        lib.cblas_sgemm(*args)
    return run


def gradients(row, output, inputs):
    """The forward, or what autograd does once the forward is there."""
    if row["pass"] == "fwd":
        def forward():
            with torch.no_grad():
                return output()
        return forward
    y = output()
    dy = torch.rand_like(y)
    return lambda: torch.autograd.grad(y, inputs, dy, retain_graph=True)


def dense(row):
    s = row["shape"]
    x, w, b = (torch.rand(*dim).sub_(0.5).requires_grad_() for dim in
               ((s["N"], s["I"]), (s["O"], s["I"]), (s["O"],)))
    return gradients(row, lambda: F.linear(x, w, b), (x, w, b))


def batch_norm(row, layout):
    s = row["shape"]
    x = images(s["N"], s["C"], s["H"], layout, True)
    residual = images(s["N"], s["C"], s["H"], layout, True) if s["residual"] else None
    gamma, beta = torch.ones(s["C"], requires_grad=True), torch.zeros(s["C"], requires_grad=True)
    mean, var = torch.zeros(s["C"]), torch.ones(s["C"])

    def output():
        y = F.batch_norm(x, mean, var, gamma, beta, True, 0.1, 1e-5)
        return F.relu(y if residual is None else y + residual)
    inputs = (x, gamma, beta) + (() if residual is None else (residual,))
    return gradients(row, output, inputs)


class Dumps:
    """Our own step's parameters, from which step.py builds the network."""
    folder, by_encoder, program = None, {}, None

    @classmethod
    def get(cls, encoder, size):
        from safetensors.torch import load_file
        if encoder not in cls.by_encoder:
            cls.folder = cls.folder or tempfile.TemporaryDirectory()
            path = os.path.join(cls.folder.name, encoder)
            subprocess.run([cls.program, encoder, "2", str(size), path, "1"], check=True,
                           stdout=subprocess.DEVNULL)
            cls.by_encoder[encoder] = load_file(path)
        return cls.by_encoder[encoder]


def step(row, layout, autocast, captured=False):
    import step as models
    s = row["shape"]
    model = models.model_for(Dumps.get(s["encoder"], s["image_size"]))
    model = model.to(memory_format=LAYOUTS[layout])
    x = torch.rand(2 * s["pairs"], 3, s["image_size"], s["image_size"])
    x = x.to(memory_format=LAYOUTS[layout])
    if s["encoder"] == "cnn":
        optim = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True, capturable=captured)
    else:
        optim = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True)

    def run():
        optim.zero_grad(set_to_none=True)
        # Without its cache of weights, which a captured graph must not read: each is cast once a step anyway.
        with torch.autocast(x.device.type, autocast, enabled=autocast is not None, cache_enabled=False):
            loss = model(x)
        loss.backward()
        optim.step()
    return run


def graph(run):
    """The launches of one run as a CUDA graph: torch.cuda.CUDAGraph's documentation, "whole-network capture"."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        run()
    return captured.replay


IN_LAYOUTS = {"conv2d": conv2d, "conv2d_grouped": conv2d, "batch_norm": batch_norm}


def theirs(args, row):
    family, autocast = row["family"], AUTOCAST.get(args.precision) if args.cuda else None
    if family == "step":
        runs = {layout: step(row, layout, autocast) for layout in LAYOUTS}
        if args.cuda:
            runs.update({layout + "+graph": graph(step(row, layout, autocast, True)) for layout in LAYOUTS})
        return runs
    if autocast:
        return {}
    if family == "gemm":
        return {"cuBLAS" if args.cuda else "OpenBLAS": gemm(row, args.cuda)}
    if family == "dense":
        return {"PyTorch": dense(row)}
    if family not in IN_LAYOUTS:
        return {}
    runs = {layout: IN_LAYOUTS[family](row, layout) for layout in LAYOUTS}
    return {label: run for label, run in runs.items() if run}


# ---- timing ----

def time_runs(run, n):
    start = time.perf_counter()
    for _ in range(n):
        run()
    if torch.get_default_device().type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def time_theirs(run, samples):
    time_runs(run, 1)
    once = time_runs(run, 1)
    n = 1 if once >= SAMPLE_S else int(SAMPLE_S / once) + 1
    return [time_runs(run, n) / n for _ in range(samples)]


def bench(args, *more):
    done = subprocess.run([os.path.join(args.build, "clcontrast"), "bench", "--json", "-q", *more],
                          stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit("bench_torch.py: `clcontrast bench %s` failed" % " ".join(more))
    return json.loads(done.stdout)


def options(args):
    more = ["--full"] if args.full else []
    for name in ("batch", "encoder", "device", "kernel", "precision", "math"):
        value = getattr(args, name)
        more += ["--" + name, str(value)] if value else []
    return more


def compare(args, row):
    """One row's line of the result, or None when there is nothing to compare with."""
    runs = theirs(args, row)
    if not runs:
        return None
    ours, other = [], {label: [] for label in runs}
    rounds = []
    for _ in range(args.rounds):
        result = bench(args, row["name"], "--no-peaks", "--repeat", str(args.samples), *options(args))
        measured = [r for r in result["rows"] if r["name"] == row["name"]]
        if not measured:
            return None
        ours.append(measured[0]["median_s"])
        now = {label: statistics.median(time_theirs(run, args.samples)) for label, run in runs.items()}
        for label, seconds in now.items():
            other[label].append(seconds)
        fastest = min(now.values())
        rounds.append(fastest / ours[-1])
        runs = {label: run for label, run in runs.items() if now[label] <= 1.2 * fastest}
    medians = {label: statistics.median(times) for label, times in other.items()}
    best = min(medians, key=medians.get)
    mine = statistics.median(ours)
    return {"name": row["name"], "ours_s": mine, "theirs_s": medians[best], "theirs": best,
            "all_theirs_s": medians, "ratio": medians[best] / mine, "least_ratio": min(rounds),
            "largest_ratio": max(rounds), "flops": measured[0]["flops"],
            "kernels": measured[0]["kernels_chosen"], "shape": row["shape"]}


def duration(s):
    return "%.3f s" % s if s >= 1 else "%.3f ms" % (s * 1e3)


def show(r):
    print("%-32s %11s %11s  %-20s %6.2f  (%.2f .. %.2f) %8.1f %8.1f" % (
        r["name"], duration(r["ours_s"]), duration(r["theirs_s"]), r["theirs"], r["ratio"],
        r["least_ratio"], r["largest_ratio"], r["flops"] / r["ours_s"] * 1e-9,
        r["flops"] / r["theirs_s"] * 1e-9), flush=True)


# ---- memory ----

def status(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))


def allocator_peak(make, steps):
    """The most that PyTorch's CPU allocator had handed out: every tensor, nothing else."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU],
                                profile_memory=True) as profile:
        run = make()
        time_runs(run, steps)
    events = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = most = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        now += event.nbytes()
        most = max(most, now)
    return most


def memory_child(args):
    """Prints peaks of one layout; the process has done a step of another network before, so that code,
    threads and libraries do not count."""
    row, layout = json.loads(args.memory_child), args.layout
    Dumps.get(row["shape"]["encoder"], row["shape"]["image_size"])
    small = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.Flatten(),
                                torch.nn.Linear(16 * 36, 4))
    small(torch.rand(4, 3, 8, 8)).sum().backward()
    before = status("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # VmHWM from here on
    autocast = AUTOCAST.get(args.precision) if args.cuda else None
    run = step(row, layout, autocast)
    time_runs(run, 3)
    if args.cuda:  # what its allocator holds, and what of that tensors had at their most
        peaks = {"resident": torch.cuda.max_memory_reserved(), "tensors": torch.cuda.max_memory_allocated()}
    else:
        peaks = {"resident": status("VmHWM") - before}
        del run
        peaks["tensors"] = allocator_peak(lambda: step(row, layout, autocast), 2)
    print(json.dumps(peaks))


def compare_memory(args, row):
    result = bench(args, row["name"], "--no-peaks", "--repeat", "1", *options(args))
    mine = result["rows"][0]["arena_bytes"] + result["rows"][0]["trained_bytes"]
    best = {}
    for layout in LAYOUTS:
        done = subprocess.run([sys.executable, os.path.abspath(__file__), "--build", args.build,
                               "--memory-child", json.dumps(row), "--layout", layout,
                               *options(args), *["--cuda"] * args.cuda],
                              stdout=subprocess.PIPE, check=True)
        for key, value in json.loads(done.stdout).items():
            best[key] = min(best.get(key, value), value)
    print("%-24s ours %8.1f MiB  tensors %8.1f MiB (ours / theirs %.2f)  resident %8.1f MiB (%.2f)" % (
        row["name"], mine / 2**20, best["tensors"] / 2**20, mine / best["tensors"],
        best["resident"] / 2**20, mine / best["resident"]), flush=True)
    return {"name": row["name"], "ours_bytes": mine, "tensor_bytes": best["tensors"],
            "resident_bytes": best["resident"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=["conv2d", "gemm", "step"])
    parser.add_argument("--build", default=os.path.join(ROOT, "build-test"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=5, help="timings of a row in each round")
    parser.add_argument("--full", action="store_true", help="the large cases too")
    parser.add_argument("--json", help="write all figures there")
    parser.add_argument("--memory", action="store_true", help="peak memory of steps instead of times")
    for name in ("batch", "encoder", "device", "kernel", "precision", "math"):
        parser.add_argument("--" + name, help="as of clcontrast bench")
    parser.add_argument("--cuda", action="store_true", help="theirs on a CUDA device")
    parser.add_argument("--memory-child", help=argparse.SUPPRESS)
    parser.add_argument("--layout", help=argparse.SUPPRESS)
    args = parser.parse_args()
    Dumps.program = os.path.join(args.build, "tests", "step-dump")
    if args.cuda:
        if not torch.cuda.is_available():
            sys.exit("bench_torch.py: --cuda: PyTorch finds no CUDA device")
        torch.set_default_device("cuda")
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.math == "tf32"
    if args.memory_child:
        return memory_child(args)
    rows = bench(args, "--list", *args.names, *options(args))["rows"]
    about = {"pytorch": torch.__version__, "threads": torch.get_num_threads()}
    if args.cuda:
        about.update(cudnn=torch.backends.cudnn.version(), device=torch.cuda.get_device_name())
    elif any(row["family"] == "gemm" for row in rows):
        about["openblas"] = Blas.describe()
    print(", ".join("%s %s" % pair for pair in about.items()))
    if args.memory:
        results = [compare_memory(args, row) for row in rows if row["family"] == "step"]
    else:
        print("%-32s %11s %11s  %-20s %6s  %14s %8s %8s" % (
            "", "ours", "theirs", "", "ratio", "rounds", "GFLOP/s", "theirs"))
        results = []
        for row in rows:
            result = compare(args, row)
            if result:
                results.append(result)
                show(result)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"about": about, "rounds": args.rounds, "samples": args.samples,
                       "rows": results}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
