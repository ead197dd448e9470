#!/usr/bin/env python3
"""`clcontrast train`: train.py PROGRAM [TEST ...]. Interrupted and uninterrupted runs give
the same bytes, nothing is lost when a process is killed, and what cannot work is refused.

CTR_TEST_KILLS is how many times a run is killed at a random moment (default 5)."""
import json
import os
import random
import re
import resource
import signal
import struct
import time
import unittest

from cli import run
from runs import SMALL, Runs


class Train(Runs):
    def whole(self):
        """The run that nothing disturbs: made once."""
        if not hasattr(Train, "reference"):
            self.train(*SMALL, "--out", self.path("whole"))
            Train.reference = self.checkpoint("whole", 10), self.metrics("whole")
        return Train.reference

    def config(self, name):
        with open(self.path(name, "config.toml")) as file:
            return file.read()

    def test_same_seed_same_bytes(self):
        state, metrics = self.whole()
        self.train(*SMALL, "--out", self.path("again"))
        self.assertEqual(self.checkpoint("again", 10), state)
        self.assertEqual(self.metrics("again"), metrics)
        self.train(*SMALL, "--seed", "2", "--out", self.path("other"))
        self.assertNotEqual(self.checkpoint("other", 10), state)

    def test_lines_of_json(self):
        done = run("train", *SMALL, "--json", "--quiet", "--out", self.path("json"))
        self.assertEqual((done.returncode, done.err), (0, ""))
        *epochs, end = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual([(e["type"], e["epoch"]) for e in epochs], [("epoch", 1)])  # the second is not whole
        self.assertEqual((end["type"], end["run"], end["step"]), ("end", self.path("json"), 10))
        self.assertFalse(end["stopped"])
        self.assertEqual(epochs[0]["step"], 6)

    def test_streamed_equals_resident(self):
        self.train(*SMALL, "--stream", "--out", self.path("streamed"))
        self.assertEqual(self.checkpoint("streamed", 10), self.whole()[0])

    def test_five_kill_five(self):
        process = self.start(*SMALL, "--checkpoint-steps", "5", "--out", self.path("killed"))
        self.wait_for("killed", 5, process)
        process.kill()
        process.wait()
        self.train("--resume", self.path("killed"))
        self.assertEqual(self.checkpoint("killed", 10), self.whole()[0])
        self.assertEqual(self.metrics("killed"), self.whole()[1])

    def test_signals_save(self):
        for number in signal.SIGINT, signal.SIGTERM:
            name = "signal%d" % number
            process = self.start(*SMALL, "--out", self.path(name), "--checkpoint-steps", "2")
            self.wait_for(name, 2, process)
            process.send_signal(number)
            self.assertIn(process.wait(60), (-number, 0))  # 0: it was done before the signal came
            if self.steps(name)[-1] < 10:
                self.train("--resume", self.path(name))
            self.assertEqual(self.checkpoint(name, 10), self.whole()[0])

    def test_signal_before_the_first_step(self):
        data = self.folder_of_images("red", "green")
        process = self.start("--data", data, "--batch", "32", "--epochs", "50", "--out", self.path("run"))
        until = time.time() + 60
        while not os.path.exists(self.path("run", "config.toml")) and time.time() < until:
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), -signal.SIGINT)
        self.assertTrue(self.steps("run") or not os.path.exists(self.path("run")))

    @unittest.skipUnless(os.environ.get("CTR_FAULT_LAYER"), "no layer that lets calls of the driver fail")
    def test_signal_that_fails_a_build(self):
        """PoCL's compiler removes what it is writing when a signal comes, and the build fails."""
        env = {"OPENCL_LAYERS": os.environ["CTR_FAULT_LAYER"], "FAULT": "clBuildProgram 5 -11",
               "FAULT_SIGNAL": "%d" % signal.SIGINT}
        done = run("train", *SMALL, "--out", self.path("run"), env=env)
        self.assertEqual(done.returncode, -signal.SIGINT, done.err)
        self.assertIn("stopped; what the driver was doing failed at the signal\n", done.err)
        self.assertFalse(os.path.exists(self.path("run")))
        del env["FAULT_SIGNAL"]
        done = run("train", *SMALL, "--out", self.path("run"), env=env)
        self.assertEqual(done.returncode, 6, done.err)

    def test_killed_at_random(self):
        chance = random.Random(7)
        out = self.path("random")
        args = ["--limit", "192", "--batch", "32", "--steps", "100000", "--epochs", "100000",
                "--checkpoint-steps", "1", "--out", out]
        process = self.start(*args)
        self.wait_for("random", 1, process)
        last = 0
        for _ in range(int(os.environ.get("CTR_TEST_KILLS", "5"))):
            time.sleep(chance.uniform(0, 0.5))
            process.kill()
            process.wait()
            done = run("eval", out, "--limit", "60", "--no-probe", "--no-baselines", "--json")
            self.assertEqual(done.returncode, 0, done.err)
            step = json.loads(done.out)["step"]
            self.assertGreaterEqual(step, last)
            last = step
            process = self.start("--resume", out)
            self.wait_for("random", last + 1, process)
        process.kill()
        process.wait()
        left = [f for f in os.listdir(self.path("random", "checkpoints")) if ".tmp" in f]
        self.assertLessEqual(len(left), 1)

    def test_width(self):
        narrow = ["--encoder", "resnet18", "--width", "0.125", "--image-size", "16", "--limit", "64"]
        narrow += ["--batch", "16", "--steps", "4", "--epochs", "1"]
        self.train(*narrow, "--out", self.path("whole"))
        self.train(*narrow[:-3], "2", "--epochs", "1", "--out", self.path("short"))
        for name in "whole", "short":
            done = run("eval", self.path(name), "--limit", "60", "--no-probe", "--json")
            self.assertEqual(done.returncode, 0, done.err)
            self.assertEqual(json.loads(done.out)["features"], 64)
        self.assertIn("width = 0.125", self.config("whole"))
        self.assertIn("--width", self.train("--resume", self.path("whole"), "--width", "1", code=2).err)

    def test_stem(self):
        """A stem of stride 2 has a quarter of the work, and eval builds it again."""
        small = ["--encoder", "resnet10", "--width", "0.125", "--image-size", "16", "--limit", "64"]
        small += ["--batch", "16", "--epochs", "1", "--stem"]
        flops = [float(re.search(r"([\d.]+) GFLOP", self.train(*small, stem, "--dry-run").out).group(1))
                 for stem in ("strided", "cifar")]
        self.assertLess(flops[0], 0.35 * flops[1])
        self.train(*small, "strided", "--out", self.path("run"))
        done = run("eval", self.path("run"), "--limit", "60", "--no-probe", "--json")
        self.assertEqual(done.returncode, 0, done.err)
        self.assertEqual(json.loads(done.out)["features"], 64)

    def test_view_size(self):
        """Views smaller than the images cost less; evaluation sees whole images, by the stem for their size."""
        images = ["--encoder", "resnet10", "--width", "0.125", "--image-size", "72", "--limit", "64", "--batch", "16"]
        images += ["--augment", "small"]
        flops = [float(re.search(r"([\d.]+) GFLOP", self.train(*images, "--dry-run", *more).out).group(1))
                 for more in ([], ["--view-size", "36"])]
        self.assertLess(flops[1], 0.5 * flops[0])
        self.train(*images, "--view-size", "36", "--epochs", "1", "--out", self.path("run"))
        self.assertIn("takes images of one size", self.train("--limit", "64", "--batch", "16", "--view-size", "24", code=2).err)
        done = run("eval", self.path("run"), "--limit", "60", "--no-probe", "--json")
        self.assertEqual(done.returncode, 0, done.err)

    def test_precision(self):
        for kind in "fp16", "bf16":
            args = [*SMALL, "--precision", kind]
            self.train(*args, "--out", self.path(kind))
            state, metrics = self.checkpoint(kind, 10), self.metrics(kind)
            self.assertEqual(b"optimizer.loss_scale" in state, kind == "fp16")
            again = kind + "-again"
            process = self.start(*args, "--checkpoint-steps", "5", "--out", self.path(again))
            self.wait_for(again, 5, process)
            process.kill()
            process.wait()
            self.train("--resume", self.path(again))
            self.assertEqual(self.checkpoint(again, 10), state)
            self.assertEqual(self.metrics(again), metrics)
            for line, exact in zip(metrics, self.whole()[1]):
                self.assertNotEqual(line["loss"], exact["loss"])
                self.assertAlmostEqual(line["loss"], exact["loss"], delta=0.02 * exact["loss"])
            done = run("eval", self.path(kind), "--limit", "60", "--no-probe", "--json")
            self.assertEqual(done.returncode, 0, done.err)
        self.assertIn('precision = "bf16"', self.config("bf16"))
        self.assertIn("--precision", self.train("--resume", self.path("bf16"), "--precision", "fp32", code=2).err)

    def values(self, name, step):
        """All floats of a checkpoint."""
        data = self.checkpoint(name, step)
        at = 8 + struct.unpack("<Q", data[:8])[0]
        return [x for x, in struct.iter_unpack("<f", data[at:])]

    def test_micro_batches(self):
        """The steps of the whole batch, images on the device or streamed, killed and resumed."""
        plain = [*SMALL, "--no-head-bn", "--optimizer", "sgd", "--learning-rate", "0.01"]
        micro = [*plain, "--micro-batch", "8"]
        self.train(*plain, "--out", self.path("plain"))
        self.train(*micro, "--out", self.path("micro"))
        for line, exact in zip(self.metrics("micro"), self.metrics("plain")):
            self.assertAlmostEqual(line["loss"], exact["loss"], delta=1e-5 * exact["loss"])
            self.assertEqual(line["positive_top1"], exact["positive_top1"])
        values, exact = self.values("micro", 10), self.values("plain", 10)
        self.assertEqual(len(values), len(exact))
        self.assertLess(max(abs(a - b) for a, b in zip(values, exact)), 1e-5 * max(map(abs, exact)))
        process = self.start(*micro, "--stream", "--checkpoint-steps", "5", "--out", self.path("again"))
        self.wait_for("again", 5, process)
        process.kill()
        process.wait()
        self.train("--resume", self.path("again"))
        self.assertEqual(self.checkpoint("again", 10), self.checkpoint("micro", 10))
        self.assertEqual(self.metrics("again"), self.metrics("micro"))
        self.assertIn("--micro-batch", self.train("--resume", self.path("again"), "--micro-batch", "4", code=2).err)

    def test_micro_batches_and_the_rest(self):
        """With a following network, loss scaling and another optimiser, beside the whole batch."""
        args = [*SMALL, "--no-head-bn", "--method", "byol", "--precision", "fp16", "--optimizer", "lars"]
        self.train(*args, "--out", self.path("one"))
        self.train(*args, "--micro-batch", "16", "--out", self.path("micro"))
        for line, whole in zip(self.metrics("micro"), self.metrics("one")):
            self.assertAlmostEqual(line["loss"], whole["loss"], delta=0.01 * whole["loss"])
        self.assertIn(b"optimizer.loss_scale", self.checkpoint("micro", 10))
        self.train(*SMALL, "--micro-batch", "8", "--out", self.path("norm"))  # statistics of each
        self.assertNotEqual(self.metrics("norm")[0]["loss"], self.whole()[1][0]["loss"])
        self.assertLess(self.activations("--micro-batch", "8"), 0.25 * self.activations())

    def test_math(self):
        done = self.train(*SMALL, "--math", "tf32", "--out", self.path("tf32"))
        self.assertIn("no matrix units", done.err)
        self.assertEqual(self.metrics("tf32"), self.whole()[1])
        self.assertIn('math = "tf32"', self.config("tf32"))
        self.assertIn("--math", self.train("--resume", self.path("tf32"), "--math", "fp32", code=2).err)

    def activations(self, *args):
        done = self.train("--dry-run", "--limit", "256", "--encoder", "resnet18", "--batch", "64", *args)
        return float(re.search(r"activations, scratch +([0-9.]+)", done.out).group(1))

    def test_precision_saves_memory(self):
        whole = self.activations()
        for kind in "fp16", "bf16":
            self.assertLess(self.activations("--precision", kind), 0.7 * whole)

    def test_methods_learn_and_resume(self):
        """Each method: its loss falls (once a queue is full), held-out images have one, the same seed gives the same bytes, also killed and resumed."""
        more = {"supervised": ["--augment", "flip"], "moco": ["--queue", "64", "--ema", "0.5"], "nnclr": ["--queue", "64"]}
        listed = run("train", "--help").out.split("Methods:\n")[1].split("\n\n")[0]
        for name in re.findall(r"^  (\S+)", listed, re.M)[1:]:  # the first is simclr
            args = ["--limit", "232", "--batch", "32", "--epochs", "10", "--log-steps", "1",
                    "--validation", "0.14", "--method", name, *more.get(name, [])]
            self.train(*args, "--out", self.path(name))
            metrics = self.metrics(name)
            losses = [line["loss"] for line in metrics if "loss" in line]
            self.assertEqual(len(losses), 60)
            self.assertLess(sum(losses[-10:]), sum(losses[5:15]), name)
            self.assertTrue(all(line["validation_loss"] is not None for line in self.validations(name)), name)
            again = name + "-again"
            process = self.start(*args, "--checkpoint-steps", "5", "--out", self.path(again))
            self.wait_for(again, 5, process)
            process.kill()
            process.wait()
            self.train("--resume", self.path(again))
            self.assertEqual(self.checkpoint(again, 60), self.checkpoint(name, 60), name)
            self.assertEqual(self.metrics(again), metrics, name)
            done = run("eval", self.path(name), "--limit", "60", "--no-probe", "--no-baselines", "--json")
            self.assertEqual(done.returncode, 0, done.err)

    def test_full_disk(self):
        """Metrics that cannot be written stop nothing; the exit code tells of them at the end. It goes on at step 6."""
        self.train(*SMALL, "--checkpoint-steps", "5", "--out", self.path("run"))
        os.remove(self.path("run", "checkpoints", "step-00000010.safetensors"))
        size = 8 << 20  # more than all other files
        with open(self.path("run", "metrics.jsonl"), "r+b") as file:
            lines = file.readlines()
            file.seek(0)
            file.write(lines[0] * (size // len(lines[0])) + b"".join(lines[:6]))
        size = os.path.getsize(self.path("run", "metrics.jsonl"))
        done = run("train", "--resume", self.path("run"),
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)))
        self.assertEqual(done.returncode, 10, done.err)
        self.assertIn("metrics.jsonl': File too large; training goes on", done.err)
        self.assertIn("4 lines of metrics", done.err)
        self.assertEqual(os.path.getsize(self.path("run", "metrics.jsonl")), size)
        self.assertEqual(self.checkpoint("run", 10), self.whole()[0])

    def test_refusals(self):
        os.makedirs(self.path("full"))
        open(self.path("full", "x"), "w").close()
        for args, code, words in [
                (["--out", self.path("full")], 2, "not empty"),
                (["--batch", "1"], 2, "--batch"),
                (["--batch", "32", "--micro-batch", "5", "--out", self.path("a")], 2, "micro-batches of 5"),
                (["--limit", "20", "--batch", "32", "--out", self.path("a")], 2, "20 images"),
                (["--encoder", "resnet19", "--out", self.path("b")], 2, "did you mean"),
                (["--method", "somclear", "--out", self.path("c")], 2, "lists them"),
                (["--method", "moco", "--queue", "8", "--out", self.path("c")], 2, "a queue of 8 rows"),
                (["--resume", self.path("nothing")], 8, "nothing"),
                (["--data", self.path("full"), "--out", self.path("d")], 7, "full"),
                (["--temperature", "0", "--out", self.path("e")], 2, "--temperature"),
                (["--device", "99", "--out", self.path("f")], 2, "99"),
                (["--device", "-1", "--out", self.path("f")], 2, "devices: 0 "),
                (["--device", "foo", "--out", self.path("f")], 2, "devices: 0 "),
                (["--out", self.path("full", "x")], 10, "directory"),
                (["--out", "/proc/nothing/run"], 10, "/proc/nothing"),
                (["--data", self.path("nodata"), "--out", self.path("g")], 7, "nodata"),
                (["--epochs", "1e9", "--out", self.path("g")], 2, "--epochs"),
                (["--epochs", "", "--out", self.path("g")], 2, "--epochs"),
                (["--batch", "0x10", "--out", self.path("g")], 2, "--batch"),
                (["--seed", "99999999999999999999", "--out", self.path("g")], 2, "--seed"),
                (["--kernel", "conv2d=nope", "--out", self.path("g")], 2, "variants: "),
                (["--kernel", "conv2d=direct:7", "--out", self.path("g")], 2, "no such configuration"),
                (["--kernel", "covn2d=direct", "--out", self.path("g")], 2, "ops: "),
                (["--learning-rate", "nan", "--out", self.path("g")], 2, "learning-rate")]:
            done = self.train(*args, code=code)
            self.assertIn(words, done.err)
        self.assertEqual(sorted(os.listdir(self.folder)), ["full"])  # nothing left behind

    def test_resume_keeps_its_configuration(self):
        self.train("--limit", "192", "--batch", "32", "--steps", "3", "--out", self.path("run"))
        done = self.train("--resume", self.path("run"), "--batch", "16", code=2)
        self.assertIn("--batch", done.err)
        done = self.train("--resume", self.path("run"), "--profile")  # nothing left to do
        self.assertNotIn("nan", done.out)
        done = self.train("--resume", self.path("run"), "--dry-run")
        self.assertIn("parameters", done.out)

    def test_killed_before_the_first_checkpoint(self):
        self.train(*SMALL, "--out", self.path("run"))
        for name in os.listdir(self.path("run", "checkpoints")):
            os.remove(self.path("run", "checkpoints", name))
        self.train("--resume", self.path("run"))
        self.assertEqual(self.checkpoint("run", 10), self.whole()[0])

    def test_nohup_is_heeded(self):
        process = self.start(*SMALL, "--checkpoint-steps", "1", "--out", self.path("run"),
                             preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.wait_for("run", 1, process)
        process.send_signal(signal.SIGHUP)
        self.assertEqual(process.wait(60), 0)
        self.assertEqual(self.checkpoint("run", 10), self.whole()[0])

    def test_folder_without_a_test_split(self):
        self.folder_of_images("red", "green", "blue")
        os.mkfifo(self.path("photos", "blue", "pipe.png"))
        few = ["--batch", "32", "--steps", "4", "--epochs", "1"]
        done = run("train", *few, "--data", "folder:photos", "--out", "run", cwd=self.folder)
        self.assertEqual(done.returncode, 3, done.err)
        self.assertIn("2 files were skipped: see run/skipped.tsv", done.err)
        with open(self.path("run", "skipped.tsv")) as file:
            self.assertIn("red/bad.jpg", file.read())
        for limit, whole in ("0", 180), ("24", None):
            done = run("eval", self.path("run"), "--no-probe", "--json", "--limit", limit)
            self.assertEqual(done.returncode, 3, done.err)
            result = json.loads(done.out)
            self.assertTrue(result["held_out"])
            self.assertEqual(result["classes"], 3)
            if whole:
                self.assertEqual(result["train"] + result["test"], whole)
                self.assertEqual((done.returncode, result["skipped"]), (3, 2))
                self.assertGreater(result["pixels"]["knn10"], 0.6)
        done = self.train("--resume", self.path("run"), "--stream", code=7)
        self.assertIn("began with 180 usable images; there are 181", done.err)
        done = run("train", *few, "--data", self.path("photos"), "--stream", "--out", self.path("s"))
        self.assertEqual(done.returncode, 3, done.err)

    def test_verdicts(self):
        """Settings that a person can get wrong, and what is said of them; nothing of a sound run."""
        for name, words, args in (
                ("stuck", "stuck at chance", ["--learning-rate", "1e-9"]),
                ("collapse", "collapsed", ["--method", "triplet", "--hard", "1", "--learning-rate", "0.03"]),
                ("sound", None, [])):
            done = self.train("--limit", "512", "--batch", "64", "--epochs", "4", *args, "--out",
                              self.path(name))
            with open(self.path(name, "train.log")) as file:
                log = file.read()
            for text in (done.err, log):
                self.assertEqual(words is not None, "warn" in text, text)
                self.assertIn(words or "epoch 4", text)
            last = self.metrics(name)[-1]
            self.assertTrue(1 <= last["effective_rank"] <= 128 and 0 <= last["feature_std"] <= 1.01)
            self.assertTrue(-4.1 <= last["uniformity"] <= 0 <= last["alignment"] <= 4)

    def test_views(self):
        """Four patches of an image; as many views as the line has parts; and methods that compare two."""
        self.train(*SMALL, "--views", "4", "--augment", "patch(2) flip", "--out", self.path("patches"))
        with open(self.path("patches", "train.log")) as file:
            self.assertIn("steps of 32 images, 4 views of each", file.read())
        self.train(*SMALL, "--method", "byol", "--augment", "none | small | crop", "--out", self.path("parts"))
        with open(self.path("parts", "train.log")) as file:
            self.assertIn("3 views of each", file.read())
        done = self.train(*SMALL, "--method", "moco", "--views", "3", "--out", self.path("moco"), code=2)
        self.assertIn("the method moco takes 2 views of an image, not 3", done.err)
        self.assertIn("these take more: simclr, margin", done.err)
        done = self.train(*SMALL, "--views", "1", "--out", self.path("one"), code=2)
        self.assertIn("the method simclr takes 2 or more views of an image, not 1", done.err)
        done = self.train(*SMALL, "--views", "2", "--augment", "none | flip | gray", "--out", self.path("two"), code=2)
        self.assertIn("3 pipelines, but 2 views", done.err)
        multi = ["--encoder", "resnet10", "--width", "0.125", "--local-views", "3"]
        self.assertIn("3 of 16x16: crop(0.05,0.14) flip", self.train(*SMALL, *multi, "--dry-run").out)
        for method in "simclr", "swav":
            self.train(*SMALL, *multi, "--method", method, "--out", self.path(method))
            with open(self.path(method, "train.log")) as file:
                self.assertIn("2 views of each and 3 of 16 pixels", file.read())
        for args, words in ((["--method", "byol"], "the method byol takes no local views"),
                            ([], "the encoder cnn takes views of one size"),
                            (["--local-augment", "flop"], "--local-augment: character 1: there is no"),
                            (["--encoder", "resnet10", "--local-size", "40"], "local views of 40 pixels")):
            done = self.train(*SMALL, "--local-views", "3", *args, "--out", self.path("one"), code=2)
            self.assertIn(words, done.err)
        for name in "moco", "one", "two":
            self.assertFalse(os.path.exists(self.path(name)))

    def test_divergence_stops(self):
        done = self.train(*SMALL, "--learning-rate", "1000000", "--optimizer", "sgd",
                          "--no-head-bn", "--checkpoint-steps", "1", "--out", self.path("run"), code=9)
        self.assertRegex(done.err, "not finite at step|no longer finite")
        for step in self.steps("run"):
            data = self.checkpoint("run", step)
            at = 8 + struct.unpack("<Q", data[:8])[0]
            self.assertTrue(all(abs(x) < 1e39 for x, in struct.iter_unpack("<f", data[at:])))
        self.assertIn("--learning-rate", done.err)

    def test_learns(self):
        self.train("--epochs", "5", "--out", self.path("run"))
        self.assertLess(self.metrics("run")[-1]["loss_of_chance"], 0.85)
        done = run("eval", self.path("run"), "--json", "--no-probe")
        result = json.loads(done.out)
        self.assertGreater(result["trained"]["knn10"], result["untrained"]["knn10"])

    @unittest.skipUnless(os.environ.get("CTR_TEST_SLOW") == "1", "slow")
    def test_quickstart_score(self):
        self.train("--out", self.path("run"))
        result = json.loads(run("eval", self.path("run"), "--json", "--no-probe").out)
        self.assertGreaterEqual(result["trained"]["knn10"], 0.95)
        self.assertGreaterEqual(result["trained"]["knn10"], result["untrained"]["knn10"] + 0.2)

    def test_recompute_saves_memory(self):
        off, auto, on = (self.activations("--recompute", way) for way in ("off", "auto", "on"))
        self.assertLess(auto, 0.75 * off)
        self.assertLessEqual(on, auto)
        self.assertEqual(self.activations(), auto)

    def test_recompute_keeps_the_bytes(self):
        narrow = ["--encoder", "resnet18", "--width", "0.125", "--limit", "64", "--batch", "16", "--epochs", "1"]
        for way in "off", "on":
            self.train(*narrow, "--recompute", way, "--out", self.path(way))
        self.assertEqual(self.metrics("off"), self.metrics("on"))
        self.assertEqual(self.checkpoint("off", 4), self.checkpoint("on", 4))

    def test_split(self):
        for name, split in ("a", "train"), ("b", "train"), ("c", "test"), ("d", "test"), ("e", "test"):
            os.makedirs(self.path("set", split, "x"), exist_ok=True)
            with open(self.path("set", split, "x", name + ".ppm"), "wb") as file:
                file.write(b"P6 32 32 255\n" + name.encode() * 3072)
        where = ("--data", self.path("set"), "--dry-run", "--batch", "2")
        self.assertIn("set: 2 of 32x32", self.train(*where).out)
        for split, n in ("test", 3), ("all", 5):
            done = self.train(*where, "--split", split)
            self.assertIn("set: %d of 32x32" % n, done.out)
            self.assertIn("split '%s' has images that evaluation tests on" % split, done.err)
        done = self.train(*where, "--split", "unlabeled", code=7)
        self.assertIn("hint: there are: train, test, all", done.err)
        self.assertIn("split = \"all\"", self.train("--split", "all", "--print-config").out)

    def test_dry_run(self):
        done = self.train("--dry-run", "--limit", "256", "--encoder", "resnet18", "--batch", "8")
        self.assertRegex(done.out, r"parameters\s+11\d{6}")
        self.assertRegex(done.out, r"launches\s+\d{3}")
        done = self.train("--dry-run", "--limit", "256", "--encoder", "resnet50", "--batch", "2")
        self.assertRegex(done.out, r"parameters\s+27\d{6}")


if __name__ == "__main__":
    unittest.main()
