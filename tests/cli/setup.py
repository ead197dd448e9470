#!/usr/bin/env python3
"""How a run is set up: setup.py PROGRAM. Configuration files, --print-config and --dry-run: the same run
comes of a file as of flags, nothing is written without need, and what is wrong is found and named."""
import json
import os
import re
import unittest

from cli import run
from folders import Folder

SMALL = ["--limit", "64", "--batch", "16", "--epochs", "1", "--log-steps", "1"]
OTHER = [*SMALL, "--method", "moco", "--queue", "64", "--temperature", "0.3", "--optimizer", "lars",
         "--learning-rate", "0.1", "--augment", "crop(0.3,1) flip | crop gray(.5)", "--no-head-bn"]


class Setup(Folder):
    def call(self, *args, code=0, **more):
        done = run(*args, **more)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def write(self, text, name="f.toml"):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def read(self, *names):
        with open(self.path(*names), "rb") as file:
            return file.read()

    def outcome(self, name):
        """What a run of one epoch of four steps has left: its checkpoint and its metrics."""
        lines = [json.loads(line) for line in self.read(name, "metrics.jsonl").splitlines()]
        for line in lines:
            del line["ts"], line["images_per_s"]
        return self.read(name, "checkpoints", "step-00000004.safetensors"), lines

    def values(self, *args):
        """{option: (text of its value, who set it)} as --print-config tells it."""
        text = self.call("train", *args, "--print-config").out
        rows = re.findall(r"(?m)^([a-z0-9-]+) = (.*?) +# (.*)$", text)
        return {name: (value, source) for name, value, source in rows}

    def test_a_file_is_as_good_as_flags(self):
        self.call("train", *OTHER, "--out", self.path("flags"))
        text = self.call("train", *OTHER, "--print-config").out
        config = self.write(text)
        self.call("train", "--config", config, "--out", self.path("file"))
        self.call("train", "--config", self.path("flags", "config.toml"), "--out", self.path("again"))
        for name in "file", "again":
            self.assertEqual(self.outcome(name), self.outcome("flags"), name)
            self.assertEqual(self.read(name, "config.toml"), self.read("flags", "config.toml"))
        self.call("train", "--config", config, "--seed", "2", "--out", self.path("other"))
        self.assertNotEqual(self.outcome("other"), self.outcome("flags"))
        self.assertEqual({k: v for k, (v, _) in self.values("--config", config).items()},
                         {k: v for k, (v, _) in self.values(*OTHER).items()})
        for name in "f.toml", "flags/config.toml": # where it goes is no part of what it is
            self.assertNotIn(b"\nout = ", self.read(name))

    def test_who_wins(self):
        config = self.write('batch = 32\nmethod = "dcl"\ntemperature = 0.3\n')
        here = self.values("--config", config, "--temperature", "0.4")
        self.assertEqual(here["temperature"], ("0.4", "command line"))
        self.assertEqual(here["batch"], ("32", config))
        self.assertEqual(here["epochs"], ("60", "recipe shapes"))
        self.assertEqual(here["head-out"], ("128", "default"))
        self.assertEqual(here["method"], ('"dcl"', config))
        named = self.values("--config", self.write('recipe = "shapes"\ndata = "/nowhere"\n'))
        self.assertEqual(named["epochs"], ("60", "recipe shapes"))
        self.assertEqual(self.values("--data", "/nowhere")["epochs"], ("20", "default"))

    def test_other_commands_and_resumed_runs(self):
        config = self.write(self.call("train", *OTHER[2:], "--limit", "8", "--print-config").out)
        tune = ["tune", "--config", config, "--budget", "0.1"]
        self.assertIn("a batch of 16 is more than the 8 images", self.call(*tune, code=2).err)
        self.assertRegex(self.call(*tune, "--limit", "64").err, r"of \d+ shapes known")
        self.assertIn("unknown key 'epohcs'",
                      self.call("tune", "--config", self.write("epohcs = 2"), code=2).err)
        self.call("train", *SMALL, "--out", self.path("run"))
        done = self.call("train", "--resume", self.path("run"), "--config", config, code=2)
        self.assertIn("--config cannot change when a run is resumed", done.err)
        self.assertIn('limit = 64', self.call("train", "--resume", self.path("run"), "--print-config").out)
        with open(self.path("run", "config.toml"), "a") as file:
            file.write("plan = false\n") # runs made before --dry-run
        self.call("train", "--resume", self.path("run"))

    def test_mistakes_in_a_file(self):
        for text, where, what, hint in (
                ("\nbacth = 3", "2:1", "unknown key 'bacth'", "did you mean 'batch'?"),
                ("plan = true", "1:1", "unknown key 'plan'", "--dry-run"),
                ("resume = \"x\"", "1:1", "unknown key 'resume'", ""),
                ("method = \"byol\"\nqueue = 4", "2:1", "unknown key 'queue'", "an option of --method moco, nnclr"),
                ("beta2 = 0.9\noptimizer = \"sgd\"", "1:1", "unknown key 'beta2'", "--optimizer adamw"),
                ("jitter = 0.5", "1:1", "unknown key 'jitter'", "in the line of --augment"),
                ("batch = 1", "1:9", "must be from 2 to", ""),
                ("batch = \"64\"", "1:9", "'batch' is a number", "leave out the quotes"),
                ("data = 5", "1:8", "'data' is text", "double quotes"),
                ("stream = \"true\"", "1:10", "'stream' is true or false", "leave out the quotes"),
                ("method = \"simsam\"", "1:10", "there is no method 'simsam'", "did you mean 'simsiam'?"),
                ("encoder = \"resnet19\"", "1:11", "there is no encoder 'resnet19'", "did you mean"),
                ("optimizer = \"sdg\"", "1:13", "there is no optimizer 'sdg'", "did you mean 'sgd'?"),
                ("recipe = \"moco-cifar\"", "1:10", "there is no recipe 'moco-cifar'", "did you mean 'moco-cifar10'?"),
                ("tune = \"soon\"", "1:8", "'soon' is not auto, off", ""),
                ("augment = \"crop( flip\"", "1:11", "character 7", "")):
            done = self.call("train", "--config", self.write(text), "--out", self.path("run"), code=2)
            self.assertIn("error: %s:%s: " % (self.path("f.toml"), where), done.err)
            self.assertIn(what, done.err)
            self.assertIn(hint, done.err.split("hint: ")[-1])
        self.assertIn("nothing.toml", self.call("train", "--config", self.path("nothing.toml"), code=10).err)
        self.assertFalse(os.path.exists(self.path("run")))

    def test_options_that_are_gone_or_elsewhere(self):
        for args, hint in ((["--crop-min", "0.2"], "crop(A,1) in the line of --augment"),
                           (["--jitter=1"], "0.2 S"), (["--plan"], "--dry-run"),
                           (["--method", "byol", "--temperature", "1"], "of --method simclr")):
            done = self.call("train", *args, code=2)
            self.assertIn("unknown option '%s'" % args[-2 if args[-1][0] != "-" else -1].split("=")[0], done.err)
            self.assertIn(hint, done.err)
        self.assertIn("blur(0.1,2;P)", self.call("augment", "shapes", "--blur-p", "1", code=2).err)

    def recipes(self):
        """{name: {option: value}} as the program lists them."""
        names = re.findall(r"(?m)^(\S+)$", self.call("recipes").out)
        text = self.call("recipes", *names).out
        parts = re.split(r"(?m)^(\S+)\n", text)[1:]
        return {name: dict(re.findall(r"(?m)^  ([a-z-]+)  +(.*)$", part.split("  source ")[1]))
                for name, part in zip(parts[::2], parts[1::2])}

    def test_recipes_set_what_they_say(self):
        for name, said in self.recipes().items():
            values = self.values("--recipe", name)
            taken = {k: v.strip('"') for k, (v, by) in values.items() if by == "recipe " + name}
            said = {k: v for k, v in said.items() if k not in ("scores", "note")}
            self.assertEqual(taken, said)
            if name in ("simclr", "shapes"): # they come with the data, when the tables are made already
                self.assertFalse({"encoder", "method", "optimizer"} & said.keys())

    def test_recipes_as_json(self):
        every = json.loads(run("recipes", "--json").out)["recipes"]
        self.assertEqual([r["name"] + "\n" for r in every],
                         re.findall(r"(?m)^\S+\n", run("recipes").out))
        one = json.loads(run("recipes", "--json", "moco-cifar10").out)["recipes"]
        self.assertEqual(one, [r for r in every if r["name"] == "moco-cifar10"])
        self.assertEqual(one[0]["values"]["method"], "moco")

    def test_recipes_train(self):
        few = ["--limit", "32", "--batch", "16", "--epochs", "1", "--warmup-epochs", "0", "--validation", "0"]
        for name, said in self.recipes().items():
            small = ["--width", "0.125"] if "view-size" in said else ["--encoder", "cnn"]
            self.call("train", "--recipe", name, *few, *small, "--out", self.path(name))
            lines = self.read(name, "metrics.jsonl").splitlines()
            self.assertEqual(json.loads(lines[-1])["step"], 2)

    def test_recipes_in_the_documentation(self):
        with open(os.path.join(os.path.dirname(__file__), "..", "..", "docs", "RECIPES.md")) as file:
            documented = file.read()
        self.assertIn(self.call("recipes", *self.recipes()).out, documented.replace("\n    ", "\n"))

    def images(self):
        for name, n in ("red", 20), ("green", 30):
            os.makedirs(self.path("photos", name))
            for k in range(n):
                with open(self.path("photos", name, "%d.ppm" % k), "wb") as file:
                    file.write(b"P6 16 16 255\n" + bytes(range(k, k + 192)) * 4)
        self.write("<html>", "photos/red/bad.jpg")
        return self.path("photos")

    def test_a_dry_run_tells_all_and_writes_nothing(self):
        images = self.images()
        before = sorted(os.walk(self.folder))
        done = self.call("train", "--dry-run", "--data", "photos", "--batch", "8", "--epochs", "3",
                         "--augment", "crop flip(0.25)", "--method", "moco", "--queue", "16",
                         cwd=self.folder, code=3)
        for words in (r"device +\S", r"images +%s: 50 of 16x16, 2 classes of 20 to 30" % images,
                      r"skipped +1\n", r"views +2 of 16x16: crop\(.*flip\(0.25\)", r"moco with cnn, by adamw",
                      r"steps +18: 3 epochs, 6 steps of 8", r"sum +\d+\.\d MiB", r"following network",
                      r"output +runs/1\n +checkpoints +\S+ \S+ each, the newest 3 kept; "):
            self.assertRegex(done.out, words)
        self.assertIn("1 file was skipped", done.err)
        self.assertIn("bad.jpg", done.err)
        self.assertEqual(sorted(os.walk(self.folder)), before)

    def test_a_dry_run_as_json(self):
        done = run("train", *SMALL, "--encoder-rate", "0.25", "--dry-run", "--json", "--out", self.path("run"))
        plan = json.loads(done.out)
        self.assertEqual((done.returncode, plan["type"], plan["method"]), (0, "plan", "simclr"))
        self.assertEqual(plan["encoder_rate"], 0.25)
        self.assertEqual(plan["images"] // plan["batch"], plan["steps_per_epoch"])
        self.assertEqual(run("train", "--json", "--profile").returncode, 2)

    def test_a_dry_run_finds_what_a_run_would(self):
        os.makedirs(self.path("full"))
        self.write("x", "full/x")
        self.call("train", *SMALL, "--out", self.path("run"))
        for args, code, words in (
                (["--out", self.path("full")], 2, "not empty"),
                (["--out", self.path("full", "x")], 10, "directory"),
                (["--out", self.path("full", "x", "y")], 10, "directory"),
                (["--out", "/dev/null/run"], 10, "directory"),
                (["--data", self.path("nodata")], 7, "nodata"),
                (["--limit", "20", "--batch", "32"], 2, "20 images"),
                (["--method", "moco", "--queue", "8"], 2, "a queue of 8 rows"),
                (["--kernel", "conv2d=nope"], 2, "variants: "),
                (["--device", "99"], 2, "99"),
                (["--resume", self.path("full")], 8, "full")):
            done = self.call("train", "--dry-run", *args, code=code)
            self.assertIn(words, done.err)
            self.assertNotIn("sum", done.out)
        small = dict(os.environ, POCL_MEMORY_LIMIT="1")
        done = self.call("train", "--dry-run", "--encoder", "resnet18", "--batch", "4096", code=5, env=small)
        self.assertRegex(done.err, r"in one buffer; the device allows \d+ MiB\nhint: --batch \d\d\d should fit")
        done = self.call("train", "--dry-run", "--resume", self.path("run"))
        self.assertIn("run, resumed", done.out)
        with open(self.path("run", "checkpoints", "step-00000004.safetensors"), "r+b") as file:
            file.truncate(1000)
        self.call("train", "--dry-run", "--resume", self.path("run"), code=8)


if __name__ == "__main__":
    unittest.main()
