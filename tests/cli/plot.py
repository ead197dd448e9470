#!/usr/bin/env python3
"""`clcontrast plot`: plot.py PROGRAM [TEST ...]. What is drawn is read back from the drawing; what
cannot be drawn is refused."""
import json
import os
import re
import unittest
import xml.etree.ElementTree as tree

from cli import run
from folders import Folder

SVG = "{http://www.w3.org/2000/svg}"


class Plot(Folder):
    def make(self, name, lines):
        os.makedirs(self.path(name))
        with open(self.path(name, "metrics.jsonl"), "w") as file:
            for line in lines:
                file.write(line if isinstance(line, str) else json.dumps(line) + "\n")
        return self.path(name)

    def plot(self, *args, code=0):
        done = run("plot", *args)
        self.assertEqual(done.returncode, code, done.err)
        return done

    def curves(self, text):
        """Of each drawn line its class and points, in order; the key's samples have a stroke too, but `h`."""
        root = tree.fromstring(text)
        paths = [p for p in root.iter(SVG + "path") if p.get("stroke") and " h" not in p.get("d")]
        return [(p.get("class"), [tuple(map(float, xy)) for xy in re.findall(r"([-0-9.]+) ([-0-9.]+)", p.get("d"))])
                for p in paths]

    def words(self, text):
        return [t.text for t in tree.fromstring(text).iter(SVG + "text")]

    def test_points_are_where_the_numbers_are(self):
        lines = []
        for epoch in 1, 2, 3, 4:
            lines += [{"step": 10 * epoch - 5, "epoch": epoch, "loss": 8.0 / epoch, "pairs_right": None},
                      {"step": 10 * epoch, "epoch": epoch, "loss": 7.0 / epoch, "pairs_right": 0.5},
                      {"step": 10 * epoch, "epoch": epoch, "validation_loss": 9.0 / epoch,
                       "validation_pairs_right": 0.5 + epoch / 10}]
        text = self.plot(self.make("run", lines)).out
        curves = self.curves(text)
        self.assertEqual([(kind, len(points)) for kind, points in curves],
                         [("fine", 8), ("bold", 4), ("fine", 4), ("bold", 4)])
        for kind, points in curves:  # to the right, half an epoch each or a whole one
            steps = [b[0] - a[0] for a, b in zip(points, points[1:])]
            self.assertTrue(all(abs(s - steps[0]) < 0.11 for s in steps) and steps[0] > 0)
        loss, held_out, _, right = (points for _, points in curves)
        scale = (9.0 - 2.25) / (held_out[3][1] - held_out[0][1])  # one pair of points tells the others
        for points, values in (held_out, (9.0, 4.5, 3.0, 2.25)), (loss, (8, 7, 4, 3.5, 8 / 3, 7 / 3, 2, 1.75)):
            for (_, y), value in zip(points, values):
                self.assertAlmostEqual(9.0 - (y - held_out[0][1]) * scale, value, delta=0.02)
        up = [(y - right[0][1]) / (right[3][1] - right[0][1]) for _, y in right]
        for got, want in zip(up, (0, 1 / 3, 2 / 3, 1)):
            self.assertAlmostEqual(got, want, delta=0.01)
        self.assertLess(right[3][1], right[0][1])  # y runs downwards
        for word in "loss", "pairs on the right side, %", "training", "validation", "epochs", "70", "4":
            self.assertIn(word, self.words(text))

    def test_many_points_are_averaged(self):
        run_dir = self.make("run", [{"step": i, "epoch": 1 + (i - 1) // 1000, "loss": i % 2}
                                    for i in range(1, 5001)])
        (kind, points), = self.curves(self.plot(run_dir).out)
        self.assertEqual(kind, "fine")
        self.assertTrue(200 <= len(points) <= 250, len(points))

    def test_one_value_is_a_level_line(self):
        """Means of 0.1 differ in their last bits, which is no range to draw."""
        run_dir = self.make("run", [{"step": i, "epoch": 1 + (i - 1) // 100, "lr": 0.1} for i in range(1, 602)])
        text = self.plot(run_dir, "-m", "lr").out
        (_, points), = self.curves(text)
        self.assertEqual(len({y for _, y in points}), 1)
        for word in "0.1", "0.095", "0.105":
            self.assertIn(word, self.words(text))

    def test_two_runs_and_chosen_metrics(self):
        one = self.make("a&b", [{"step": i, "epoch": i, "loss": 1 / i, "effective_rank": i} for i in range(1, 6)])
        two = self.make("two", [{"step": i, "epoch": i, "loss": 2 / i} for i in range(1, 4)] + ['{"step": 4, "ep'])
        out = self.path("both.svg")
        self.assertIn("wrote", self.plot(one, two, "-m", "effective_rank", "-m", "loss", "-o", out).err)
        with open(out) as file:
            text = file.read()
        self.assertEqual([len(points) for _, points in self.curves(text)], [5, 5, 3])
        for word in "effective_rank: directions in use", "loss", "a&b", "two", "epochs (fine: training, bold: validation)":
            self.assertIn(word, self.words(text))

    def test_refusals(self):
        good = self.make("good", [{"step": 1, "epoch": 1, "loss": 1.0}])
        self.assertIn("did you mean 'loss'", self.plot(good, "-m", "los", code=2).err)
        self.assertIn("is no run with metrics", self.plot(self.path("nothing"), code=8).err)
        self.assertIn("no metrics yet", self.plot(self.make("empty", []), code=7).err)
        self.assertIn(":2: the line is no JSON object", self.plot(self.make("bad", [{"step": 1}, "oops\n"]), code=7).err)
        self.assertIn("needs RUN", self.plot(code=2).err)
        self.assertIn("/proc/none", self.plot(good, "-o", "/proc/none/x.svg", code=10).err)


if __name__ == "__main__":
    unittest.main()
