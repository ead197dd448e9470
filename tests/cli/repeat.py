#!/usr/bin/env python3
"""The same seed gives the same bytes whatever the kernels: repeat.py PROGRAM. Whole steps (batch,
augmentation, network, loss, gradients, optimiser) with those of each family and with chosen ones."""
import json
import unittest

from cli import run
from runs import Runs

SHORT = ("--limit", "8", "--batch", "4", "--image-size", "16", "--steps", "2", "--tune", "off")
UNITS = "+family_gpu,+mma_emulated"
KERNELS = {
    "chosen": ("--kernel", "augment=group,conv2d=winograd:16,32,conv2d_bwd_dx=direct,conv2d_bwd_dw=direct,"
                           "dense=blas,dense_bwd=blas"),
    "halves": ("--precision", "bf16", "--kernel", "conv2d=general,conv2d_bwd_dx=general,conv2d_bwd_dw=general"),
    "groups": ("--quirk", "+family_gpu"),
    "tf32": ("--quirk", UNITS, "--math", "tf32"),
    "bf16": ("--quirk", UNITS, "--precision", "bf16"),
}


class Repeat(Runs):
    def test_same_seed_same_bytes(self):
        seen = set()
        found = json.loads(run("devices", "--no-probe", "--json").out)["devices"]
        if any(device["family"] != "cpu" for device in found):
            del KERNELS["chosen"]  # those are for CPUs alone
        for name, options in KERNELS.items():
            with self.subTest(name):
                for out in name, name + "-again":
                    self.train(*SHORT, *options, "--out", self.path(out))
                self.assertEqual(self.checkpoint(name, 2), self.checkpoint(name + "-again", 2))
                self.assertEqual(self.metrics(name), self.metrics(name + "-again"))
                self.assertNotIn(self.checkpoint(name, 2), seen)  # these are other kernels
                seen.add(self.checkpoint(name, 2))


if __name__ == "__main__":
    unittest.main()
