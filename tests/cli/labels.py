#!/usr/bin/env python3
"""`clcontrast train` with held-out images, with labels, and from the weights of another run:
labels.py PROGRAM [TEST ...]."""
import json
import os
import random
import re
import struct
import unittest

from cli import run
from runs import SMALL, Runs


class Labels(Runs):
    def test_validation(self):
        """After each epoch and at the end; runs disturbed or streamed have the same figures."""
        args = [*SMALL, "--method", "margin", "--validation", "0.34", "--checkpoint-steps", "1"]
        done = self.train(*args, "--out", self.path("run"))
        self.assertIn("127 images of", done.err)
        self.assertIn("64 images more are held out", done.err)
        self.assertRegex(done.err, r"epoch 2/2 .* validation loss [0-9.]+  pairs right [0-9.]+%")
        lines = self.validations("run")
        self.assertEqual([(line["step"], line["epoch"]) for line in lines], [(3, 1), (6, 2)])
        for line in lines:
            self.assertTrue(0 < line["validation_loss"] and 0.4 < line["validation_pairs_right"] < 1, line)
        self.assertNotEqual(lines[0]["validation_loss"], lines[1]["validation_loss"])
        with open(self.path("run", "config.toml")) as file:
            self.assertIn("validation = 0.34", file.read())
        self.train(*args, "--stream", "--out", self.path("streamed"))
        self.assertEqual(self.metrics("streamed"), self.metrics("run"))
        process = self.start(*args, "--out", self.path("killed"))
        self.wait_for("killed", 2, process)
        process.kill()
        process.wait()
        self.train("--resume", self.path("killed"))
        self.assertEqual(self.metrics("killed"), self.metrics("run"))
        self.assertEqual(self.means("killed"), self.means("run"))
        self.assertIn("--validation", self.train("--resume", self.path("run"), "--validation", "0.5", code=2).err)
        for option, value in ("--steps", "4"), ("--log-steps", "3"):  # the last step has a line in any case
            args[args.index(option) + 1] = value
        self.train(*args, "--out", self.path("short"))
        self.assertEqual([line["step"] for line in self.validations("short")], [3, 4])
        self.assertEqual([line["step"] for line in self.metrics("short") if "loss" in line], [3, 4])

    def means(self, name):
        """The mean loss of each epoch, of those before an interruption, too."""
        with open(self.path(name, "train.log")) as file:
            return set(re.findall(r"epoch \d+ of \d+: mean loss [0-9.]+", file.read()))

    def pictures(self, name, *copies):
        """Sixteen classes, each of one picture in as many copies, and a test split."""
        chance = random.Random(3)
        for label in range(16):
            body = bytes(chance.randrange(256) for _ in range(32 * 32 * 3))
            for split, copy in [("train", copy) for copy in copies] + [("test", "t")]:
                os.makedirs(self.path(name, split, str(label)), exist_ok=True)
                with open(self.path(name, split, str(label), copy + ".ppm"), "wb") as file:
                    file.write(b"P6 32 32 255\n" + body)
        return ["--data", self.path(name), "--batch", "16", "--epochs", "3", "--log-steps", "1"]

    def test_validation_is_the_loss(self):
        """One of two copies is held out, and the network stands still: both losses agree."""
        twins = [*self.pictures("twins", "a", "b"), "--validation", "0.5", "--augment", "none", "--learning-rate",
                 "1e-9", "--weight-decay", "0", "--no-head-bn"]
        for method in (["margin"], ["margin", "--by-class", "1"], ["simclr", "--micro-batch", "4"],
                       ["npair"], ["supervised"]):
            name = "-".join(method)
            self.train(*twins, "--method", *method, "--out", self.path(name))
            lines = self.metrics(name)
            self.assertEqual(len(lines), 6)
            for trained, validated in zip(lines[::2], lines[1::2]):
                for key in "loss", "positive_top1", "positive_similarity", "pairs_right":
                    if trained[key] is None:
                        self.assertIsNone(validated["validation_" + key])
                    else:
                        self.assertAlmostEqual(validated["validation_" + key], trained[key], delta=1e-5)

    def test_validation_changes_nothing(self):
        """Parameters, running statistics and queues become what they are without it."""
        one, twins = self.pictures("one", "a"), self.pictures("twins", "a", "b")
        for method in ["moco", "--queue", "64"], ["simsiam"], ["barlow"]:
            same = ["--method", *method, "--tune", "off"] # kernels that one of them finds may round otherwise
            self.train(*twins, *same, "--validation", "0.5", "--out", self.path(method[0]))
            self.train(*one, *same, "--out", self.path("without-" + method[0]))
            files = [self.checkpoint(name + method[0], 3) for name in ("", "without-")]
            with_it, without = (data[8 + struct.unpack("<Q", data[:8])[0]:] for data in files)
            self.assertEqual(with_it, without, method)
            self.assertEqual(len(self.validations(method[0])), 3)

    def test_validation_refused(self):
        self.assertIn("is 1 images, less than a batch of 32",
                      self.train("--limit", "192", "--batch", "32", "--validation", "0.01", "--out",
                                 self.path("a"), code=2).err)
        self.train("--validation", "1", code=2)
        self.train("--limit", "192", "--batch", "128", "--validation", "0.7", "--out", self.path("a"), code=2)
        self.assertEqual(os.listdir(self.folder), [])

    def test_validation_tells_of_bad_images(self):
        photos = self.folder_of_images("red", "green")
        done = self.train("--data", photos, "--batch", "16", "--steps", "2", "--validation", "0.3", "--out",
                          self.path("run"), code=3)
        self.assertIn("1 file was skipped", done.err)
        with open(self.path("run", "skipped.tsv")) as file:
            self.assertEqual(len(file.readlines()), 1)

    def test_one_view_by_class(self):
        for method in "margin", "siamese", "triplet":
            args = ["--limit", "192", "--batch", "32", "--steps", "6", "--epochs", "2", "--log-steps", "1",
                    "--augment", "none", "--method", method, "--views", "1"]
            self.train(*args, "--by-class", "1", "--validation", "0.3", "--out", self.path(method))
            lines = [line for line in self.metrics(method) if "loss" in line]
            self.assertTrue(all(line["loss"] > 0 and 0 <= line["pairs_right"] <= 1 for line in lines))
            self.assertEqual(len(self.validations(method)), 2)
            self.assertIn("takes 2 or more views of an image, not 1", self.train(*args, code=2).err)

    def test_labels_are_needed(self):
        one = os.path.join(self.folder_of_images("one"), "one")
        done = self.train("--method", "supcon", "--data", one, "--batch", "16", code=7)
        self.assertIn("needs labels", done.err)
        self.assertIn("sub-folder per class", done.err)
        self.train(*SMALL, "--method", "supcon", "--stream", "--out", self.path("s"))
        self.train(*SMALL, "--method", "supcon", "--out", self.path("r"))
        self.assertEqual(self.checkpoint("s", 10), self.checkpoint("r", 10))

    def test_supervised(self):
        self.train("--method", "supervised", "--batch", "32", "--epochs", "6", "--augment", "flip", "--limit",
                   "960", "--log-steps", "1", "--out", self.path("run"))
        right = [line["positive_top1"] for line in self.metrics("run")]
        self.assertGreater(sum(right[-10:]), 2 * sum(right[:10]))
        done = self.train("--method", "supervised", "--batch", "64", "--epochs", "2", "--augment", "none", "--limit",
                          "512", "--learning-rate", "1e-30", "--log-steps", "1", "--out", self.path("idle"))
        self.assertIn("stuck at chance", done.err)
        self.assertTrue(0.99 < self.metrics("idle")[-1]["loss_of_chance"] < 1.2)
        losses = [line["loss"] for line in self.metrics("idle")]
        self.assertTrue(all(a != b for a, b in zip(losses[:8], losses[8:])))  # each epoch in an order of its own
        for args, code, words in ((["--augment", "flip | none"], 2, "supervised takes 1 view of an image, not 2"),
                                  (["--label-smoothing", "1.1"], 2, "--label-smoothing"),
                                  (["--data", self.folder_of_images("one")], 7, "of one class only")):
            done = self.train("--method", "supervised", "--batch", "16", *args, code=code)
            self.assertIn(words, done.err)

    def tensors(self, name, step):
        data = self.checkpoint(name, step)
        n, = struct.unpack("<Q", data[:8])
        header = json.loads(data[8:8 + n])
        return {k: data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]
                for k, v in header.items() if k != "__metadata__"}

    def test_starts_from_weights(self):
        self.train(*SMALL, "--out", self.path("pre"))
        few = ["--method", "supervised", "--labels", "4", "--batch", "20", "--epochs", "4"]
        still = ["--encoder-rate", "0"]
        done = self.train(*few, *still, "--init", self.path("pre"), "--out", self.path("still"))
        self.assertIn("taken the encoder, 6 tensors; anew: fc; not used: projection_head", done.err)
        self.assertIn(": 40 images", done.err)
        done = self.train(*few, "--init", self.path("pre"), "--dry-run")
        self.assertRegex(done.out, r"weights +from '.*step-00000010.safetensors': taken the encoder, 6 tensors")
        before, after = self.tensors("pre", 10), self.tensors("still", 8)
        encoder = [k for k in after if k.startswith(("conv", "dense"))]
        self.assertEqual(len(encoder), 6)
        for name in encoder:
            self.assertEqual(after[name], before[name], name)
        file = self.path("still", "checkpoints", "last")
        done = self.train(*few, "--init", file, "--out", self.path("fine"))
        self.assertIn("taken the encoder, fc, 8 tensors\n", done.err)
        state = self.checkpoint("fine", 8)
        self.assertNotEqual(self.tensors("fine", 8)["conv1.weight"], after["conv1.weight"])
        os.rename(file, file + ".gone")
        self.train("--resume", self.path("fine"))  # nothing is taken anew
        self.assertEqual(self.checkpoint("fine", 8), state)
        self.assertIn("fine, resumed", self.train("--resume", self.path("fine"), "--dry-run").out)
        os.rename(file + ".gone", file)
        for name in os.listdir(self.path("fine", "checkpoints")):
            os.remove(self.path("fine", "checkpoints", name))
        self.train("--resume", self.path("fine"))  # killed before the first checkpoint
        self.assertEqual(self.checkpoint("fine", 8), state)
        done = self.train(*SMALL, "--method", "moco", "--queue", "64", *still, "--init", self.path("pre"),
                          "--out", self.path("moco"))
        self.assertIn("taken the encoder, projection_head", done.err)
        after = self.tensors("moco", 10)
        for name in encoder:
            self.assertEqual(after[name], before[name])
            self.assertEqual(after["shadow." + name], before[name])

    def test_encoder_rate(self):
        """A part of the rate is kept by the run, and is not the whole one."""
        self.train(*SMALL, "--out", self.path("one"))
        self.train(*SMALL, "--encoder-rate", "0.25", "--out", self.path("slow"))
        with open(self.path("slow", "config.toml")) as file:
            self.assertIn("encoder-rate = 0.25\n", file.read())
        state = self.checkpoint("slow", 10)
        self.assertNotEqual(self.tensors("slow", 10)["conv1.weight"], self.tensors("one", 10)["conv1.weight"])
        os.remove(self.path("slow", "checkpoints", "step-00000010.safetensors"))
        self.train("--resume", self.path("slow"))
        self.assertEqual(self.checkpoint("slow", 10), state)

    def test_starts_from_one_file(self):
        """That which is chosen, past a damaged one, stands in the configuration."""
        self.train(*SMALL, "--out", self.path("pre"))
        os.truncate(self.path("pre", "checkpoints", "last"), 1000)
        done = self.train(*SMALL, "--init", self.path("pre"), "--out", self.path("run"))
        self.assertEqual(done.err.count("passing over a checkpoint"), 1)
        with open(self.path("run", "config.toml")) as file:
            self.assertIn('init = "%s"' % self.path("pre", "checkpoints", "step-00000006.safetensors"), file.read())

    def test_starts_from_what_fits(self):
        self.train(*SMALL, "--out", self.path("pre"))
        open(self.path("bad"), "w").close()
        for args, code, words in (
                (["--init", self.path("pre"), "--encoder", "resnet18"], 8, "holds the encoder cnn, not resnet18"),
                (["--init", self.path("pre"), "--width", "2"], 8, "is F32 of 32 x 3 x 3 x 3; the encoder's is F32 of 64"),
                (["--init", self.path("pre"), "--image-size", "24"], 8, "'dense.weight'"),
                (["--init", self.path("pre"), "--channels", "1", "--augment", "flip"], 8, "the encoder's is F32 of 32 x 1 x 3 x 3"),
                (["--init", self.path("nothing")], 8, "nothing"),
                (["--encoder-rate", "0", "--head-layers", "0"], 2, "there is nothing else to learn"),
                (["--init", self.path("bad")], 8, "bad"),
                (["--labels", "1%"], 2, "the method simclr uses no labels"),
                (["--labels", "0"], 2, "--labels: '0' is no number")):
            done = self.train(*SMALL, *args, "--out", self.path("run"), code=code)
            self.assertIn(words, done.err)
            self.assertNotIn("building kernels", done.err)
            self.assertFalse(os.path.exists(self.path("run")))

    def test_own_classifier(self):
        args = ["--method", "supervised", "--batch", "50", "--augment", "none", "--image-size", "16"]
        self.train(*args, "--labels", "20", "--epochs", "60", "--out", self.path("run"))
        done = run("eval", self.path("run"), "--limit", "300", "--no-probe", "--no-baselines", "--json")
        own = json.loads(done.out)["classifier"]
        self.assertEqual(own["images"], 200)
        self.assertGreater(own["accuracy"], 0.2)
        text = run("eval", self.path("run"), "--limit", "300", "--no-probe", "--no-baselines").out
        self.assertIn("own classifier          %15.2f %%" % (100 * own["accuracy"]), text)
        self.assertIn("its encoder on 200 images with labels", " ".join(text.split()))
        twice = [self.path("run")] * 2
        done = run("eval", *twice, "--limit", "300", "--no-probe", "--no-baselines", "--json")
        self.assertEqual(json.loads(done.out)["mean"]["classifier"], {**own, "deviation": 0})
        other = ["--data", self.folder_of_images("red", "green", "blue"), "--no-probe", "--no-baselines"]
        done = run("eval", self.path("run"), *other, "--json")
        self.assertNotIn("classifier", json.loads(done.out))
        self.assertIn("tells other classes apart", done.err)

    def test_labels_of_the_test_are_not_seen(self):
        data = self.folder_of_images("red", "green", "blue")
        args = ["--data", data, "--batch", "16", "--epochs", "1"]
        os.remove(os.path.join(data, "red", "bad.jpg"))
        self.train(*args, "--out", self.path("blind"))
        done = self.train(*args, "--method", "supervised", "--out", self.path("seeing"))
        self.assertIn("left out for `clcontrast eval`", done.err)
        seen = {}
        for name in "blind", "seeing":
            with open(self.path(name, "train.log")) as file:
                seen[name] = int(re.search(r"photos: (\d+) images", file.read()).group(1))
            result = json.loads(run("eval", self.path(name), "--no-probe", "--json").out)
            self.assertEqual(seen[name], result["train"] + (name == "blind") * result["test"])


if __name__ == "__main__":
    unittest.main()
