#!/usr/bin/env python3
"""The library as an outside project has it: library.py BUILD PROGRAM CC [CFLAG ...]. Installs into a directory of
its own, builds examples/ and outside.c with what pkg-config says and nothing else, and runs them. The training
that the library does is that which the program does by the same settings."""
import csv
import glob
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))
from folders import Made  # noqa: E402
EXAMPLES = sorted(glob.glob(os.path.join(ROOT, "examples", "*.c")))
OUTSIDE = os.path.join(ROOT, "tests", "check", "outside.c")
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g"]
CPLUS = """#include <clcontrast/data.h>
#include <clcontrast/log.h>
#include <clcontrast/model.h>
#include <clcontrast/search.h>
#include <clcontrast/train.h>
#include <cstdio>
int main() {
    ctr_train_settings s;
    ctr_train_defaults(&s);
    std::printf("%s %d\\n", s.method, ctr_train(nullptr, &s, nullptr));
}
"""


def config(text):
    """Keys and values of config.toml, as text."""
    return dict(re.findall(r'^([a-z0-9-]+) = ("(?:[^"\\]|\\.)*"|\S+)', text, re.M))


class Library(Made, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.stage = cls.at("stage")
        done = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", cls.stage],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        found = {os.path.basename(path): path for path in glob.glob(cls.stage + "/**/*clcontrast*", recursive=True)}
        cls.env = dict(os.environ, PKG_CONFIG_PATH=os.path.dirname(found["clcontrast.pc"]),
                       PKG_CONFIG_SYSROOT_DIR=cls.stage, LD_LIBRARY_PATH=os.path.dirname(found["libclcontrast.so"]))
        cls.flags = subprocess.run(["pkg-config", "--cflags", "--libs", "clcontrast"], env=cls.env, check=True,
                                   capture_output=True, text=True).stdout.split()
        for source in EXAMPLES + [OUTSIDE]:
            cls.compile(CC, source, *STRICT, "-pthread")
        for name in ("ring", "grid"):
            os.makedirs(cls.at("images", name))
            for i in range(12):
                cls.image("images/%s/%02d.ppm" % (name, i), name, i)
        # the run that the tests look at
        cls.trained = cls.run_("train", cls.at("images"), cls.at("run"), "2")

    @classmethod
    def image(cls, name, kind, i):
        def pixel(x, y):
            inside = 60 < (x - 16) ** 2 + (y - 15) ** 2 < 130 + 3 * i if kind == "ring" else (x + i) % 6 < 3 or y % 6 < 2
            return (200 - 7 * i, 40 + 11 * i, 90) if inside else (20 + 5 * i, 30, 140 - 8 * i)
        with open(cls.at(name), "wb") as file:
            file.write(b"P6 32 32 255\n" + bytes(v for y in range(32) for x in range(32) for v in pixel(x, y)))

    @classmethod
    def compile(cls, compiler, source, *flags):
        name = os.path.splitext(os.path.basename(source))[0]
        done = subprocess.run([compiler, *flags, *CFLAGS, "-o", cls.at(name), source, *cls.flags],
                              env=cls.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    @classmethod
    def run_(cls, name, *args):
        return subprocess.run([cls.at(name), *args], env=cls.env, capture_output=True, text=True, timeout=200)

    def example(self, name, *args, code=0):
        done = self.run_(name, *args)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def program(self, *args):
        done = subprocess.run([PROGRAM, *args], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_outside(self):
        shutil.copytree(self.at("run"), self.at("scratch", "torn"), symlinks=True)
        os.truncate(self.at("scratch", "torn", "checkpoints", "last"), 1000)
        done = self.example("outside", self.at("run"), self.at("images"), self.at("scratch"))
        self.assertEqual((done.stdout, done.stderr), ("ok\n", ""))

    @unittest.skipUnless(shutil.which("nm"), "no nm")
    def test_it_neither_prints_nor_ends_the_program(self):
        listed = subprocess.run(["nm", "-D", "--undefined-only", self.env["LD_LIBRARY_PATH"] + "/libclcontrast.so"],
                                capture_output=True, text=True, check=True).stdout
        needs = {word.split("@")[0] for word in listed.split()}
        self.assertIn("malloc", needs)
        self.assertFalse(needs & {"exit", "abort", "__assert_fail", "puts", "putchar", "printf", "vprintf", "perror",
                                  "__printf_chk", "stdout", "stderr"})

    def test_devices(self):
        lines = self.example("devices").stdout.splitlines()
        self.assertTrue(any(line.endswith(": ok") for line in lines), lines)

    def test_train(self):
        """The example told of its epochs; the program takes the run, and makes the same one of its configuration."""
        self.assertEqual(self.trained.returncode, 0, self.trained.stderr)
        lines = self.trained.stdout.splitlines()
        self.assertEqual([line[:12] for line in lines if line.startswith("epoch")], ["epoch 1 of 2", "epoch 2 of 2"])
        self.assertIn("done after 2 epochs and 6 of 6 steps", lines[-1])
        self.assertIn("0 images skipped", lines[-1])
        self.program("train", "--config", self.at("run", "config.toml"), "--out", self.at("again"))
        name = os.path.join("checkpoints", "step-00000006.safetensors")
        with open(self.at("run", name), "rb") as one, open(self.at("again", name), "rb") as other:
            self.assertEqual(one.read(), other.read())
        self.assertEqual(self.example("train", "", "", code=2).stderr, "usage: train IMAGES RUN EPOCHS\n")
        there = self.example("train", self.at("images"), self.at("run"), "2", code=2)
        self.assertIn("error: '%s'" % self.at("run"), there.stderr)

    def test_settings_are_the_programs(self):
        """The configuration that the library writes: every option of `clcontrast train`, its default, save those that the
        example sets."""
        with open(self.at("run", "config.toml")) as file:
            ours = config(file.read())
        theirs = config(self.program("train", "--data", self.at("images"), "--print-config"))
        self.assertEqual(ours.pop("recipe"), '"simclr"')
        for key, value in (("batch", "8"), ("epochs", "2"), ("temperature", "0.2")):
            self.assertEqual(ours.pop(key), value)
            theirs.pop(key)
        self.assertEqual(theirs.pop("profile"), "false")  # prints a table: of the program alone
        theirs.pop("recipe", None)
        self.assertEqual(ours, theirs)

    def test_embed_and_search(self):
        rows = {row[0]: (row[1], [float(v) for v in row[2:]]) for row in csv.reader(
            self.example("embed", self.at("run"), self.at("images")).stdout.splitlines())}
        self.assertEqual(len(rows), 24)
        self.program("embed", self.at("run"), "-o", self.at("theirs.csv"))
        with open(self.at("theirs.csv"), newline="") as file:
            theirs = list(csv.reader(file))[1:]
        for name, label, *values in theirs:
            self.assertEqual(rows[name][0], label)
            self.assertEqual([struct.pack("f", v) for v in rows[name][1]],
                             [struct.pack("f", float(v)) for v in values])

        def cosine(a, b):
            return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
        query = "ring/03.ppm"
        lines = self.example("search", self.at("run"), self.at("images"), self.at("images", query)).stdout.splitlines()
        self.assertEqual((lines[0], len(lines)), (self.at("images", query), 6))
        found = [line.split() for line in lines[1:]]
        self.assertEqual(found[0], ["1.0000", query])
        best = sorted((cosine(rows[query][1], values) for _, values in rows.values()), reverse=True)
        for (score, name), want in zip(found, best):
            self.assertAlmostEqual(float(score), want, delta=1e-4)
            self.assertAlmostEqual(float(score), cosine(rows[query][1], rows[name][1]), delta=1e-4)
        gone = self.example("search", self.at("run"), self.at("images"), self.at("gone.jpg"), code=10)
        self.assertIn(self.at("gone.jpg"), gone.stderr)
        self.assertIn("error: ", self.example("embed", self.at("images"), self.at("images"), code=8).stderr)

    def test_pixels(self):
        rows = [[float(v) for v in line.split()] for line in self.example("pixels", self.at("run")).stdout.splitlines()]
        self.assertEqual([len(row) for row in rows], [3, 3, 3])
        for i in range(3):
            self.assertEqual(rows[i][i], 1)
            for j in range(3):
                self.assertEqual(rows[i][j], rows[j][i])
        self.assertGreater(rows[0][1], rows[0][2])  # two discs are more alike than disc and stripes

    def test_exports_are_models(self):
        """What `clcontrast export` writes as safetensors is opened as the run is."""
        self.program("export", self.at("run"), "-o", self.at("model.safetensors"))
        self.assertEqual(self.example("pixels", self.at("model.safetensors")).stdout,
                         self.example("pixels", self.at("run")).stdout)

    def test_cplusplus(self):
        compiler = shutil.which("c++") or shutil.which("g++")
        if not compiler:
            self.skipTest("no C++ compiler")
        with open(self.at("plus.cpp"), "w") as file:
            file.write(CPLUS)
        self.compile(compiler, self.at("plus.cpp"), "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
        self.assertEqual(self.example("plus").stdout, "simclr 2\n")


BUILD, PROGRAM, CC, *CFLAGS = sys.argv[1:]

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
