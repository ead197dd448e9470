#!/usr/bin/env python3
"""`clcontrast pack`: pack.py PROGRAM. What it prints, how it stops and goes on, and that training on the file is
training on the folder."""
import json
import os
import re
import signal
import struct
import subprocess
import time
import unittest

from cli import PROGRAM, run
from folders import Folder


class Pack(Folder):
    def images(self, bad=0):
        """Two classes of eight 16 x 16 images in each split, and some that are none."""
        for split in ("train", "test"):
            for i in range(16):
                name = self.path("set/%s/%s/%02d.ppm" % (split, "ab"[i % 2], i))
                os.makedirs(os.path.dirname(name), exist_ok=True)
                with open(name, "wb") as file:
                    file.write(b"P6 16 16 255\n" + bytes((i * 37 + k * (5 + i % 2)) % 256 for k in range(768)))
        for i in range(bad):
            with open(self.path("set/train/a/<b>\x1b%d.jpg" % i), "w", encoding="ascii") as file:
                file.write("no image")
        return self.path("set")

    def test_skipped_images_are_told(self):
        data, out = self.images(bad=2), self.path("set.ctrd")
        done = run("pack", data, "-o", out)
        self.assertEqual(done.returncode, 3, done.err)
        lines = [line.split("\t") for line in done.out.splitlines()]
        self.assertEqual([line[0] for line in lines], ["train/a/<b>\\x1b0.jpg", "train/a/<b>\\x1b1.jpg"])
        self.assertIn("not an image", lines[0][1])
        self.assertIn("34 images of 16x16, 3 channels of 8 bits", done.err)
        self.assertIn("2 files were skipped", done.err)
        told = json.loads(run("pack", data, "-o", out, "--overwrite", "--json").out)
        self.assertEqual((told["schema"], told["images"], told["image_size"], told["classes"]), (1, 34, 16, 2))
        self.assertEqual([skip["path"] for skip in told["skipped"]], ["train/a/<b>\x1b0.jpg", "train/a/<b>\x1b1.jpg"])
        self.assertEqual(told["bytes"], os.path.getsize(out))

    def test_training_is_the_same(self):
        data = self.images(bad=1)
        runs = {}
        self.assertEqual(run("pack", data, "-o", self.path("set.ctrd")).returncode, 3)
        for source in (data, self.path("set.ctrd")):
            for args in ((), ("--stream",)):
                out = self.path("run%d" % len(runs))
                done = run("train", "--data", source, "--steps", "2", "--batch", "8", "--width", "0.125",
                           "--out", out, "--quiet", *args)
                if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
                    self.skipTest("no device")
                self.assertEqual(done.returncode, 3, done.err)
                with open(os.path.join(out, "checkpoints", "last"), "rb") as file:
                    weights = file.read()
                header = struct.unpack("<Q", weights[:8])[0]
                with open(os.path.join(out, "metrics.jsonl"), encoding="utf-8") as file:
                    losses = re.findall(r'"loss":[^,]*', file.read())
                with open(os.path.join(out, "skipped.tsv"), encoding="utf-8") as file:
                    skipped = file.read()
                runs[source, args] = (weights[8 + header:], losses, skipped)
        for args in ((), ("--stream",)):
            self.assertEqual(runs[data, args], runs[self.path("set.ctrd"), args])
        # a run that began on the folder goes on from the file
        done = run("train", "--resume", self.path("run0"))
        self.assertEqual(done.returncode, 3, done.err)
        with open(self.path("run0/config.toml"), encoding="utf-8") as file:
            text = file.read()
        with open(self.path("run0/config.toml"), "w", encoding="utf-8") as file:
            file.write(text.replace('"%s"' % data, '"%s"' % self.path("set.ctrd")))
        done = run("train", "--resume", self.path("run0"))
        self.assertEqual(done.returncode, 3, done.err)

    def test_stopped_and_gone_on_with(self):
        out = self.path("shapes.ctrd")
        args = [PROGRAM, "pack", "shapes", "-o", out, "--image-size", "128"]
        said = []
        for _ in range(2):
            at = os.path.getsize(out + ".part") if said else 0
            running = subprocess.Popen(args, stderr=subprocess.PIPE, text=True)
            end = time.monotonic() + 60
            while time.monotonic() < end and running.poll() is None and \
                    (not os.path.exists(out + ".part") or os.path.getsize(out + ".part") < at + (8 << 20)):
                time.sleep(0.01)
            running.send_signal(signal.SIGINT)
            said.append(running.communicate(timeout=60)[1])
            self.assertEqual(running.returncode, -signal.SIGINT, said)
            self.assertFalse(os.path.exists(out))
        stopped = [int(re.search(r"stopped after (\d+) of", text).group(1)) for text in said]
        self.assertIn("going on from %s.part: %d images are done" % (out, stopped[0]), said[1])
        self.assertGreater(stopped[1], stopped[0])

    def test_what_is_refused(self):
        data = self.images()
        with open(self.path("bad.ctrd"), "w", encoding="ascii") as file:
            file.write("no packed set " * 9)
        os.mkdir(self.path("empty"))
        os.mkdir(self.path("html"))
        with open(self.path("html/a.png"), "w", encoding="ascii") as file:
            file.write("<html>")
        for args, code, text in (
                (["pack", data], 2, "no --out"),
                (["pack", data, "-o", self.path("set.npy")], 2, ".ctrd"),
                (["pack", self.path("empty"), "-o", self.path("x.ctrd")], 7, "no images found"),
                (["pack", self.path("html"), "-o", self.path("x.ctrd")], 7, "none of the images"),
                (["pack", self.path("gone"), "-o", self.path("x.ctrd")], 7, "gone"),
                (["pack", data, "-o", self.path("no/x.ctrd")], 10, "no/x.ctrd"),
                (["pack", data, "-o", self.path("x.ctrd"), "--image-size", "4097"], 2, "--image-size"),
                (["pack", data, "-o", self.path("bad.ctrd")], 2, "is there already"),
                (["train", "--data", self.path("bad.ctrd"), "--out", self.path("run")], 7, "no packed set"),
                (["train", "--data", "packed:" + data, "--out", self.path("run")], 7, "not a regular file"),
                (["augment", self.path("bad.ctrd"), "-o", self.path("x.png")], 7, "no packed set")):
            done = run(*args, cwd=self.folder)
            if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
                continue
            self.assertEqual((done.returncode, done.out), (code, ""), done.err)
            self.assertIn(text, done.err)
            for left in ("x.ctrd", "x.ctrd.part", "run/config.toml"):
                self.assertFalse(os.path.exists(self.path(left)), args)


if __name__ == "__main__":
    unittest.main(verbosity=1)
