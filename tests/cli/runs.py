"""What tests of `clcontrast train` share: runs in a folder of their own, and what they leave there."""
import json
import os
import random
import subprocess
import time

from cli import PROGRAM, run
from folders import Folder, Made

SMALL = ["--limit", "192", "--batch", "32", "--steps", "10", "--epochs", "2", "--log-steps", "1"]


class Runs(Folder):
    def train(self, *args, code=0):
        done = run("train", *args)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def start(self, *args, **more):
        return subprocess.Popen([PROGRAM, "train", *args], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, **more)

    def checkpoint(self, name, step):
        with open(self.path(name, "checkpoints", "step-%08d.safetensors" % step), "rb") as file:
            return file.read()

    def steps(self, name):
        try:
            return sorted(int(f[5:13]) for f in os.listdir(self.path(name, "checkpoints"))
                          if f.startswith("step-") and f.endswith(".safetensors"))
        except FileNotFoundError:
            return []

    def metrics(self, name):
        with open(self.path(name, "metrics.jsonl")) as file:
            lines = [json.loads(line) for line in file]
        return [{k: v for k, v in line.items() if k not in ("ts", "images_per_s")} for line in lines]

    def validations(self, name):
        return [line for line in self.metrics(name) if "validation_loss" in line]

    def wait_for(self, name, step, process):
        until = time.time() + 120
        while not [s for s in self.steps(name) if s >= step]:
            self.assertTrue(process.poll() is None or self.steps(name), "train ended early")
            self.assertLess(time.time(), until)
            time.sleep(0.005)

    def folder_of_images(self, *classes):
        """Pictures of one colour and some noise, and one that is none."""
        chance = random.Random(1)
        for i, name in enumerate(classes):
            os.makedirs(self.path("photos", name), exist_ok=True)
            for k in range(60):
                body = bytes(chance.randrange(60) + 120 * (at % 3 == i) for at in range(32 * 32 * 3))
                with open(self.path("photos", name, "%d.ppm" % k), "wb") as file:
                    file.write(b"P6 32 32 255\n" + body)
        with open(self.path("photos", classes[0], "bad.jpg"), "w") as file:
            file.write("<html>not here</html>")
        return self.path("photos")


class Shared(Made, Runs):
    """Tests beside a folder that setUpClass has filled once for all of them; each has its own, too."""
