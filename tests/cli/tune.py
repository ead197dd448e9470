#!/usr/bin/env python3
"""`clcontrast tune`, and `train` with what it has found: tune.py PROGRAM. Which kernels win is not
tested, as times differ; that what is said, kept, used and resumed with is one and the same is."""
import json
import os
import re
import signal
import subprocess
import time
import unittest

from cli import PROGRAM, run
from folders import Folder

STEP = ("--limit", "64", "--batch", "8")
BLAS = "dense=blas,dense_bwd=blas" # no device's own choice


class Tune(Folder):
    def setUp(self):
        super().setUp()
        self.cache = {"XDG_CACHE_HOME": self.path("cache")}

    def call(self, *args, code=0):
        done = run(*args, env=self.cache)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def lines(self, *names):
        with open(self.path(*names)) as file:
            return file.read().splitlines()

    def bytes_of(self, name, step):
        with open(self.path(name, "checkpoints", "step-%08d.safetensors" % step), "rb") as file:
            return file.read()

    def test_what_is_found_is_used(self):
        found = json.loads(self.call("tune", *STEP, "--budget", "20", "--json").out)
        self.assertTrue(found["device"] and found["driver"])
        self.assertIn("conv2d", {row["op"] for row in found["shapes"]})
        for row in found["shapes"]:
            self.assertLessEqual(row["chosen_seconds"], row["own_seconds"])
            if row["chosen"] != row["own"]:
                self.assertLess(row["chosen_seconds"], 0.97 * row["own_seconds"])
            self.assertLess(row["error"], 1e-5)
        listed = json.loads(self.call("tune", "--list", "--json").out)
        self.assertEqual({(row["op"], row["shape"]): row["chosen"] for row in listed["shapes"]},
                         {(row["op"], row["shape"]): row["chosen"] for row in found["shapes"]})
        self.assertIn("conv2d", self.call("tune", "--list").out)

        self.call("train", *STEP, "--steps", "2", "--out", self.path("run"))
        used = self.lines("run", "kernels.txt")[1:]
        listed = json.loads(self.call("tune", "--list", "--json").out) # shapes that are worth it since then, too
        changed = {"%s@%s=%s" % (row["op"], row["shape"], row["chosen"])
                   for row in listed["shapes"] if row["chosen"] != row["own"]}
        self.assertLessEqual(changed, set(used))
        logged = re.findall("kernel, not the default: (.*)", "\n".join(self.lines("run", "train.log")))
        self.assertEqual(set(logged), changed)
        self.call("train", *STEP, "--steps", "2", "--tune", "off", "--out", self.path("off"))
        self.assertNotIn("not the default", "\n".join(self.lines("off", "train.log")))

        self.call("tune", "--clear")
        self.assertEqual(json.loads(self.call("tune", "--list", "--json").out)["shapes"], [])

    def test_out_of_time(self):
        done = self.call("tune", *STEP, "--budget", "0.1")
        self.assertIn("out of time", done.err)

    def test_searched_before_a_run(self):
        self.call("train", *STEP, "--steps", "1", "--tune", "5", "--out", self.path("run"))
        self.assertTrue(json.loads(self.call("tune", "--list", "--json").out)["shapes"])

    def test_resumed_with_the_same(self):
        """A run keeps its kernels, also when nothing but its kernels.txt knows of them."""
        args = (*STEP, "--steps", "6", "--epochs", "2", "--checkpoint-steps", "2", "--keep", "0")
        self.call("train", *args, "--out", self.path("plain"))
        self.call("train", *args, "--kernel", BLAS, "--out", self.path("whole"))
        self.assertNotEqual(self.bytes_of("whole", 6), self.bytes_of("plain", 6))
        self.call("train", *args, "--kernel", BLAS, "--out", self.path("again"))
        for step in (4, 6):
            os.remove(self.path("again", "checkpoints", "step-%08d.safetensors" % step))
        self.call("train", "--resume", self.path("again"), "--kernel", "l2norm=row")
        self.assertEqual(self.bytes_of("again", 6), self.bytes_of("whole", 6))
        self.assertEqual(self.lines("again", "kernels.txt"), self.lines("whole", "kernels.txt"))

    def test_stopped(self):
        process = subprocess.Popen([PROGRAM, "tune", *STEP, "--full"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=dict(os.environ, **self.cache))
        until = time.time() + 60
        kept = self.path("cache", "clcontrast", "tuned")
        while time.time() < until and not (os.path.isdir(kept) and
                                           [f for f in os.listdir(kept) if f.endswith(".txt")]):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1].decode()
        self.assertEqual(process.returncode, -signal.SIGINT, err)
        self.assertIn("stopped: what was found is kept", err)
        self.assertTrue(json.loads(self.call("tune", "--list", "--json").out)["shapes"])
        self.assertFalse([f for f in os.listdir(kept) if f.endswith(".trying")])

    def test_refusals(self):
        for args, words in [(["train", *STEP, "--tune", "soon", "--out", self.path("a")], "--tune"),
                            (["train", *STEP, "--tune", "-1", "--out", self.path("a")], "--tune"),
                            (["tune", "--budget", "0"], "--budget"),
                            (["tune", "--encoder", "vgg"], "vgg")]:
            self.assertIn(words, self.call(*args, code=2).err)
        self.assertFalse(os.path.exists(self.path("a")))


if __name__ == "__main__":
    unittest.main()
