#!/usr/bin/env python3
"""`clcontrast dedup`: dedup.py PROGRAM. Planted copies are found, by pixels and by vectors, and nothing else."""
import json
import math
import os
import random
import struct
import unittest

from cli import run
from folders import Folder


def waves(seed, size=32, cut=0, light=1.0):
    """A PPM of waves; without `cut` pixels at the left and the top."""
    draw = random.Random(seed)
    waves_ = [(draw.uniform(-1, 1) / (1 + k % 3), draw.uniform(-1, 1) / (1 + k % 3), draw.uniform(0, 6),
               draw.uniform(4, 14)) for k in range(12)]
    pixels = bytearray()
    for y in range(cut, size):
        for x in range(cut, size):
            v = 128 + sum(h * math.sin(a * x + b * y + c) for a, b, c, h in waves_)
            pixels += bytes(max(0, min(255, int(light * v) + c * (seed % 7))) for c in range(3))
    return b"P6 %d %d 255\n" % (size - cut, size - cut) + bytes(pixels)


class Dedup(Folder):
    def put(self, name, data):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(data)

    def images(self):
        for seed in range(60):
            self.put("set/%02d.ppm" % seed, waves(seed))
        self.put("set/03 again.ppm", waves(3))
        self.put("set/05<b>cut.ppm", waves(5, cut=3))
        self.put("set/08 dark.ppm", waves(8, light=0.7))
        self.put("set/08 cut.ppm", waves(8, cut=2))
        return self.path("set")

    def dedup(self, *args, code=0):
        done = run("dedup", *args)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def test_planted_copies(self):
        data = self.images()
        before = sorted(os.listdir(data))
        found = json.loads(self.dedup(data, "--json", "--html", self.path("page.html")).out)
        groups = [[image["path"] for image in group["images"]] for group in found["groups"]]
        self.assertEqual(groups, [["03 again.ppm", "03.ppm"], ["05.ppm", "05<b>cut.ppm"],
                                  ["08 cut.ppm", "08 dark.ppm", "08.ppm"]])
        self.assertEqual((found["schema"], found["by"], found["images"], found["exact_copies"]), (1, "pixels", 64, 1))
        self.assertTrue(found["threshold_chosen"] and 0.3 < found["threshold"] < 0.95)
        exact = found["groups"][0]["images"]
        self.assertEqual([(i["exact"], i["similarity"], i["bytes"]) for i in exact], [(True, 1, 3085)] * 2)
        self.assertFalse(found["groups"][1]["images"][0]["exact"])
        with open(self.path("page.html"), encoding="utf-8") as file:
            page = file.read()
        self.assertIn("05&lt;b&gt;cut.ppm", page)
        self.assertNotIn("<b>", page)
        self.assertEqual(page.count("data:image/png"), 7)
        text = self.dedup(data)
        self.assertIn("group 1: 2 images\n    same    3.0 KiB  03 again.ppm\n", text.out)
        self.assertIn("3 groups of 7 images among 64, by pixels; 1 exact copies", text.err)
        self.assertEqual(sorted(os.listdir(data)), before)
        one = self.dedup(data, "--threshold", "1")
        self.assertEqual(one.out.count("group"), 1)

    def test_a_packed_set_has_the_same(self):
        data = self.images()
        self.put("set/bad.jpg", b"no image")
        self.assertEqual(run("pack", data, "-o", self.path("set.ctrd"), "--image-size", "32").returncode, 3)
        self.assertEqual(self.dedup(data, code=3).out, self.dedup(self.path("set.ctrd"), code=3).out)

    def npy(self, rows):
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (len(rows), len(rows[0]))
        header += " " * (63 - (10 + len(header)) % 64) + "\n"
        self.put("v/v.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() +
                 b"".join(struct.pack("<%df" % len(row), *row) for row in rows))
        return self.path("v/v.npy")

    def test_vectors(self):
        draw = random.Random(1)
        rows = [[draw.gauss(0, 1) for _ in range(16)] for _ in range(300)]
        rows.append([2 * v for v in rows[10]])
        rows.append([v + draw.gauss(0, 0.01) for v in rows[20]])
        rows.append(rows[30])
        found = json.loads(self.dedup(self.npy(rows), "--json").out)
        self.assertEqual([[i["row"] for i in group["images"]] for group in found["groups"]],
                         [[10, 300], [20, 301], [30, 302]])
        self.assertEqual((found["by"], found["exact_copies"]), ("vectors", 1))
        self.assertNotIn("path", found["groups"][0]["images"][0])
        self.assertIn("row 301", self.dedup(self.npy(rows)).out)

    def test_few_and_bad(self):
        self.put("one/a.ppm", waves(1))
        self.assertEqual(self.dedup(self.path("one")).out, "")
        self.put("one/b.ppm", waves(1, light=0.9))
        done = self.dedup(self.path("one"))
        self.assertEqual(done.out, "")
        self.assertIn("too few images to choose a threshold", done.err)
        self.assertIn("b.ppm", self.dedup(self.path("one"), "-t", "0.9").out)
        bad = self.path("v/bad.npy")
        os.replace(self.npy([[1.0, 2.0], [1.0, 2.0], [math.nan, 1.0]]), bad)
        vectors = self.npy([[1.0, 2.0]] * 3)
        os.mkdir(self.path("empty"))
        for args, code, text in ((["dedup"], 2, "needs"),
                                 (["dedup", self.path("empty")], 7, "no images found"),
                                 (["dedup", self.path("gone.npy")], 7, "gone.npy"),
                                 (["dedup", bad], 7, "bad.npy': vector 2 "),
                                 (["dedup", vectors, "--model", "x"], 2, "--model"),
                                 (["dedup", self.path("one"), "--model", self.path("gone")], 8, "gone"),
                                 (["dedup", self.path("one"), "-t", "2"], 2, "--threshold"),
                                 (["dedup", self.path("one"), "--html", self.path("no/x.html")], 10, "no/x.html")):
            done = run(*args)
            if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
                continue
            self.assertEqual(done.returncode, code, (args, done.err))
            self.assertIn(text, done.err)


if __name__ == "__main__":
    unittest.main(verbosity=1)
