#!/usr/bin/env python3
"""`clcontrast search`: search.py PROGRAM [TEST ...]. Answers against plain Python, by each kind of query and each
form of output, and what is refused."""
import json
import os
import random
import struct
import unittest

from cli import run
from page import Page
from runs import Runs, Shared

DIM = 6


def npy(path, rows, descr="<f4", order=False, shape=None):
    """A file as numpy.save writes it."""
    shape = shape or (len(rows), len(rows[0]))
    head = repr({"descr": descr, "fortran_order": order, "shape": shape}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    kind = {"<f2": "e", "<f4": "f", "<f8": "d"}.get(descr, "f")
    values = [x for row in rows for x in row]
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head)
        file.write(struct.pack("<%d%s" % (len(values), kind), *values))


def cosine(a, b):
    def dot(x, y):
        return sum(p * q for p, q in zip(x, y))
    lengths = (dot(a, a) * dot(b, b)) ** .5
    return dot(a, b) / lengths if lengths else 0


class Search(Runs):
    def setUp(self):
        super().setUp()
        chance = random.Random(7)
        self.rows = [[chance.randrange(-8, 9) / 4 for _ in range(DIM)] for _ in range(50)]
        self.rows[30] = self.rows[20]
        npy(self.path("x.npy"), self.rows)

    def search(self, *args, code=0):
        done = run("search", *args)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)


