#!/usr/bin/env python3
"""`clcontrast ablate`: ablate.py PROGRAM. Its numbers are those of `train` and `eval`; what is done is kept
and not done again; what is wrong is found out before anything is trained."""
import fcntl
import json
import os
import signal
import subprocess
import time
import unittest

from cli import PROGRAM, run
from folders import Folder

STEP = ("--limit", "256", "--batch", "64", "--epochs", "1", "--recipe", "simclr")
TWO = ("--op", "crop=crop(0.3)", "--op", "tint=jitter gray")


class Ablate(Folder):
    whole = None

    def ablate(self, *args, code=0, out="map.png"):
        done = run("ablate", *STEP, "-o", self.path(out), *args)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def text(self, name="map.tsv"):
        with open(self.path(name)) as file:
            return file.read()

    def rows(self, name="map.tsv"):
        lines = [line.split("\t") for line in self.text(name).splitlines() if line[0] != "#"]
        self.assertEqual(lines[0], ["name", "transformed view", "loss", "knn10", "linear"])
        return {line[0]: line[1:] for line in lines[1:]}

    def done(self):
        """The table of a whole ablation, made once."""
        if not Ablate.whole:
            Ablate.whole = self.ablate(*TWO, out="whole.png").out, self.text("whole.tsv")
        return Ablate.whole

    def test_is_what_train_and_eval_give(self):
        printed, table = self.done()
        with open(self.path("map.tsv"), "w") as file:
            file.write(table)
        rows = self.rows()
        self.assertEqual(list(rows), ["untrained", "crop", "crop+tint", "tint"])
        self.assertEqual(rows["crop+tint"][0],
                         "crop(0.3,1,0.75,1.3333334;1) jitter(0.4,0.4,0.4,0.1;0.8) gray(0.2)")
        for name in "crop", "crop+tint":
            done = run("train", *STEP, "--augment", "none | " + rows[name][0], "--out", self.path(name))
            self.assertEqual(done.returncode, 0, done.err)
            done = run("eval", self.path(name), "--limit", "256", "--json")
            scores = json.loads(done.out)
            for who, row in ("trained", name), ("untrained", "untrained"):  # by both protocols
                self.assertAlmostEqual(scores[who]["knn10"], float(rows[row][2]), delta=1e-6)
                self.assertAlmostEqual(scores[who]["linear"], float(rows[row][3]), delta=1e-6)
        # printed: the crop comes first in either order, the last column is the average
        lines = [line.split() for line in printed.splitlines()]
        crop, both, tint = (100 * float(rows[name][3]) for name in ("crop", "crop+tint", "tint"))
        self.assertEqual(lines[0], ["crop", "tint", "average"])
        self.assertEqual(lines[1], ["crop", *("%.2f" % x for x in (crop, both, (crop + both) / 2))])
        self.assertEqual(lines[2], ["tint", *("%.2f" % x for x in (both, tint, (both + tint) / 2))])

    def test_goes_on(self):
        printed, table = self.done()
        with open(self.path("map.tsv"), "w") as file:  # as after two runs
            lines = table.splitlines(True)
            file.write("".join(lines[:-2]))
        done = self.ablate(*TWO)
        self.assertIn("2 of 4 runs are in", done.err)
        self.assertNotIn("untrained:", done.err)
        self.assertEqual((done.out, self.text()), (printed, table))
        with open(self.path("map.png"), "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
        # another operation needs its own runs only, and nothing is lost
        done = self.ablate("--op", "pale=jitter(0.1) gray", *TWO[:2])
        self.assertIn("2 of 4 runs are in", done.err)
        self.assertEqual(list(self.rows()), ["untrained", "pale", "pale+crop", "crop", "crop+tint", "tint"])
        done = self.ablate(*TWO)
        self.assertIn("4 of 4 runs are in", done.err)
        self.assertEqual(done.out, printed)
        self.assertEqual(len(self.rows()), 6)

    def test_interrupted(self):
        printed, table = self.done()
        process = subprocess.Popen([PROGRAM, "ablate", *STEP, *TWO, "-o", self.path("map.png")],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        until = time.time() + 100
        while time.time() < until and process.poll() is None:
            if os.path.exists(self.path("map.tsv")) and "untrained\t" in self.text():
                process.send_signal(signal.SIGINT)
                break
            time.sleep(0.001)
        out, err = process.communicate(timeout=60)
        if process.returncode != 0:  # else it was done before the signal came
            self.assertEqual(process.returncode, -signal.SIGINT, err)
            self.assertIn(b"the same command goes on", err)
            self.assertEqual(out, b"")
            self.assertLess(len(self.rows()), 4)
        self.assertEqual(sorted(os.listdir(self.folder)), ["map.png", "map.tsv"])
        self.assertEqual(self.ablate(*TWO).out, printed)
        self.assertEqual(self.text(), table)

    def test_other_options(self):
        with open(self.path("map.tsv"), "w") as file:
            file.write(self.done()[1])
        done = self.ablate(*TWO, "--seed", "2", code=2)
        self.assertIn("made with other options: '# seed = 1' there, '# seed = 2' now", done.err)
        self.assertIn("--out", done.err)
        self.assertEqual(self.text(), self.done()[1])
        self.ablate(*TWO, "--threads", "1")  # leaves the results as they are

    def test_a_table_with_a_wrong_line(self):
        table = self.done()[1]
        for line in "crop\n", "crop\tcrop\t1\t2\n", "a\tb\t1\t2\t3\t4\n", "a\tb\t1\t2\tx\n", "a\tb\t1\t2\t3":
            with open(self.path("map.tsv"), "w") as file:
                file.write(table + line)
            done = self.ablate(*TWO, code=2)
            self.assertRegex(done.err, r"map\.tsv:%d: this " % (table.count("\n") + 1))

    def test_what_is_wrong_with_operations(self):
        for args, words in (
                (("--op", "crop", "--op", "tint=jitter flop"), ["--op tint: character 8", "'flop'", "'flip'"]),
                (("--op", "crop", "--op", "flop"), ["--op: character 1", "did you mean"]),
                (("--op", "two=flip | gray"), ["--op two", "more than one pipeline"]),
                (("--op", "crop", "--op", "crop"), ["two operations 'crop'"]),
                (("--op", "a=crop", "--op", "a=flip"), ["two operations 'a'"]),
                (("--op", "long=" + "flip " * 9, "--op", "more=" + "gray " * 9), ["long+more", "at most 16"]),
                (sum((("--op", "x%d=flip" % i) for i in range(17)), ()), ["more than 16"]),
                (("--augment", "small"), ["--augment", "--op"]),
                (("--probe", "knn"), ["--probe", "ridge"])):
            done = self.ablate(*args, code=2)
            for word in words:
                self.assertIn(word, done.err)
            self.assertEqual(os.listdir(self.folder), [])

    def test_where_nothing_can_be_written(self):
        done = self.ablate(*TWO, out="nowhere/map.png", code=10)
        self.assertIn("nowhere/map.png", done.err)
        with open(self.path("map.png.part"), "w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            self.assertIn("is being written by another process", self.ablate(*TWO, code=2).err)
        os.mkdir(self.path("map.tsv"))
        done = self.ablate(*TWO, code=2)
        self.assertIn("map.tsv", done.err)
        self.assertNotIn("1/4", done.err)  # nothing was trained

    def test_images_without_labels(self):
        os.mkdir(self.path("photos"))
        for i in range(8):
            with open(self.path("photos", "%d.ppm" % i), "wb") as file:
                file.write(b"P6 16 16 255\n" + bytes(range(i, i + 192)) * 4)
        done = run("ablate", "--data", self.path("photos"), "--batch", "4", "--epochs", "1", *TWO,
                   "-o", self.path("map.png"))
        self.assertEqual(done.returncode, 7, done.err)
        self.assertIn("has no labels", done.err)
        self.assertIn("sub-folder per class", done.err)
        self.assertEqual(os.listdir(self.folder), ["photos"])

    def test_a_method_of_one_view(self):
        done = self.ablate(*TWO, "--method", "supervised", code=2)
        self.assertIn("untrained: the method supervised takes 1 view of an image, not 2", done.err)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_run_that_diverges(self):
        """It has no numbers, and the others go on."""
        args = ("--op", "flip", "--learning-rate", "1000000", "--optimizer", "sgd", "--no-head-bn",
                "--epochs", "5")
        done = run("ablate", "--limit", "256", "--batch", "64", *args, "-o", self.path("map.png"))
        self.assertEqual(done.returncode, 0, done.err)
        self.assertIn("flip: the loss is not finite", done.err)
        self.assertEqual(self.rows()["flip"][1:], ["-", "-", "-"])
        self.assertEqual(done.out.splitlines()[1].split(), ["flip", "-", "-"])
        self.assertNotIn("-", self.rows()["untrained"][2:])

    def test_probe(self):
        self.ablate(*TWO[:2], "--probe", "ridge")
        told = json.loads(self.ablate(*TWO[:2], "--probe", "ridge", "--json").out)["runs"]
        self.assertEqual({r["name"]: "%.6f" % r["linear"] for r in told},
                         {name: row[3] for name, row in self.rows().items()})
        run("train", *STEP, "--augment", "none | crop(0.3)", "--out", self.path("run"))
        scores = json.loads(run("eval", self.path("run"), "--limit", "256", "--probe", "ridge", "--json").out)
        self.assertAlmostEqual(scores["trained"]["scores"][-1]["accuracy"], float(self.rows()["crop"][3]), delta=1e-6)


if __name__ == "__main__":
    unittest.main()
