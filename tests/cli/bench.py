#!/usr/bin/env python3
"""`clcontrast bench` as a person and a script meet it: bench.py PROGRAM. Small cases, few timings: what is
tested is that numbers are there and agree with each other, not what they are."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PROGRAM = os.path.abspath(sys.argv.pop(1))
TINY = ("--batch", "2", "--repeat", "3")


class Bench(unittest.TestCase):
    def bench(self, *args, code=0):
        done = subprocess.run([PROGRAM, "bench", *args], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=600)
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def test_list(self):
        names = self.bench("--list").out.split()
        self.assertEqual(len(names), len(set(names)))
        for name in ("conv2d/64x32/fwd", "conv2d/64x32/dx", "conv2d/64x32/dw", "gemm/1024/tiles",
                     "ntxent/32768/bwd", "step/cnn", "step/resnet18"):
            self.assertIn(name, names)
        some = self.bench("--list", "conv2d/64x32", "augment/32").out.split()
        self.assertEqual(some, ["conv2d/64x32/fwd", "conv2d/64x32/dx", "conv2d/64x32/dw", "augment/32"])
        rows = json.loads(self.bench("--list", "--json", "conv2d/stem").out)["rows"]
        self.assertEqual([row["pass"] for row in rows], ["fwd", "dw"])
        self.assertEqual(rows[0]["shape"]["C"], 3)

    def test_an_op_as_json(self):
        done = json.loads(self.bench("conv2d/cnn1", "--json", *TINY).out)
        self.assertEqual(done["schema"], 1)
        self.assertTrue(done["device"] and done["driver"] and done["version"])
        self.assertGreater(done["peaks"]["flops_per_s"], 0)
        bandwidth = max(done["peaks"]["read_bytes_per_s"], done["peaks"]["update_bytes_per_s"])
        self.assertEqual([row["name"] for row in done["rows"]],
                         ["conv2d/cnn1/fwd", "conv2d/cnn1/dw"])
        for row in done["rows"]:
            self.assertEqual(row["samples"], 3)
            self.assertEqual(row["shape"]["N"], 2)
            self.assertLessEqual(row["min_s"], row["median_s"])
            self.assertLessEqual(row["median_s"], row["max_s"])
            # one launch or more, whose floors add up to no less than the floor of the sums
            self.assertGreaterEqual(row["floor_s"] * 1.000001, row["work"] / done["peaks"]["flops_per_s"])
            self.assertGreaterEqual(row["floor_s"] * 1.000001, row["bytes"] / bandwidth)
        # 2 images x 30 x 30 x 32 filters x 27 multiply-adds; a kernel of its own that pools counts itself
        conv = 2 * 2 * 30 * 30 * 32 * 27
        self.assertIn(done["rows"][0]["flops"], (conv, conv + 2 * 30 * 30 * 32))

    def test_variants_are_forced(self):
        row = json.loads(self.bench("conv2d/cnn1/fwd", "--json", "--no-peaks", "--kernel",
                                    "conv2d=general", *TINY).out)["rows"][0]
        self.assertEqual(row["kernels_chosen"], "conv2d=general")
        self.assertEqual(row["floor_s"], 0)

    def test_a_step(self):
        done = self.bench("step", "--encoder", "cnn", "--json", *TINY)
        row, = json.loads(done.out)["rows"]
        self.assertEqual(row["shape"], {"encoder": "cnn", "pairs": 2, "image_size": 32})
        self.assertGreater(row["views_per_s"], 0)
        self.assertGreater(row["launches"], 20)
        self.assertLess(row["arena_bytes"], row["device_bytes"])
        kernels = {kernel["name"]: kernel for kernel in row["kernels"]}
        self.assertIn("adamw_update", kernels)
        self.assertTrue(all(kernel["runs"] % 3 == 0 for kernel in row["kernels"]))
        table = self.bench("step", "--encoder", "cnn", *TINY).out
        self.assertIn("views/s", table)
        self.assertIn("of floor", table)

    def test_precision(self):
        cases = ("batch_norm/512x4", "conv2d/stride2/dx", "--no-peaks", "--json", *TINY)
        full = json.loads(self.bench(*cases).out)
        half = json.loads(self.bench(*cases, "--precision", "bf16").out)
        self.assertEqual((full["precision"], half["precision"]), ("fp32", "bf16"))
        self.assertEqual(full["math"], "fp32")
        for was, now in zip(full["rows"], half["rows"], strict=True):
            self.assertEqual(was["flops"], now["flops"])
            self.assertEqual(was["launches"], now["launches"])  # conversions are not timed
            self.assertLess(now["bytes"], was["bytes"])
        step, = json.loads(self.bench("step", "--encoder", "cnn", "--precision", "fp16", "--no-peaks",
                                      "--json", *TINY).out)["rows"]
        self.assertIn("loss_scale_look", {kernel["name"] for kernel in step["kernels"]})
        self.assertIn("fp8", self.bench("step", "--precision", "fp8", code=2).err)

    def test_roofline(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "roof.svg")
            self.bench("conv2d/cnn1", "pool/global", "--svg", path, *TINY)
            with open(path) as file:
                text = file.read()
            xml.etree.ElementTree.fromstring(text)
            for name in ("conv2d/cnn1/fwd", "pool/global/bwd", "GB/s"):
                self.assertIn(name, text)
            self.assertEqual(text.count("<circle"), 4)

    def test_wrong_words(self):
        done = self.bench("conv2f", code=2)
        self.assertEqual(done.err, "error: there is nothing to time named 'conv2f'\n"
                                   "hint: did you mean 'conv2d'?\n")
        done = self.bench("step", "--encoder", "resnet81", code=2)
        self.assertIn("error: there is no encoder 'resnet81'\nhint: did you mean 'resnet", done.err)
        self.assertIn("nothing timed uses such an op",
                      self.bench("augment/32", "--kernel", "conv2d=direct", *TINY, code=2).err)
        self.assertIn("has no such variant",
                      self.bench("conv2d/cnn1", "--kernel", "conv2d=best", *TINY, code=2).err)
        self.assertIn("--no-peaks", self.bench("--no-peaks", "--svg", "x.svg", code=2).err)


unittest.main()