class Vectors(Search):
    """Files of vectors alone: no model, no images."""

    def answers(self, *args):
        told = json.loads(self.search(*args, "--json").out)
        return [[(hit["row"], hit["score"]) for hit in query["hits"]] for query in told["queries"]]

    def want(self, query, score, k, largest=True):
        rows = sorted(((score(query, x), i) for i, x in enumerate(self.rows)),
                      key=lambda p: (-p[0] if largest else p[0], p[1]))
        return [(i, s) for s, i in rows[:k]]

    def compare(self, got, want):
        self.assertEqual([row for row, _ in got], [row for row, _ in want])
        for (_, a), (_, b) in zip(got, want):
            self.assertAlmostEqual(a, b, delta=1e-7 * max(1, abs(b)))

    def test_each_metric_and_type_of_value(self):
        queries = [[1, 0, .5, -1, 2, 0], [0, 0, 0, 0, 0, 0]]
        for metric, largest, score in (
                ("cosine", True, cosine),
                ("inner", True, lambda q, x: sum(a * b for a, b in zip(q, x))),
                ("euclidean", False, lambda q, x: sum((a - b) ** 2 for a, b in zip(q, x)) ** .5)):
            for descr in ("<f2", "<f4", "<f8"):
                npy(self.path("q.npy"), queries, descr)
                got = self.answers(self.path("x.npy"), self.path("q.npy"), "--metric", metric, "-k", "7")
                for query, hits in zip(queries, got):
                    self.compare(hits, self.want(query, score, 7, largest))
        npy(self.path("one.npy"), [queries[0]], shape=(DIM,))
        self.assertEqual(self.answers(self.path("x.npy"), self.path("one.npy"), "--metric", "euclidean", "-k", "7"), got[:1])

    def test_rows(self):
        """A row of the index is no answer to itself; its double is, exactly."""
        (first, second) = self.answers(self.path("x.npy"), "--row", "20", "--row", "7", "-k", "3")
        self.assertEqual(first[0], (30, 1))
        self.compare(second, [p for p in self.want(self.rows[7], cosine, 4) if p[0] != 7])
        done = self.search(self.path("x.npy"), "--row", "20", "-k", "3")
        self.assertRegex(done.out, r"^row 20\n +1 +1\.000000  row 30\n +2 ")
        self.assertEqual(done.out.count("\n"), 4)

    def test_more_than_there_are(self):
        done = self.search(self.path("x.npy"), "--row", "1", "-k", "100", "--json")
        self.assertIn("only 49 neighbours", done.err)
        self.assertEqual(sorted(h["row"] for h in json.loads(done.out)["queries"][0]["hits"]),
                         [i for i in range(50) if i != 1])

    def test_page_without_pictures(self):
        self.search(self.path("x.npy"), "--row", "1", "-k", "3", "--html", self.path("page.html"))
        with open(self.path("page.html"), encoding="utf-8") as file:
            page = Page(file.read())
        self.assertEqual((page.images, len(page.titles)), (0, 4))

    def test_what_is_refused(self):
        x = self.path("x.npy")
        with open(x, "rb") as file:
            whole = file.read()
        npy(self.path("d.npy"), [[1.0] * (DIM + 1)])
        npy(self.path("nan.npy"), [[1.0] * DIM, [1.0] * (DIM - 1) + [float("nan")]])
        npy(self.path("c.npy"), [[1.0] * DIM] * 2, order=True)
        npy(self.path("o.npy"), [[1.0] * DIM], "|O")
        npy(self.path("i.npy"), [[1.0] * DIM], "<i4")
        npy(self.path("cube.npy"), [[1.0] * 8], shape=(2, 2, 2))
        npy(self.path("empty.npy"), [], shape=(0, DIM))
        npy(self.path("huge.npy"), [[1.0]], shape=(1 << 40, 1 << 40))
        for args, code, words in (
                ([x], 2, "nothing to search with"),
                ([], 2, "INDEX"),
                ([x, self.path("no.jpg")], 7, "neither a file nor a name"),
                ([x, self.folder], 2, "is a directory"),
                ([x, "--row", "50"], 2, "0 to 49"),
                ([x, "--row", "-1"], 2, "no row"),
                ([x, "--row", "1", "-k", "0"], 2, "neighbours"),
                ([x, "--row", "1", "--metric", "cosin"], 2, "cosine"),
                ([x, self.path("d.npy")], 7, "7 values, the index of 6"),
                ([x, self.path("nan.npy")], 7, "nan.npy': vector 1 "),
                ([self.path("nan.npy"), "--row", "0"], 7, "nan.npy': vector 1 "),
                ([self.path("c.npy"), "--row", "0"], 7, "column by column"),
                ([self.path("o.npy"), "--row", "0"], 7, "o.npy"),
                ([self.path("i.npy"), "--row", "0"], 7, "<i4"),
                ([self.path("cube.npy"), "--row", "0"], 7, "3 dimensions"),
                ([self.path("empty.npy"), "--row", "0"], 7, "no vectors"),
                ([self.path("huge.npy"), "--row", "0"], 7, "malformed"),
                ([self.write("cut.npy", whole[:-1]), "--row", "0"], 7, "cut.npy"),
                ([self.write("head.npy", whole[:40]), "--row", "0"], 7, "within its header"),
                ([self.write("zero.npy", b""), "--row", "0"], 7, "zero.npy"),
                ([self.path("none.npy"), "--row", "0"], 7, "none.npy"),
                ([self.path("none"), "--row", "0"], 8, "none"),
                ([x, self.write("q.jpg", b"<html>")], 2, "--model"),
                ([x, "--row", "0", "--html", self.path("no", "page.html")], 10, "page.html")):
            self.assertIn(words, self.search(*args, code=code).err, args)
        for beside, text, words in (("x.paths.txt", b"a\n" * 49, "49 lines for 50"),
                                    ("x.paths.txt", b"a\\z\n" * 50, "line 1"),
                                    ("x.paths.txt", b"a\n" * 49 + b"cut", "line 50"),
                                    ("x.json", b"{", "x.json"),
                                    ("x.json", b'{"n": 50, "dim": 7}', "other vectors"),
                                    ("x.labels.npy", whole, "<i4")):
            self.write(beside, text)
            self.assertIn(words, self.search(x, "--row", "0", code=7).err)
            os.remove(self.path(beside))


