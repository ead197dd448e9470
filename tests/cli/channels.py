#!/usr/bin/env python3
"""Images that are not RGB of 8 bits, from files to scores: channels.py PROGRAM."""
import json
import os
import struct
import unittest
import zlib

from cli import run
from folders import Folder

SIDE = 16
COLOUR = {1: 0, 2: 4, 3: 2, 4: 6} # of PNG, by the number of channels
FEW = ["--batch", "16", "--epochs", "2", "--steps", "3", "--log-steps", "1"]


def png(path, channels, bits, value):
    """value(y, x, c) from 0 to 1."""
    full = (1 << bits) - 1
    rows = b""
    for y in range(SIDE):
        rows += b"\0" + b"".join(round(full * value(y, x, c)).to_bytes(bits // 8, "big")
                                 for x in range(SIDE) for c in range(channels))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        head = struct.pack(">IIBBBBB", SIDE, SIDE, bits, COLOUR[channels], 0, 0, 0)
        for kind, body in ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(body)) + kind + body)
            file.write(struct.pack(">I", zlib.crc32(kind + body)))


def tiff(path, channels, bits, value):
    """The channels in planes, not compressed, little-endian."""
    full = (1 << bits) - 1
    planes = [b"".join(round(full * value(y, x, c)).to_bytes(bits // 8, "little")
                       for y in range(SIDE) for x in range(SIDE)) for c in range(channels)]
    places = 8 + 2 + 10 * 12 + 4
    fields = [(256, 3, 1, SIDE), (257, 3, 1, SIDE), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1),
              (273, 4, channels, places), (277, 3, 1, channels), (278, 3, 1, SIDE),
              (279, 4, channels, places + 4 * channels), (284, 3, 1, 2)]
    with open(path, "wb") as file:
        file.write(b"II*\0" + struct.pack("<IH", 8, len(fields)))
        for field in fields:
            file.write(struct.pack("<HHII", *field))
        file.write(bytes(4))
        first, each = places + 8 * channels, len(planes[0])
        file.write(struct.pack("<%dI" % channels, *(first + each * c for c in range(channels))))
        file.write(struct.pack("<%dI" % channels, *[each] * channels))
        file.write(b"".join(planes))


class Channels(Folder):
    def images(self, channels, bits, name="data", write=png):
        """Two classes, which the left half of the last channel tells apart, if 16 bits can, by less than
        1/255."""
        for k, kind in enumerate("ab"):
            os.makedirs(self.path(name, kind))
            for i in range(20):
                def value(y, x, c):
                    if c < channels - 1:
                        return (i * 37 + y * 11 + x * 7 + c * 50) % 97 / 96
                    return 0.5 + (0.001 if bits == 16 else 0.1) * k * (x < SIDE // 2)
                write(self.path(name, kind, "%02d.%s" % (i, write.__name__)), channels, bits, value)
        return self.path(name)

    def done(self, code, *args):
        done = run(*args)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def weights(self, name):
        with open(self.path(name, "checkpoints", "step-00000003.safetensors"), "rb") as file:
            return file.read()

    def pixels(self, name):
        """Accuracy of the linear probe on raw pixels."""
        done = self.done(0, "eval", self.path(name), "--knn", "none", "--probe", "ridge", "--json")
        return json.loads(done.out)["pixels"]["scores"][0]["accuracy"]

    def test_four_of_16_bits(self):
        data = self.images(4, 16)
        done = self.done(0, "train", "--data", data, "--channels", "4", *FEW, "--out", self.path("run"))
        self.assertIn("with 4 channels of 16 bits", done.err)
        self.done(0, "train", "--data", data, "--channels", "4", *FEW, "--stream", "--out", self.path("streamed"))
        self.assertEqual(self.weights("run").count(b'"channels":"4"'), 1)
        self.assertEqual(self.weights("run").count(b'"bits":"16"'), 1)
        self.assertEqual(self.weights("run"), self.weights("streamed"))
        self.assertEqual(self.pixels("run"), 1)
        self.done(0, "train", "--data", data, "--channels", "4", "--bits", "8", *FEW, "--out", self.path("eight"))
        self.assertLess(self.pixels("eight"), 1) # what told the classes apart is lost

    def test_another_number_of_channels(self):
        self.images(4, 8)
        rgb = self.images(3, 8, "rgb")
        args = ["train", *FEW, "--data"]
        self.done(0, *args, self.path("data"), "--channels", "4", "--out", self.path("run"))
        done = self.done(7, "eval", self.path("run"), "--data", rgb)
        self.assertIn("have 3 channels, which cannot become 4", done.err)
        done = self.done(2, *args, self.path("data"), "--channels", "4", "--augment", "small",
                         "--out", self.path("other"))
        self.assertIn("jitter needs images of 3 channels, red, green and blue; these have 4", done.err)
        self.assertIn("jitter(0.4,0.4,0,0)", done.err)
        self.assertIn("have 3 channels", self.done(7, *args, rgb, "--channels", "2").err)
        self.done(2, *args, rgb, "--channels", "17")
        self.done(2, *args, rgb, "--bits", "12")
        # A stranger among them is skipped and told of.
        os.rename(self.path("rgb", "b", "00.png"), self.path("data", "b", "zz.png"))
        self.done(3, *args, self.path("data"), "--channels", "4", "--out", self.path("third"))
        with open(self.path("third", "skipped.tsv")) as file:
            self.assertIn('"b/zz.png"\t3 channels, where the data set has 4', file.read())

    def test_five_in_tiff(self):
        data = self.images(5, 16, write=tiff)
        args = ["train", *FEW, "--data", data, "--out"]
        with open(self.path("data", "a", "00.tiff"), "rb") as file:
            whole = file.read()
        with open(self.path("data", "a", "short.tiff"), "wb") as file:
            file.write(whole[:-1])
        done = run(*args, self.path("run"))
        if "built without libtiff" in done.err:
            self.skipTest("no libtiff")
        self.assertEqual(done.returncode, 3, done.err)
        self.assertIn("with 5 channels of 16 bits", done.err)
        with open(self.path("run", "skipped.tsv")) as file:
            self.assertIn('"a/short.tiff"\tTIFF: ', file.read())
        os.remove(self.path("data", "a", "short.tiff"))
        self.assertEqual(self.pixels("run"), 1)

    def test_grey(self):
        data = self.images(1, 8)
        done = self.done(0, "train", "--data", data, "--channels", "1", *FEW, "--out", self.path("grey"))
        self.assertIn("with 1 channel of 8 bits", done.err)
        done = self.done(0, "eval", self.path("grey"), "--knn", "1", "--probe", "none")
        # The classes differ in their only channel.
        self.assertRegex(done.out, r"kNN k=1 .*100\.00 %\n")
        done = self.done(0, "train", "--data", data, *FEW, "--out", self.path("rgb"))
        self.assertNotIn("channel", done.err) # RGB is what photographs are
        self.done(0, "augment", data, "--channels", "1", "--views", "2", "-o", self.path("views.png"))


if __name__ == "__main__":
    unittest.main(verbosity=1)
