#!/usr/bin/env python3
"""`clcontrast embed`: embed.py PROGRAM [TEST ...]. The files it writes, as others read them, and what it
refuses."""
import csv
import json
import math
import os
import shutil
import struct
import unittest

from cli import run
from runs import Shared

CLASSES = ("cat", "d\u00f6g <b>", "x\ny")


def npy(path):
    """dtype, shape and values of a .npy file, read by the text of numpy/lib/format.py."""
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    size = struct.unpack("<H", data[8:10])[0]
    assert (10 + size) % 64 == 0
    head = eval(data[10:10 + size])  # a dictionary of literals
    assert not head["fortran_order"]
    body = data[10 + size:]
    kind = {"<f4": "f", "<i4": "i"}[head["descr"]]
    assert len(body) == 4 * math.prod(head["shape"])
    return head["descr"], head["shape"], struct.unpack("<%d%s" % (len(body) // 4, kind), body)


class Embed(Shared):
    @classmethod
    def setUpClass(cls):
        """One run of two steps, on images of three classes, serves all tests."""
        super().setUpClass()
        for k, name in enumerate(CLASSES):
            os.makedirs(cls.at("images", name))
            for i in range(7):
                cls.image(os.path.join("images", name, "%d.ppm" % i), k, i)
        done = run("train", "--data", cls.at("images"), "--batch", "8", "--steps", "2", "--out", cls.at("run"))
        cls.no_device = done.returncode == 4
        assert done.returncode in (0, 4), done.err

    @classmethod
    def image(cls, name, k, i):
        with open(cls.at(name), "wb") as file:
            file.write(b"P6 32 32 255\n" + bytes((x * (k + 3) + y * (i + 1) + c * 80) % 256 for y in range(32)
                                                  for x in range(32) for c in range(3)))

    def setUp(self):
        super().setUp()
        if self.no_device and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")

    def embed(self, *args, code=0, **more):
        done = run("embed", *args, **more)
        self.assertEqual(done.returncode, code, done.err)
        return done

    def test_files(self):
        """Vectors, labels, classes and paths, row by row; the same bytes again; CSV has the same numbers."""
        out = self.path("emb.npy")
        done = self.embed(self.at("run"), "-o", out, "--json")
        told = json.loads(done.out)
        self.assertEqual((told["n"], told["skipped"], told["out"], told["encoder"]), (21, 0, out, "cnn"))
        kind, (n, dim), values = npy(out)
        self.assertEqual((kind, n, dim), ("<f4", 21, told["dim"]))
        self.assertEqual(npy(self.path("emb.labels.npy"))[1:], ((21,), tuple(k for k in range(3) for _ in range(7))))
        with open(self.path("emb.paths.txt"), encoding="utf-8", newline="\n") as file:
            names = file.read().split("\n")
        escaped = [name.replace("\n", "\\n") for name in CLASSES]
        self.assertEqual(names, ["%s/%d.ppm" % (name, i) for name in escaped for i in range(7)] + [""])
        with open(self.path("emb.classes.txt"), encoding="utf-8", newline="\n") as file:
            self.assertEqual(file.read().split("\n"), escaped + [""])
        with open(self.path("emb.json")) as file:
            self.assertEqual(json.load(file), {
                "schema": 1, "n": 21, "dim": dim, "features": "encoder", "normalized": False, "model": told["model"],
                "step": 2, "data": "folder:" + os.path.realpath(self.at("images")), "split": "all"})
        self.embed(told["model"], "-o", self.path("again.npy"))
        self.assertEqual(npy(self.path("again.npy")), npy(out))
        self.embed(told["model"], "-o", out, "--batch", "8", "--overwrite")
        for a, b in zip(npy(self.path("again.npy"))[2], npy(out)[2]):
            self.assertAlmostEqual(a, b, delta=1e-5)
        self.embed(self.at("run"), "-o", self.path("emb.csv"))
        with open(self.path("emb.csv"), encoding="utf-8", newline="") as file:
            head, *lines = csv.reader(file)
        self.assertEqual(head, ["path", "label"] + ["f%d" % d for d in range(dim)])
        self.assertEqual([line[:2] for line in lines],
                         [["%s/%d.ppm" % (name, i), name] for name in CLASSES for i in range(7)])
        got = struct.pack("<%df" % len(values), *(float(x) for line in lines for x in line[2:]))
        self.assertEqual(struct.unpack("<%df" % len(values), got), values)

    def test_numpy_reads_it(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("no numpy")
        self.embed(self.at("run"), "-o", self.path("emb.npy"))
        x = numpy.load(self.path("emb.npy"), mmap_mode="r", allow_pickle=False)
        labels = numpy.load(self.path("emb.labels.npy"), allow_pickle=False)
        self.assertEqual((str(x.dtype), x.shape[0], str(labels.dtype), labels.shape), ("float32", 21, "int32", (21,)))
        self.assertEqual(tuple(map(float, x.ravel())), npy(self.path("emb.npy"))[2])

    def test_options(self):
        """Projections are other vectors, by the head; of length one if asked; a choice of images."""
        self.embed(self.at("run"), "-o", self.path("h.npy"))
        self.embed(self.at("run"), "-o", self.path("z.npy"), "--projections", "--normalize")
        (_, (n, dim), values), (_, other, _) = npy(self.path("z.npy")), npy(self.path("h.npy"))
        self.assertEqual((n, dim), (21, 128))
        self.assertNotEqual(dim, other[1])
        for i in range(n):
            self.assertAlmostEqual(sum(x * x for x in values[i * dim:(i + 1) * dim]), 1, places=5)
        done = self.embed(self.at("run"), "--data", "shapes", "--limit", "5", "-o", self.path("s.npy"), "--json")
        self.assertEqual(json.loads(done.out)["n"], 5)
        with open(self.path("s.json")) as file:
            self.assertEqual(json.load(file)["data"], "shapes")
        self.assertEqual(self.embed(self.at("run"), "-o", self.path("q.npy"), "-q").err, "")

    def test_bad_images_are_left_out(self):
        """They are listed and counted, exit code 3, and the other rows are what they were."""
        self.embed(self.at("run"), "-o", self.path("all.npy"))
        folder = self.path("images")
        shutil.copytree(self.at("images"), folder)
        with open(os.path.join(folder, CLASSES[0], "2.ppm"), "wb") as file:
            file.write(b"P6 32 32 255\ncut")
        open(os.path.join(folder, CLASSES[2], "6.ppm"), "wb").close()
        done = self.embed(self.at("run"), "--data", folder, "-o", self.path("emb.npy"), code=3)
        self.assertIn("skipped '%s/2.ppm'" % CLASSES[0], done.err)
        self.assertIn("skipped 'x\\ny/6.ppm': empty file", done.err)
        self.assertIn("2 files were skipped", done.err)
        _, (n, dim), values = npy(self.path("emb.npy"))
        _, _, everything = npy(self.path("all.npy"))
        good = [i for i in range(21) if i not in (2, 20)]
        self.assertEqual(n, len(good))
        self.assertEqual(values, tuple(x for i in good for x in everything[i * dim:(i + 1) * dim]))
        self.assertEqual(npy(self.path("emb.labels.npy"))[2], tuple(i // 7 for i in good))
        with open(self.path("emb.paths.txt"), newline="\n") as file:
            self.assertEqual(len(file.read().splitlines()), len(good))

    def test_what_is_refused(self):
        run_, out = self.at("run"), self.path("emb.npy")
        pickle = self.path("model.pt")
        with open(pickle, "wb") as file:
            file.write(b"\x80\x02}q\x00.")
        with open(self.path("there.npy"), "wb") as file:
            file.write(b"precious")
        for args, code, words in (
                (["embed", run_], 2, "no --out"),
                (["embed", "-o", out], 2, "needs MODEL"),
                (["embed", run_, "-o", self.path("emb.txt")], 2, "neither with .npy nor .csv"),
                (["embed", run_, "-o", self.path("there.npy")], 2, "--overwrite"),
                (["embed", run_, "-o", self.folder, "--format", "npy"], 2, "is a directory"),
                (["embed", run_, "-o", self.path("no", "where.npy")], 10, "no/where.npy"),
                (["embed", self.path("nothing"), "-o", out], 8, "nothing"),
                (["embed", self.folder, "-o", out], 8, "checkpoint"),
                (["embed", pickle, "-o", out], 8, "pickle"),
                (["embed", self.path("there.npy"), "-o", out], 8, "`clcontrast info`"),
                (["embed", run_, "--data", self.path("nothing"), "-o", out], 7, "nothing"),
                (["embed", run_, "--split", "tset", "-o", out], 2, "there is no split 'tset'"),
                (["embed", run_, "--split", "test", "-o", out], 7, "split"),
                (["embed", run_, "--normalise", "-o", out], 2, "did you mean '--normalize'"),
                (["embed", run_, "--device", "99", "-o", out], 2, "99")):
            done = run(*args)
            self.assertEqual(done.returncode, code, (args, done.err))
            self.assertIn(words, done.err)
        self.assertEqual(sorted(os.listdir(self.folder)), ["model.pt", "there.npy"])
        with open(self.path("there.npy"), "rb") as file:
            self.assertEqual(file.read(), b"precious")

    def test_all_images_bad(self):
        os.makedirs(self.path("bad"))
        with open(self.path("bad", "a.png"), "wb") as file:
            file.write(b"<html>")
        self.assertIn("a.png", self.embed(self.at("run"), "--data", self.path("bad"), "-o", self.path("e.npy"), code=7).err)
        self.assertFalse(os.path.exists(self.path("e.npy")))


if __name__ == "__main__":
    unittest.main()
