#!/usr/bin/env python3
"""`clcontrast map`: map.py PROGRAM [TEST ...]. The same points in each form, what the page holds, a sample, and what is
refused. Files of vectors need no device."""
import csv
import json
import os
import random
import re
import signal
import subprocess
import unittest
import xml.etree.ElementTree as xml

from cli import PROGRAM, run
from page import Page
from runs import Runs
from search import npy

DIM, CLASSES = 8, ["cat", "<script>&\"", "\n,x"]


class Map(Runs):
    def setUp(self):
        super().setUp()
        chance = random.Random(3)
        middles = [[chance.gauss(0, 3) for _ in range(DIM)] for _ in CLASSES]
        self.label = [i % 3 for i in range(90)]
        npy(self.path("x.npy"), [[m + chance.gauss(0, 1) for m in middles[k]] for k in self.label])
        self.names = ["%s/%d.ppm" % (CLASSES[k].replace("/", ""), i) for i, k in enumerate(self.label)]

    def beside(self):
        """Names and classes of the vectors, as `embed` writes them."""
        def lines(names):
            return "".join(n.replace("\\", "\\\\").replace("\n", "\\n") + "\n" for n in names)
        for ending, names in (("paths", self.names), ("classes", CLASSES)):
            with open(self.path("x.%s.txt" % ending), "w") as file:
                file.write(lines(names))
        head = repr({"descr": "<i4", "fortran_order": False, "shape": (90,)}).encode()
        head += b" " * (-(len(head) + 11) % 64) + b"\n"
        with open(self.path("x.labels.npy"), "wb") as file:
            file.write(b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head)
            file.write(b"".join(k.to_bytes(4, "little") for k in self.label))

    def map(self, *args, code=0):
        done = run("map", *args)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def read(self, name):
        with open(self.path(name), encoding="utf-8", newline="") as file:
            return file.read()

    def test_each_form_has_the_same_points(self):
        self.beside()
        outs = [self.path("m." + e) for e in ("svg", "html", "csv", "json")]
        told = json.loads(self.map(self.path("x.npy"), "--json", *[a for o in outs for a in ("-o", o)]).out)
        self.assertEqual((told["points"], told["n"], told["dim"], told["out"]), (90, 90, DIM, outs))
        self.assertTrue(0 < told["divergence"] < 1)
        self.assertEqual(told["perplexity"], 29)  # a third of the others
        table = list(csv.DictReader(self.read("m.csv").splitlines(True)))
        file = json.loads(self.read("m.json"))
        self.assertEqual([(int(t["row"]), float(t["x"]), float(t["y"]), t["class"], t["path"]) for t in table],
                         [(p["row"], p["x"], p["y"], p["class"], p["path"]) for p in file["points"]])
        self.assertEqual([(t["class"], t["path"]) for t in table],
                         [(CLASSES[k], n) for k, n in zip(self.label, self.names)])
        svg = xml.fromstring(self.read("m.svg"))
        titles = [e.text for e in svg.iter("{http://www.w3.org/2000/svg}title")]
        self.assertEqual(sorted(titles), sorted(n.replace("\n", "?") for n in self.names))
        words = [e.text for e in svg.iter("{http://www.w3.org/2000/svg}text")]
        self.assertTrue({"cat", "<script>&\"", "?,x"} <= set(words), words)
        page = self.read("m.html")
        self.assertNotIn("<script>", page)
        self.assertIn("Content-Security-Policy", page)
        self.assertIn("do not say what images", page)
        alike = 0  # neighbours on the plane are of one class
        for i, t in enumerate(table):
            near = min((j for j in range(90) if j != i),
                       key=lambda j: (float(t["x"]) - float(table[j]["x"])) ** 2 + (float(t["y"]) - float(table[j]["y"])) ** 2)
            alike += self.label[i] == self.label[near]
        self.assertGreater(alike, 80)

    def test_same_seed_same_bytes(self):
        for method in ("tsne", "pca"):
            texts = []
            for seed in ("1", "1", "2"):
                self.map(self.path("x.npy"), "--points", "40", "--seed", seed, "--perplexity", "8", "--method", method,
                         "-o", self.path("m.csv"))
                texts.append(self.read("m.csv"))
            self.assertEqual(texts[0], texts[1])
            self.assertNotEqual(texts[0], texts[2])
            self.assertEqual(texts[0].count("\n"), 41)

    def test_metric(self):
        """Lengths do not count for cosine."""
        npy(self.path("line.npy"), [[2.0 ** i, 0] for i in range(8)] + [[0, 1.0]])
        for metric, count in (("cosine", 2), ("euclidean", 9)):
            self.map(self.path("line.npy"), "--method", "pca", "--metric", metric, "-o", self.path("m.json"))
            points = json.loads(self.read("m.json"))["points"]
            self.assertEqual(len({(round(p["x"], 4), round(p["y"], 4)) for p in points}), count)

    def test_pictures_that_are_not_there(self):
        self.beside()
        os.makedirs(self.path("images"))
        with open(self.path("images", "0.ppm"), "wb") as file:
            file.write(b"P6 1 1 255\nabc")
        for data, words in (("none", "no pictures on the map: "), ("images", "pictures of the map could not be had")):
            done = self.map(self.path("x.npy"), "--method", "pca", "--data", self.path(data), "-o", self.path("m.html"))
            self.assertIn(words, done.err)

    def test_what_is_refused(self):
        x, out = self.path("x.npy"), self.path("m.svg")
        npy(self.path("nan.npy"), [[1.0] * DIM, [1.0] * (DIM - 1) + [float("inf")]] * 9)
        npy(self.path("few.npy"), [[float(i), 1.0] for i in range(5)])
        for args, code, words in (
                ([x], 2, "no --out"),
                ([x, "-o", self.path("m.png")], 2, ".html"),
                ([x, "-o", self.path(".svg")], 0, ""),
                ([x, "-o", self.path("no", "m.svg")], 10, "m.svg"),
                ([x, "-o", out, "--method", "tsn"], 2, "tsne"),
                ([x, "-o", out, "--perplexity", "0"], 2, "perplexity"),
                ([x, "-o", out, "--points", "-1"], 2, "points"),
                ([self.path("nan.npy"), "-o", out], 7, "nan.npy': vector 1 "),
                ([self.path("few.npy"), "-o", out], 7, "few.npy': too few"),
                ([self.path("few.npy"), "-o", out, "--method", "pca"], 0, ""),
                ([self.path("none.npy"), "-o", out], 7, "none.npy"),
                ([self.path("none"), "-o", out], 8, "none"),
                (["-o", out], 2, "INDEX")):
            self.assertIn(words, self.map(*args, code=code).err, args)

    def test_interrupted(self):
        """It ends by the signal and says how far it came."""
        chance = random.Random(2)
        npy(self.path("many.npy"), [[chance.random() for _ in range(4)] for _ in range(3000)])
        process = subprocess.Popen([PROGRAM, "map", self.path("many.npy"), "-o", self.path("m.svg")],
                                   stderr=subprocess.PIPE, text=True)
        caught = 0
        while not caught >> (signal.SIGINT - 1) & 1 and process.poll() is None:
            with open("/proc/%d/status" % process.pid) as file:
                caught = int(re.search(r"SigCgt:\s*(\w+)", file.read()).group(1), 16)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, -signal.SIGINT, err)
        self.assertRegex(err, r"error: interrupted after \d+ of \d+ steps")
        self.assertFalse(os.path.exists(self.path("m.svg")))

    def test_pictures(self):
        """Of a model: pictures stand on the plane, escaped, none above another."""
        chance = random.Random(1)
        for name in ("a", "b'\"<"):
            os.makedirs(self.path("images", name))
            for i in range(8):
                with open(self.path("images", name, "%d.ppm" % i), "wb") as file:
                    colour = [chance.randrange(256) for _ in range(3)]
                    file.write(b"P6 32 32 255\n" + bytes(c for _ in range(1024) for c in colour))
        self.train("--data", self.path("images"), "--batch", "8", "--steps", "1", "--out", self.path("run"))
        self.map(self.path("run"), "--perplexity", "3", "-o", self.path("m.html"), "-o", self.path("m.csv"))
        text = self.read("m.html")
        page = Page(text)
        self.assertTrue(2 <= page.images <= 16)
        self.assertEqual(self.read("m.csv").count("b'\"\"<"), 8 * 2)
        places = [tuple(float(v) for v in part[:part.index("%;border")].split("%;top:"))
                  for part in text.split("left:")[1:] if "%;border" in part]
        self.assertEqual(len(places), page.images)
        height = float(re.search(r"aspect-ratio:1/([0-9.]+)", text).group(1))
        for i, a in enumerate(places):
            for b in places[:i]:
                self.assertTrue(abs(a[0] - b[0]) > 4.1 or abs(a[1] - b[1]) * height > 4.1)


if __name__ == "__main__":
    unittest.main()
