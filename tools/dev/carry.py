#!/usr/bin/env python3
"""The tests on a machine where nothing can be installed, as nodes with a GPU often are.

  here:   python3 tools/dev/carry.py pack FILE.tar.gz    the last commit, built, with the libraries it needs
  there:  tar -C /tmp -xzf FILE.tar.gz                   always in /tmp: paths are in what was built
          cd /tmp/clcontrast-carried
          OCL_ICD_VENDORS=DIR python3 tools/dev/carry.py test [--jobs N] [NAME ...]
          build/clcontrast bench; python3 tools/dev/bench_torch.py step --cuda --build build

There: Python 3 and a C library no older than here. DIR holds a driver's .icd file; one for NVIDIA is a
line, `libnvidia-opencl.so.1`. Tests of what is built there (lint, install, library) are left out.
Each test's result is printed when it is there; the last line is "N passed, N failed", of test programs."""
import argparse
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import sys
import time

PLACE = "/tmp/clcontrast-carried"
BUILD, LIBRARIES, TESTS = (os.path.join(PLACE, name) for name in ("build", "lib", "tests.json"))
BUILT_THERE = ("lint", "install", "library")
# Of the C library and its loader: those of the other machine.
NOT_CARRIED = ("ld-linux", "libc.so", "libm.so", "libpthread.so", "libdl.so", "librt.so", "linux-vdso")


def output_of(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **more).stdout


def build(*command):
    subprocess.run(command, check=True, stdout=sys.stderr)


def programs():
    """Executables and shared libraries of the build."""
    for folder, _, names in os.walk(BUILD):
        for path in (os.path.join(folder, name) for name in names):
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    if file.read(4) == b"\x7fELF" and not path.endswith((".o", ".a")):
                        yield path


def pack(args):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    shutil.rmtree(PLACE, ignore_errors=True)
    os.makedirs(LIBRARIES)
    output_of("tar", "-x", "-C", PLACE, input=output_of("git", "-C", root, "archive", "HEAD"))
    # The older form of the path, which holds for the libraries' own libraries too.
    build("meson", "setup", BUILD, PLACE, "--buildtype=release", "--strip",
          "-Dc_link_args=-s -Wl,--disable-new-dtags,-rpath," + LIBRARIES)
    build("ninja", "-C", BUILD)
    built = list(programs())
    for line in output_of("ldd", *built, text=True).splitlines():
        name, _, path = line.strip().partition(" => ")
        path = path.split(" (")[0]
        if path.startswith("/") and not path.startswith(PLACE) and not name.startswith(NOT_CARRIED):
            shutil.copy(path, os.path.join(LIBRARIES, name))
    with open(TESTS, "wb") as file:
        file.write(output_of("meson", "introspect", "--tests", BUILD))
    build("tar", "-C", os.path.dirname(PLACE), "-czf", args.file, "--exclude=*.o", "--exclude=*.a",
          "--exclude=.ninja_*", os.path.basename(PLACE))
    print("%s: %d programs, %.1f MiB" % (args.file, len(built), os.path.getsize(args.file) / 2**20))
    return 0


def run_test(test):
    command = [os.path.normpath(word) if word.startswith(PLACE) else word for word in test["cmd"]]
    if os.path.basename(command[0]).startswith("python"):
        command[0] = sys.executable
    start = time.monotonic()
    try:
        done = subprocess.run(command, env={**os.environ, **test["env"]}, cwd=BUILD, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=test["timeout"])
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, output = "time-out", late.stdout or b""
    return status, output.decode(errors="replace"), time.monotonic() - start


def test(args):
    with open(TESTS, encoding="utf-8") as file:
        tests = [t for t in json.load(file) if t["name"] not in BUILT_THERE]
    tests = [t for t in tests if not args.names or any(t["name"].startswith(n) for n in args.names)]
    tests.sort(key=lambda t: -t["timeout"])  # what may take long begins first
    cache = os.path.join(BUILD, "cache")
    os.environ.update(XDG_CACHE_HOME=cache, POCL_CACHE_DIR=os.path.join(cache, "pocl"), CTR_REQUIRE_DEVICE="1")
    os.makedirs(os.environ["POCL_CACHE_DIR"], exist_ok=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        running = {pool.submit(run_test, t): t["name"] for t in tests}
        for future in concurrent.futures.as_completed(running):
            status, output, seconds = future.result()
            passed += status == 0
            print("%-24s %7.1f s  %s" % (running[future], seconds, "passed" if status == 0 else status), flush=True)
            if status != 0:
                print(output[-args.output:], flush=True)
    print("%d passed, %d failed" % (passed, len(tests) - passed))
    return not passed or passed < len(tests)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("pack")
    command.add_argument("file")
    command.set_defaults(run=pack)
    command = commands.add_parser("test")
    command.add_argument("names", nargs="*", metavar="NAME", help="those whose names begin so (default: all)")
    command.add_argument("--jobs", type=int, default=os.cpu_count())
    command.add_argument("--output", type=int, default=3000, help="characters of a failed test's output")
    command.set_defaults(run=test)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
