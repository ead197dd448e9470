#!/usr/bin/env python3
"""`clcontrast eval`: eval.py PROGRAM [TEST ...]. Protocols, several runs, what cannot be scored."""
import json
import os
import unittest

from cli import run
from runs import SMALL, Runs


class Eval(Runs):
    def test_scores(self):
        self.train("--limit", "400", "--batch", "64", "--epochs", "1", "--out", self.path("run"))
        done = run("eval", self.path("run"), "--limit", "300", "--json")
        self.assertEqual(done.returncode, 0, done.err)
        result = json.loads(done.out)
        self.assertEqual((result["encoder"], result["step"], result["features"]), ("cnn", 6, 64))
        for which in "trained", "untrained", "pixels":
            for score in "knn10", "knn200", "linear":
                self.assertTrue(0 <= result[which][score] <= 1)
        self.assertEqual(run("eval", self.path("nothing")).returncode, 8)

    def test_protocols(self):
        self.train("--limit", "400", "--batch", "64", "--epochs", "1", "--out", self.path("run"))
        args = [self.path("run"), "--limit", "300", "--no-baselines"]
        picture = self.path("confusion.png")
        some = [*args, "--knn", "1,5@0.2,200", "--probe", "ridge,lbfgs", "--labels", "10%", "--draws", "3"]
        done = run("eval", *some, "--confusion", picture, "--json")
        self.assertEqual(done.returncode, 0, done.err)
        result = json.loads(done.out)
        scores = result["trained"]["scores"]
        self.assertEqual([(s["protocol"], s.get("k")) for s in scores],
                         [("knn", 1), ("knn", 5), ("knn", 200), ("ridge", None), ("lbfgs", None)])
        self.assertEqual((result["trained"]["labelled"], result["draws"]), (30, 3))
        self.assertTrue(all(0 < s["accuracy"] <= 1 and 0 < s["deviation"] < 0.5 for s in scores), scores)
        self.assertNotIn("untrained", result)
        with open(picture, "rb") as file:
            self.assertEqual(file.read(4), b"\x89PNG")
        self.assertEqual(run("eval", *some, "--json").out, done.out)
        text = run("eval", *some).out
        for words in "kNN k=5 T=0.2: the 5 training images", "linear probe, ridge: least squares", "of 30 training":
            self.assertIn(words, text)
        for wrong, words in ((["--knn", "0"], "'0' is not a number of neighbours"),
                             (["--knn", "10,,20"], "'' is not"), (["--knn", "5@x"], "'5@x'"),
                             (["--probe", "rigde"], "did you mean 'ridge'"),
                             (["--labels", "0%"], "'0%'"), (["--labels", "-3"], "'-3'"),
                             (["--knn", "none", "--no-probe"], "leaves anything")):
            done = run("eval", self.path("run"), *wrong)
            self.assertEqual(done.returncode, 2, done.err)
            self.assertIn(words, done.err)

    def test_several_runs(self):
        few = ["--limit", "192", "--batch", "32", "--steps", "3"]
        for seed in "1", "2":
            self.train(*few, "--seed", seed, "--out", self.path(seed))
        self.train(*few, "--width", "0.5", "--out", self.path("narrow"))
        args = ["--limit", "200", "--probe", "none", "--no-baselines", "--knn", "auto,5"]
        result = json.loads(run("eval", self.path("1"), self.path("2"), *args, "--json").out)
        alone = json.loads(run("eval", self.path("2"), *args, "--json").out)
        runs = [one["trained"]["scores"] for one in result["runs"]]
        self.assertEqual(runs[1], alone["trained"]["scores"])
        for which, mean in enumerate(result["mean"]["trained"]["scores"]):
            a, b = runs[0][which]["accuracy"], runs[1][which]["accuracy"]
            self.assertAlmostEqual(mean["accuracy"], (a + b) / 2)
            self.assertAlmostEqual(mean["deviation"], abs(a - b) / 2 ** 0.5, places=6)
        self.assertEqual([s["chosen"] for s in runs[0]], [True, False])
        self.assertNotEqual(runs[0], runs[1])
        text = run("eval", self.path("1"), self.path("2"), *args).out
        for words in "mean and standard deviation of 2 runs", "kNN, chosen", "six weightings":
            self.assertIn(words, text)
        self.assertIn("same seed", run("eval", self.path("1"), self.path("1"), *args).err)
        for more, words in (([self.path("narrow")], "differ in encoder or images"),
                            ([self.path("2"), "--confusion", self.path("x.png")], "picture of one run")):
            done = run("eval", self.path("1"), *more, *args)
            self.assertEqual(done.returncode, 2, done.err)
            self.assertIn(words, done.err)

    def test_unlabelled_images_cannot_be_scored(self):
        self.train(*SMALL, "--out", self.path("run"))
        done = run("eval", self.path("run"), "--data", os.path.join(self.folder_of_images("one"), "one"))
        self.assertEqual(done.returncode, 7)
        self.assertIn("no labels", done.err)
        self.assertIn("sub-folder per class", done.err)


if __name__ == "__main__":
    unittest.main()