class Images(Shared, Search):
    """Vectors that `embed` made of images, and images that go through the same model."""
    CLASSES = ("cat", "<script>\n")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chance = random.Random(5)
        for name in cls.CLASSES:
            os.makedirs(cls.at("images", name))
            for i in range(6):
                cls.image(cls.at("images", name, "%d.ppm" % i), chance)
        done = run("train", "--data", cls.at("images"), "--batch", "8", "--steps", "1", "--out", cls.at("run"))
        if done.returncode != 4:
            done = run("embed", cls.at("run"), "-o", cls.at("emb.npy"))
        assert done.returncode in (0, 4), done.err

    @staticmethod
    def image(path, chance):
        colour = [chance.randrange(256) for _ in range(3)]
        with open(path, "wb") as file:
            file.write(b"P6 32 32 255\n" + bytes((c + chance.randrange(40)) % 256 for _ in range(1024) for c in colour))

    def test_an_image_finds_itself(self):
        """By its file, by its name in the index, and by a model without an index: the same answers."""
        name = "%s/3.ppm" % self.CLASSES[1]
        index = self.at("emb.npy")
        by_file = json.loads(self.search(index, self.at("images", name), "--json").out)["queries"][0]["hits"]
        self.assertEqual((by_file[0]["path"], by_file[0]["class"]), (name, self.CLASSES[1]))
        self.assertAlmostEqual(by_file[0]["score"], 1, places=6)
        by_name = json.loads(self.search(index, name, "--json").out)["queries"][0]
        self.assertEqual((by_name["kind"], by_name["row"], by_name["path"]), ("row", 3, name))
        self.assertEqual([hit["row"] for hit in by_name["hits"]][:8], [hit["row"] for hit in by_file][1:9])
        by_model = json.loads(self.search(self.at("run"), self.at("images", name), "--json").out)["queries"][0]["hits"]
        self.assertEqual([hit["path"] for hit in by_model], [hit["path"] for hit in by_file])
        out = self.search(index, name, "-k", "2").out
        self.assertTrue(out.startswith("row 3: <script>\\n/3.ppm\n"), out)

    def test_page(self):
        """All pictures are there, nothing of the names is markup, nothing is loaded."""
        self.search(self.at("emb.npy"), "cat/1.ppm", self.at("images", self.CLASSES[1], "2.ppm"), "-k", "4", "-q",
                    "--html", self.path("page.html"))
        with open(self.path("page.html"), encoding="utf-8") as file:
            page = Page(file.read())
        self.assertEqual((page.images, len(page.titles)), (10, 10))
        self.assertEqual(page.policy, "default-src 'none'; img-src data:; style-src 'unsafe-inline'")
        self.assertIn("cat/1.ppm", page.titles[0])
        self.assertIn("cosine similarity", page.words)
        os.rename(self.at("images"), self.at("moved"))
        try:
            done = self.search(self.at("emb.npy"), "--row", "0", "--html", self.path("page.html"))
            self.assertIn("no pictures", done.err)
            self.search(self.at("emb.npy"), "--row", "0", "--html", self.path("page.html"), "--data", self.at("moved"))
            with open(self.path("page.html"), encoding="utf-8") as file:
                self.assertEqual(Page(file.read()).images, 11)
        finally:
            os.rename(self.at("moved"), self.at("images"))

    def test_what_is_refused(self):
        index = self.at("emb.npy")
        broken = self.write("broken.jpg", b"\xff\xd8\xff\xe0 cut")
        self.assertIn("broken.jpg", self.search(index, broken, code=7).err)
        self.assertIn("no.ppm", self.search(index, self.path("no.ppm"), code=7).err)
        self.assertIn("values, the index has 6",
                      self.search(self.path("x.npy"), "--model", self.at("run"), self.at("images", "cat", "0.ppm"), code=8).err)
        os.rename(self.at("run"), self.at("away"))
        try:
            done = self.search(index, self.at("images", "cat", "0.ppm"), code=8)
            self.assertIn("--model", done.err)
            self.search(index, self.at("images", "cat", "0.ppm"), "--model", self.at("away"))
        finally:
            os.rename(self.at("away"), self.at("run"))


if __name__ == "__main__":
    unittest.main()
