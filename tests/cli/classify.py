#!/usr/bin/env python3
"""`clcontrast classify`: classify.py PROGRAM [TEST ...]. Classes that are easy to tell are told, from one example and from
several; the forms agree; what is refused."""
import csv
import json
import os
import random
import unittest

from cli import run
from runs import Shared

CLASSES = ("a,red", "green\"<", "blue")


class Classify(Shared):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.chance = random.Random(4)
        for k, name in enumerate(CLASSES):
            for folder, n in (("few", 4), ("one", 1), ("photos", 3)):
                os.makedirs(cls.at(folder, name))
                for i in range(n):
                    cls.image(cls.at(folder, name, "%d.ppm" % i), k)
        done = run("train", "--data", cls.at("photos"), "--batch", "8", "--steps", "1", "--out", cls.at("run"))
        assert done.returncode in (0, 4), done.err

    @classmethod
    def image(cls, path, k):
        with open(path, "wb") as file:
            file.write(b"P6 32 32 255\n" + bytes(cls.chance.randrange(40) + 200 * (at % 3 == k) for at in range(3072)))

    def classify(self, *args, code=0):
        done = run("classify", self.at("run"), *args)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def test_each_classifier(self):
        """Folders and files; all classes sum up to 1, the likeliest stands first and is right."""
        for folder, wanted, kind in (("few", "auto", "logistic"), ("one", "auto", "mean"), ("few", "mean", "mean")):
            told = json.loads(self.classify(self.at("photos"), self.at("photos", CLASSES[2], "0.ppm"), "--examples", self.at(folder),
                                            "--classifier", wanted, "--top", "9", "--json").out)
            self.assertEqual((told["classifier"], told["classes"], told["examples"]), (kind, 3, 12 if folder == "few" else 3))
            self.assertEqual(told["cross_validated"], 1 if folder == "few" else None)
            self.assertEqual(len(told["images"]), 10)
            for one in told["images"]:
                shares = [c["probability"] for c in one["classes"]]
                self.assertEqual(one["classes"][0]["class"], os.path.basename(os.path.dirname(one["path"])))
                self.assertEqual(sorted(c["class"] for c in one["classes"]), sorted(CLASSES))
                self.assertEqual(shares, sorted(shares, reverse=True))
                self.assertAlmostEqual(sum(shares), 1, places=6)
            self.assertEqual(told["images"][-1]["classes"], [i for i in told["images"] if i["path"] == told["images"][-1]["path"]][0]["classes"])

    def test_table_and_csv(self):
        out = self.path("t.csv")
        done = self.classify(self.at("photos"), "--examples", self.at("few"), "-o", out, "-k", "2")
        self.assertEqual(done.out.count("\n"), 2 * 9)
        self.assertIn("logistic classifier of 12 examples in 3 classes; 100.0 % of them", done.err)
        with open(out, newline="") as file:
            table = list(csv.DictReader(file))
        self.assertEqual(len(table), 9)
        for row in table:
            self.assertEqual(row["class"], os.path.basename(os.path.dirname(row["path"])))
            self.assertEqual(row["probability"], row[row["class"]])
            self.assertIn("%7.3f  %s  %s\n" % (float(row["probability"]), row["class"], row["path"]), done.out)

    def test_what_is_left_out_and_refused(self):
        with open(self.path("no.jpg"), "w") as file:
            file.write("<html>")
        os.makedirs(self.path("mixed", "a"))
        os.makedirs(self.path("mixed", "b"))
        for name in ("a/1.ppm", "b/1.ppm", "b/2.ppm"):
            self.image(self.path("mixed", name), len(name) % 3)
        os.replace(self.path("no.jpg"), self.path("mixed", "b", "no.jpg"))
        photo = self.at("photos", CLASSES[0], "0.ppm")
        done = self.classify(photo, "--examples", self.path("mixed"), code=3)
        self.assertIn("no.jpg", done.err)
        self.assertIn("nearest-mean", done.err)
        os.remove(self.path("mixed", "a", "1.ppm"))
        os.replace(self.path("mixed", "b", "no.jpg"), self.path("mixed", "a", "no.jpg"))
        for args, code, words in (
                ([photo], 2, "--examples"),
                (["--examples", self.at("few")], 2, "no image"),
                ([photo, "--examples", self.at("few", "blue")], 7, "no classes"),
                ([photo, "--examples", self.path("none")], 7, "none"),
                ([photo, "--examples", self.path("mixed")], 7, "no image of 'a'"),
                ([self.path("none.jpg"), "--examples", self.at("few")], 10, "none.jpg"),
                ([self.path("mixed", "a", "no.jpg"), "--examples", self.at("few")], 7, "no.jpg"),
                ([photo, "--examples", self.at("few"), "--classifier", "mea"], 2, "mean"),
                ([photo, "--examples", self.at("few"), "-o", self.path("no", "t.csv")], 10, "t.csv")):
            self.assertIn(words, self.classify(*args, code=code).err, args)


if __name__ == "__main__":
    unittest.main()
