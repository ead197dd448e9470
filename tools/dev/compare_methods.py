#!/usr/bin/env python3
"""Every learning method on the same images with the same short budget, as a Markdown table:
compare_methods.py BUILD DATA WORK [--only NAME ...] [--images N] [-- OPTION ...].

BUILD has `clcontrast` and `tests/step-dump`; DATA is a labelled data set; runs lie in WORK/NAME and are not
made again when they are there. Options behind -- go to every `clcontrast train`, but for --limit, --steps and
--log-steps, which are taken. The columns, of one step
in double precision (tests/torch/methods.py; "-" where PyTorch is not to be had): the relative error of the
loss's slope along our gradient by central differences, and the worst of loss and gradients; views a second
in a short run of its own (all of these come first), the median of its lines; the last epoch's loss; nearest
neighbours and a linear probe on the features after the last epoch (of N images a split). The untrained
encoder and raw pixels stand below."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TORCH = os.path.join(HERE, "..", "..", "tests", "torch", "methods.py")
# What a short run on small images wants beside a method's defaults.
OWN = {"barlow": ["--head-layers", "3", "--head-hidden", "256", "--head-out", "256"],
       "vicreg": ["--head-layers", "3", "--head-hidden", "256", "--head-out", "256"],
       "margin": ["--no-head-bn"]}
VIEWS = {"supervised": 1}  # of an image; all others 2


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode not in (0, 3):  # 3: some images could not be read
        sys.exit("%s\n%s" % (" ".join(command), done.stderr))
    return done.stdout


def methods(program):
    listed = output(program, "train", "--help").split("Methods:\n")[1].split("\n\n")[0]
    return re.findall(r"^  (\S+)", listed, re.M)


def step_errors(build, name, work):
    dump = os.path.join(work, name + ".safetensors")
    output(os.path.join(build, "tests", "step-dump"), name + "/cnn", "16", "16", dump)
    done = subprocess.run([sys.executable, TORCH, name, dump], capture_output=True, text=True)
    found = re.findall(r"relative error (\S+)", done.stdout)
    return found if len(found) == 2 else ["-", "-"]


def score(program, run, images, *options):
    return json.loads(output(program, "eval", run, "--json", "--limit", str(images), *options))


def train(program, name, data, run, options):
    """The lines of the run's metrics."""
    if not os.path.exists(run):
        output(program, "train", "-q", "--method", name, "--data", data, "--out", run,
               *OWN.get(name, []), *options)
    with open(os.path.join(run, "metrics.jsonl")) as file:
        return [json.loads(line) for line in file]


def rate(lines):
    """Views a second; the first steps are not typical."""
    return statistics.median(line["images_per_s"] for line in lines[1:] if "images_per_s" in line)


def row(name, errors, views, loss, scores):
    print("| %s | %s | %s | %s | %s | %.2f | %.2f | %.2f |"
          % (name, *errors, views, loss, *(100 * scores[k] for k in ("knn10", "knn200", "linear"))), flush=True)


def main():
    args = argparse.ArgumentParser()
    args.add_argument("build")
    args.add_argument("data")
    args.add_argument("work")
    args.add_argument("--only", nargs="*")
    args.add_argument("--images", type=int, default=0)
    own = sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    options = sys.argv[len(own) + 2:]
    args = args.parse_args(own)
    os.makedirs(args.work, exist_ok=True)
    program = os.path.join(args.build, "clcontrast")
    print("| method | slope | gradient | views/s | loss | kNN k=10 % | kNN k=200 % | linear probe % |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    names = args.only or methods(program)
    views = {name: VIEWS.get(name, 2) * rate(
                 train(program, name, args.data, os.path.join(args.work, name + "-speed"),
                       options + ["--limit", "4000", "--steps", "40", "--log-steps", "5"]))
             for name in names}
    for name in names:
        run = os.path.join(args.work, name)
        loss = train(program, name, args.data, run, options)[-1]["loss"]
        row(name, step_errors(args.build, name, args.work), round(views[name]), "%.3f" % loss,
            score(program, run, args.images, "--no-baselines")["trained"])
    result = score(program, run, args.images)
    for name in "untrained", "pixels":
        row(name, ["", ""], "", "", result[name])


if __name__ == "__main__":
    main()
