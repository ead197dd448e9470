#!/usr/bin/env python3
"""Compiles kernels without a device: check_kernels.py ROOT FILE.cl ... (paths below the repository).

Each file passes through clang as OpenCL C 1.2 with its default parameters, warnings as errors, and
once more for each way to store activations where it knows them (act_t, cl/lib/prelude.clh), with
matrix units where it can use them (cl/lib/mma.clh), for GPUs without fma (quirk no_fma), and for CPUs
with short vectors and the built-in functions that cl/lib/builtins.clh declares. Exit 77 (skipped) without a clang that
knows OpenCL; PoCL brings one along on Debian."""
import concurrent.futures
import itertools
import os
import re
import shutil
import subprocess
import sys

FLAGS = ["-x", "cl", "-cl-std=CL1.2", "-fsyntax-only",
         "-target", "spir64-unknown-unknown", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-parameter", "-Wno-unused-function", "-Wno-unused-macros",
         "-DCTR_Q_MMA_EMULATED=1"]
ALL_BUILTINS = ["-Xclang", "-finclude-default-header"]
NO_FMA = ["-DCTR_Q_NO_FMA=1"]
OWN_BUILTINS = ["-include", "opencl-c-base.h", "-DCTR_Q_OWN_BUILTINS=1", "-DCTR_CPU=1", "-DVW=16",
                "-DCTR_Q_SHORT_VECTORS=1"]


def compilers():
    names = [name for folder in os.environ.get("PATH", "").split(os.pathsep) if os.path.isdir(folder)
             for name in os.listdir(folder) if re.fullmatch(r"clang(-\d+)?", name)]
    return sorted(set(names), key=lambda name: int((name.split("-") + ["999"])[1]), reverse=True)


def works(clang):
    probe = "kernel void f(global float *x) { x[get_global_id(0)] = exp(1.0f); }\n"
    return shutil.which(clang) and subprocess.run([clang, *FLAGS, *ALL_BUILTINS, "-"],
                                                  input=probe.encode(), capture_output=True).returncode == 0


def check(clang, embed, root, path):
    flat = subprocess.run([sys.executable, embed, "--flatten", root, os.path.relpath(path, root)],
                          capture_output=True)
    if flat.returncode != 0:
        return flat.stderr.decode()
    with open(path) as source:
        acts = (0, 1, 2) if "act_t" in source.read() else (0,)
    units = (0, 1) if b"#if MMA" in flat.stdout else (0,)
    for act, mma, builtins in itertools.product(acts, units, (ALL_BUILTINS + NO_FMA, OWN_BUILTINS)):
        options = builtins + ["-DACT=%d" % act] + ["-DMMA=1"] * mma
        done = subprocess.run([clang, *FLAGS, *options, "-"], input=flat.stdout,
                              capture_output=True)
        if done.returncode != 0:
            return done.stderr.decode() or "%s failed on %s" % (clang, path)
    return ""


def main():
    root, paths = sys.argv[1], sys.argv[2:]
    embed = os.path.join(os.path.dirname(os.path.abspath(__file__)), "embed_cl.py")
    clang = next((name for name in compilers() if works(name)), None)
    if not clang:
        print("no clang that compiles OpenCL C")
        sys.exit(77)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda path: check(clang, embed, root, path), paths))
    failed = [text for text in results if text]
    print("".join(failed), end="")
    print("%d passed, %d failed" % (len(paths) - len(failed), len(failed)))
    sys.exit(1 if failed else 0)


main()
