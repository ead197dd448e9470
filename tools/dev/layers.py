#!/usr/bin/env python3
"""Checks who includes whom: layers.py ROOT. Exit 1 with one line a breach.

    base <- dev <- graph <- op <- {nn, optim, data} <- {method, eval, export} <- train <- tools
io needs only base and may be used from {nn, optim, data} upwards. Directories of one level do not
include each other. OpenCL's headers stay in src/dev/cl*, the BLAS's and the image decoder's in one
file each; kernels include only cl/lib; tools never reach around the library's headers."""
import os
import re
import sys

LEVELS = {"base": 0, "dev": 1, "graph": 2, "op": 3, "nn": 4, "optim": 4, "data": 4, "method": 5,
          "eval": 5, "export": 5, "train": 6, "tools": 7}
IO_FROM = 4
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)
SUFFIXES = (".c", ".h", ".cl", ".clh")


def files(root, folder):
    for where, _, names in os.walk(os.path.join(root, folder)):
        for name in sorted(names):
            if name.endswith(SUFFIXES):
                yield os.path.relpath(os.path.join(where, name), root)


def includes(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return INCLUDE.findall(file.read())


def layer_breach(layer, target):
    """Why a file of `layer` may not include "target/...", or None."""
    if target == layer or target == "clcontrast":
        return None
    if target not in LEVELS and target != "io":
        return "there is no layer '%s'" % target
    if layer == "io":
        return None if target == "base" else "io needs only base"
    if target == "io":
        return None if LEVELS[layer] >= IO_FROM else "%s is below io's users" % layer
    if LEVELS[target] < LEVELS[layer]:
        return None
    return "%s does not stand above %s" % (layer, target)


def check_c(root, breaches, users):
    for folder in ("src", "tools"):
        for path in files(root, folder):
            parts = path.split("/")
            layer = "tools" if folder == "tools" else parts[1]
            for kind, name in includes(root, path):
                if name.startswith("CL/") and not re.match(r"src/dev/cl[^/]*$", path):
                    breaches.append("%s: %s belongs into src/dev/cl*" % (path, name))
                if name in ("clblast_c.h", "clblast.h") or name.startswith("stb/"):
                    users.setdefault(name, []).append(path)
                if kind == '"' and "/" in name:
                    why = layer_breach(layer, name.split("/")[0])
                    if why:
                        breaches.append('%s: "%s": %s' % (path, name, why))


def main():
    root, breaches, users = sys.argv[1], [], {}
    check_c(root, breaches, users)
    for name, paths in users.items():
        if len(paths) > 1 or not paths[0].startswith("src/"):
            breaches.append("%s: included by %s; one file of src only" % (name, ", ".join(paths)))
    for path in files(root, "cl"):
        for _, name in includes(root, path):
            if not name.startswith("lib/"):
                breaches.append('%s: "%s": kernels include only cl/lib' % (path, name))
    for path in files(root, "include"):
        for kind, name in includes(root, path):
            if kind == '"' and not name.startswith("clcontrast/"):
                breaches.append('%s: "%s" is not installed' % (path, name))
    print("\n".join(breaches) if breaches else "layers are in order")
    sys.exit(1 if breaches else 0)


main()
