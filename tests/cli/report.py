#!/usr/bin/env python3
"""`clcontrast report`: report.py PROGRAM [TEST ...]. One page of a run that has everything; what is left out is told, for each
reason; nothing of names is markup, nothing is loaded."""
import json
import os
import random
import shutil
import unittest

from cli import run
from page import Page
from runs import Shared

PARTS = ["run", "curves", "views", "neighbours", "map", "scores", "settings"]


class Report(Shared):
    CLASSES = ("cat", "<script>\"'&")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        chance = random.Random(2)
        for k, name in enumerate(cls.CLASSES):
            os.makedirs(cls.at("images", name))
            for i in range(14):
                with open(cls.at("images", name, "%d.ppm" % i), "wb") as file:
                    file.write(b"P6 32 32 255\n" + bytes(chance.randrange(60) + 150 * (at % 3 == k) for at in range(3072)))
        done = run("train", "--data", cls.at("images"), "--batch", "8", "--epochs", "2", "--log-steps", "1", "--out", cls.at("run"))
        assert done.returncode in (0, 4), done.err
        cls.device = done.returncode == 0

    def report(self, *args, code=0):
        if not self.device and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        done = run("report", *args, "-o", self.path("r.html"), "--json")
        self.assertEqual(done.returncode, code, done.err)
        if code:
            return done.err
        with open(self.path("r.html"), encoding="utf-8") as file:
            page = Page(file.read())
        self.assertEqual(list(page.parts), PARTS)
        self.assertEqual(page.policy, "default-src 'none'; img-src data:; style-src 'unsafe-inline'")
        return json.loads(done.out)["left_out"], page

    def test_everything(self):
        left, page = self.report(self.at("run"), "--perplexity", "3")
        self.assertEqual(left, [])
        self.assertGreaterEqual(page.images, 1 + 8 * 9 + 2 + 1)
        for part, words in (("run", ("28 images", "images/s", "simclr")),
                            ("curves", ("loss", "epochs", "effective_rank")),
                            ("views", ("crop(",)),
                            ("neighbours", ("8 images nearest to 8 of them among 28", self.CLASSES[1])),
                            ("map", ("t-SNE of 28 images", "pictures")),
                            ("scores", ("2 classes", "trained encoder", "raw pixels", "Guessing: 50.00 %")),
                            ("settings", ("batch", "temperature"))):
            for word in words:
                self.assertIn(word, page.parts[part])

    def test_what_is_left_out(self):
        """By an option; because the images are gone; because they have no classes; without a checkpoint."""
        quick = ["--no-scores", "--no-map", "--no-neighbours", "--no-views"]
        left, _ = self.report(self.at("run"), *quick)
        self.assertEqual({one["part"]: one["why"] for one in left}, {q[5:]: "by " + q for q in quick})
        os.makedirs(self.path("flat"))
        for i in range(9):
            shutil.copy(self.at("images", "cat", "%d.ppm" % i), self.path("flat", "%d.ppm" % i))
        left, page = self.report(self.at("run"), "--data", self.path("flat"))
        self.assertEqual([one["part"] for one in left], ["scores"])
        self.assertIn("no labels", page.parts["scores"])
        left, page = self.report(self.at("run"), "--data", self.path("<b>none"))
        self.assertEqual([one["part"] for one in left], ["views", "neighbours", "map", "scores"])
        self.assertIn("<b>none", page.parts["map"])
        shutil.copytree(self.at("run"), self.path("young"))
        shutil.rmtree(self.path("young", "checkpoints"))
        os.remove(self.path("young", "metrics.jsonl"))
        os.remove(self.path("young", "train.log"))
        left, page = self.report(self.path("young"))
        self.assertEqual([one["part"] for one in left], ["run", "curves", "neighbours", "map", "scores"])

    def test_warnings_are_shown(self):
        shutil.copytree(self.at("run"), self.path("bad"))
        with open(self.path("bad", "train.log"), "a") as file:
            file.write("2026-01-01T00:00:00Z warn: stuck <i>\n" * 25 + "2026-01-01T00:00:00Z error: end")
        _, page = self.report(self.path("bad"), "--no-scores", "--no-map", "--no-neighbours", "--no-views")
        self.assertEqual(page.parts["run"].count("stuck <i>"), 19)
        self.assertIn("error: end", page.parts["run"])
        self.assertIn("and 6 before these", page.parts["run"])

    def test_views_have_their_sizes(self):
        shutil.copytree(self.at("run"), self.path("local"))
        with open(self.path("local", "config.toml")) as file:
            text = file.read()
        for old, new in (("view-size = 0", "view-size = 26"), ("local-views = 0", "local-views = 5")):
            self.assertIn(old, text)
            text = text.replace(old, new)
        with open(self.path("local", "config.toml"), "w") as file:
            file.write(text)
        left, page = self.report(self.path("local"), "--no-scores", "--no-map", "--no-neighbours")
        self.assertNotIn("views", [one["part"] for one in left])
        for words in ("left, 32x32 pixels", "at 26x26 pixels: crop(", "some of the 5 local views, at 13x13 pixels: crop(0.05,0.14"):
            self.assertIn(words, page.parts["views"])

    def test_damage_is_told_once(self):
        """Neighbours and scores are of one checkpoint, which is looked for once."""
        if not self.device:
            self.skipTest("no device")
        shutil.copytree(self.at("run"), self.path("cut"), symlinks=True)
        os.truncate(self.path("cut", "checkpoints", "last"), 1000)
        done = run("report", self.path("cut"), "-o", self.path("r.html"), "--no-map", "--no-views")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertEqual(done.err.count("passing over a checkpoint"), 1)

    def test_what_is_refused(self):
        self.assertIn("no run", self.report(self.at("images"), code=8))
        self.assertIn("no run", self.report(self.at("none"), code=8))
        self.assertIn("RUN", self.report(code=2))
        for args, code, words in ((["report", self.at("run")], 2, "no --out"),
                                  (["report", self.at("run"), "-o", self.path()], 2, "directory"),
                                  (["report", self.at("run"), "-o", self.path("no", "r.html")], 10, "r.html"),
                                  (["report", self.at("run"), "-o", self.path("r.html"), "--device", "99"], 2, "99"),
                                  (["report", self.at("run"), "-o", self.path("r.html"), "--points", "0"], 2, "points")):
            done = run(*args)
            self.assertEqual(done.returncode, code, done.err)
            self.assertIn(words, done.err)


if __name__ == "__main__":
    unittest.main()
