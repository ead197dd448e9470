"""What tests of models have in common: images and their features by `embed`, by exported C and by ONNX Runtime;
readers of safetensors, .npy and protobuf."""
import json
import os
import shutil
import struct
import subprocess
import unittest

from cli import run
from runs import Shared

SIDE = 32


def optional(name):
    """A module of PyPI, or None."""
    try:
        return __import__(name, fromlist=["*"])
    except ImportError:
        return None


def read_safetensors(path):
    """{name: (dtype, shape, bytes)}, metadata."""
    with open(path, "rb") as file:
        data = file.read()
    size = struct.unpack("<Q", data[:8])[0]
    head, body = json.loads(data[8:8 + size]), data[8 + size:]
    meta = head.pop("__metadata__", {})
    return {name: (e["dtype"], e["shape"], body[slice(*e["data_offsets"])]) for name, e in head.items()}, meta


def read_npy(data):
    """Type, shape, bytes of values."""
    assert data[:8] == b"\x93NUMPY\x01\x00" and (10 + struct.unpack("<H", data[8:10])[0]) % 64 == 0
    at = 10 + struct.unpack("<H", data[8:10])[0]
    head = eval(data[10:at])  # a dictionary of literals
    assert not head["fortran_order"]
    return head["descr"], head["shape"], data[at:]


def fields(data):
    """The fields of a protobuf message: (number, value), numbers as int, the rest as bytes."""
    at, found = 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
            continue
        size = {1: 8, 5: 4}.get(key & 7) or varint()
        assert key & 7 in (1, 2, 5) and at + size <= len(data), key
        found.append((key >> 3, data[at:at + size]))
        at += size
    return found


def many(message, number):
    return [value for at, value in fields(message) if at == number]


def one(message, number):
    value, = many(message, number)
    return value


class Models(Shared):
    """Each class has a folder with images for all of its tests, and each test one of its own."""

    @classmethod
    def setUpClass(cls):
        if cls is Models:
            raise unittest.SkipTest("the base of others")
        super().setUpClass()
        os.makedirs(cls.at("images"))
        cls.pixels = [bytes((x * (i + 3) + y * (i + 1) + c * 80 + x * y) % 256 for y in range(SIDE)
                            for x in range(SIDE) for c in range(3)) for i in range(8)]
        for i, pixels in enumerate(cls.pixels):
            with open(cls.at("images", "%d.ppm" % i), "wb") as file:
                file.write(b"P6 %d %d 255\n" % (SIDE, SIDE) + pixels)
        cls.no_device = False

    def setUp(self):
        super().setUp()
        if self.no_device and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")

    def export(self, *args, code=0):
        done = run("export", *args)
        self.assertEqual(done.returncode, code, done.err)
        return done

    def info(self, *args, code=0):
        done = run("info", *args)
        self.assertEqual(done.returncode, code, done.err)
        return done

    def told(self, path, *args):
        return json.loads(self.info(path, "--json", *args).out)

    def features(self, model, *args):
        """Rows that `embed` makes of the images."""
        out = self.path("features.npy")
        done = run("embed", model, "--data", self.at("images"), "-o", out, "--overwrite", *args)
        self.assertEqual(done.returncode, 0, done.err)
        with open(out, "rb") as file:
            kind, (n, dim), body = read_npy(file.read())
        self.assertEqual((kind, n), ("<f4", len(self.pixels)))
        return [struct.unpack_from("<%df" % dim, body, 4 * dim * i) for i in range(n)]

    def assert_close(self, got, want):
        """Within 1e-5 of the largest."""
        largest = max(abs(v) for v in want)
        self.assertEqual(len(got), len(want))
        self.assertLess(max(abs(a - b) for a, b in zip(got, want)), 1e-5 * largest)

    def c_features(self, model, *args):
        """Rows that the exported C file's program prints."""
        compiler = os.environ.get("CC", "cc").split()
        if not shutil.which(compiler[0]):
            self.skipTest("no C compiler")
        self.export(model, "-o", self.path("my-net.c"), "--overwrite", *args)
        subprocess.run([*compiler, "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O2", "-DMY_NET_MAIN",
                        self.path("my-net.c"), "-o", self.path("net"), "-lm"], check=True)
        rows = []
        for pixels in self.pixels:
            done = subprocess.run([self.path("net")], input=pixels, capture_output=True, check=True)
            rows.append([float(line) for line in done.stdout.split()])
        short = subprocess.run([self.path("net")], input=pixels[:100], capture_output=True)
        self.assertEqual((short.returncode, short.stderr), (1, b"100 bytes, not 3072\n"))
        return rows

    def onnx_features(self, path, n):
        """Rows for the first n images, or None without ONNX Runtime."""
        runtime, numpy = optional("onnxruntime"), optional("numpy")
        if not runtime:
            return None
        image = numpy.frombuffer(b"".join(self.pixels[:n]), "u1").reshape(n, SIDE, SIDE, 3)
        image = image.transpose(0, 3, 1, 2).astype("f4") / 255
        return runtime.InferenceSession(path).run(None, {"image": image})[0]
