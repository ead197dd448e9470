#!/usr/bin/env python3
"""What --micro-batch costs and saves, as a Markdown table: micro_batches.py CLCONTRAST WORK ROW ... [-- OPTION ...].

ROW is ENCODER:WIDTH:BATCH:MICRO:STEPS, MICRO 0 for the whole batch at once. Each is planned and then trained
for so many steps in a process of its own on the built-in drawings. Options behind -- go to every
`clcontrast train`. The columns: activations and scratch, and the device's memory in all, as --dry-run has
them; the most that the process has had resident; the time of a step on the clock and of processors, each
the first step left out; and by how much loss and parameters after the last step differ from the first row of the same encoder,
width and batch, relative to the largest."""
import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s\n%s" % (" ".join(command), done.stderr))
    return done.stdout


def used(*command):
    """The child's largest resident memory in MiB and its processor time in seconds, taken in a process that
    has no other children."""
    done = subprocess.run([sys.executable, __file__, "--run", *command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit("%s\n%s" % (" ".join(command), done.stderr))
    kib, seconds = done.stdout.split()
    return int(kib) / 1024, float(seconds)


def parameters(run, step):
    with open(os.path.join(run, "checkpoints", "step-%08d.safetensors" % step), "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    found = []
    for name, entry in sorted(header.items()):
        if not name.startswith(("__metadata__", "optimizer.", "shadow.")) and "running_" not in name:
            start, end = entry["data_offsets"]
            found += struct.unpack("<%df" % ((end - start) // 4), data[start:end])
    return found


def planned(plan, name):
    return float(re.search(name + r" +([0-9.]+) MiB", plan).group(1))


def train(program, work, row, options):
    encoder, width, batch, micro, steps = row.split(":")
    run = os.path.join(work, row.replace(":", "-"))
    args = [program, "train", "--encoder", encoder, "--width", width, "--batch", batch, "--micro-batch", micro,
            "--log-steps", "1", *options]
    plan, cpu = output(*args, "--dry-run"), []
    for n in "1", steps:
        shutil.rmtree(run, ignore_errors=True)
        most, seconds = used(*args, "-q", "--steps", n, "--out", run)
        cpu.append(seconds)
    with open(os.path.join(run, "metrics.jsonl")) as file:
        lines = [json.loads(line) for line in file]
    until = [line["step"] * int(batch) / line["images_per_s"] for line in lines]
    seconds = (until[-1] - until[0]) / (len(lines) - 1)
    return plan, most, seconds, (cpu[1] - cpu[0]) / (int(steps) - 1), lines[-1]["loss"], parameters(run, int(steps))


def main():
    own = sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
    program, work, *rows = own
    options = sys.argv[len(own) + 2:]
    first = {}
    print("| encoder | pairs | at a time | activations MiB | device MiB | resident MiB | s a step | processor s | loss | parameters |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        encoder, width, batch, micro, _ = row.split(":")
        plan, most, seconds, cpu, loss, values = train(program, work, row, options)
        whole, exact = first.setdefault((encoder, width, batch), (loss, values))
        worst = max(abs(a - b) for a, b in zip(values, exact)) / max(map(abs, exact))
        print("| %s x %s | %s | %s | %.1f | %.1f | %.0f | %.3f | %.3f | %.1e | %.1e |"
              % (encoder, width, batch, micro if int(micro) else batch, planned(plan, "activations, scratch"),
                 planned(plan, "sum"), most, seconds, cpu, abs(loss - whole) / abs(whole), worst),
              flush=True)


if sys.argv[1:2] == ["--run"]:
    code = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL).returncode
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(usage.ru_maxrss, usage.ru_utime + usage.ru_stime)
    sys.exit(code)
main()
