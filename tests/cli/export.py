#!/usr/bin/env python3
"""`clcontrast export` and `info`: export.py PROGRAM [TEST ...]. The files as others read them: by their layout
always, by the compiler, and by ONNX Runtime, NumPy and safetensors of PyPI where this Python has them."""
import json
import math
import os
import shutil
import struct
import subprocess
import unittest
import zipfile

from cli import run
from runs import Runs

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


class Exports(Runs):
    @classmethod
    def setUpClass(cls):
        """A cnn of two steps serves all tests, and images with its features of them."""
        cls.made = Runs()
        cls.made.setUp()
        cls.root = cls.made.folder.name
        os.makedirs(os.path.join(cls.root, "images"))
        cls.pixels = [bytes((x * (i + 3) + y * (i + 1) + c * 80 + x * y) % 256 for y in range(SIDE)
                            for x in range(SIDE) for c in range(3)) for i in range(8)]
        for i, pixels in enumerate(cls.pixels):
            with open(os.path.join(cls.root, "images", "%d.ppm" % i), "wb") as file:
                file.write(b"P6 %d %d 255\n" % (SIDE, SIDE) + pixels)
        done = run("train", "--data", cls.at("images"), "--batch", "8", "--steps", "2", "--out", cls.at("run"))
        cls.no_device = done.returncode == 4
        assert done.returncode in (0, 4), done.err

    @classmethod
    def tearDownClass(cls):
        cls.made.doCleanups()

    @classmethod
    def at(cls, *names):
        return os.path.join(cls.root, *names)

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

    def test_safetensors(self):
        """The encoder as the checkpoint has it, without optimizer; embed takes it as it takes the run."""
        out = self.path("m.safetensors")
        self.assertIn("cnn, 32 x 32 x 3 -> 64 features", self.export(self.at("run"), "-o", out).err)
        tensors, meta = read_safetensors(out)
        whole, _ = read_safetensors(self.at("run", "checkpoints", "last"))
        names = {layer + "." + part for layer in ("conv1", "conv2", "dense") for part in ("weight", "bias")}
        self.assertEqual(set(tensors), names)
        self.assertTrue(all(tensors[name] == whole[name] for name in names))
        want = {"format": "pt", "encoder": "cnn", "image_size": "32", "features": "64", "mean": "0,0,0", "std": "1,1,1"}
        self.assertEqual(want, {key: meta[key] for key in want})
        self.assertEqual(self.features(out), self.features(self.at("run")))
        self.export(self.at("run", "checkpoints", "last"), "-o", self.path("n.safetensors"), "--heads")
        heads, _ = read_safetensors(self.path("n.safetensors"))
        self.assertEqual(heads, {name: whole[name] for name in whole if not name.startswith("optimizer.")})
        self.assertIn("projection_head.0.weight", heads)
        if optional("safetensors.numpy"):
            read = optional("safetensors.numpy").load_file(out)
            self.assertEqual({name: array.tobytes() for name, array in read.items()},
                             {name: data for name, (_, _, data) in tensors.items()})

    def test_npz(self):
        out = self.path("m.npz")
        self.export(self.at("run"), "-o", out)
        self.export(self.at("run"), "-o", self.path("m.safetensors"))
        tensors, _ = read_safetensors(self.path("m.safetensors"))
        with zipfile.ZipFile(out) as archive:
            self.assertIsNone(archive.testzip())
            self.assertTrue(all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist()))
            arrays = {name[:-4]: read_npy(archive.read(name)) for name in archive.namelist()}
        kind, shape, text = arrays.pop("metadata")
        self.assertEqual((kind, shape), ("<U%d" % (len(text) // 4), ()))
        self.assertEqual(json.loads(text.decode("utf-32-le"))["encoder"], "cnn")
        self.assertEqual(arrays, {name: ("<f4", tuple(shape), data) for name, (_, shape, data) in tensors.items()})
        if optional("numpy"):
            self.assertEqual(optional("numpy").load(out)["conv1.weight"].shape, (32, 3, 3, 3))

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

    def test_c(self):
        for got, want in zip(self.c_features(self.at("run")), self.features(self.at("run"))):
            self.assert_close(got, want)
        unit = self.c_features(self.at("run"), "--normalize")
        for got, want in zip(unit, self.features(self.at("run"), "--normalize")):
            self.assert_close(got, want)
            self.assertAlmostEqual(sum(v * v for v in got), 1, delta=1e-5)

    def test_onnx(self):
        """The message by its fields; then ONNX Runtime, where it is there."""
        out = self.path("m.onnx")
        self.export(self.at("run"), "-o", out, "--normalize")
        with open(out, "rb") as file:
            model = file.read()
        self.assertEqual((one(model, 1), one(model, 2)), (8, b"clcontrast"))
        self.assertEqual(one(one(model, 8), 2), 13)
        meta = {one(pair, 1): one(pair, 2) for pair in many(model, 14)}
        self.assertEqual((meta[b"encoder"], meta[b"image_size"]), (b"cnn", b"32"))
        graph = one(model, 7)
        nodes = [(one(node, 4).decode(), many(node, 1), many(node, 2)) for node in many(graph, 1)]
        self.assertEqual([op for op, _, _ in nodes], ["Conv", "Relu", "MaxPool", "Conv", "Relu", "MaxPool", "Flatten",
                                                      "Gemm", "ReduceSumSquare", "Add", "Sqrt", "Div"])
        tensors = {one(t, 8): (many(t, 1), one(t, 2), one(t, 9)) for t in many(graph, 5)}
        known = {b"image", *tensors}
        for _, inputs, outputs in nodes:  # each reads what is there before it
            self.assertLessEqual(set(inputs), known)
            known |= set(outputs)
        for number, name, shape in (11, b"image", [b"batch", 3, 32, 32]), (12, b"features", [b"batch", 64]):
            value = one(graph, number)
            dims = many(one(one(one(value, 2), 1), 2), 1)
            self.assertEqual((one(value, 1), [fields(dim)[0][1] for dim in dims]), (name, shape))
        for dims, kind, data in tensors.values():
            self.assertEqual((kind, len(data)), (1, 4 * math.prod(dims)))
        weights, _ = read_safetensors(self.at("run", "checkpoints", "last"))
        self.assertEqual(tensors[b"conv1.weight"][2], weights["conv1.weight"][2])
        runtime, numpy = optional("onnxruntime"), optional("numpy")
        if not runtime:
            self.skipTest("no onnxruntime in this Python: the model was not run")
        session = runtime.InferenceSession(out)
        for n in 1, len(self.pixels):
            image = numpy.frombuffer(b"".join(self.pixels[:n]), "u1").reshape(n, SIDE, SIDE, 3)
            got, = session.run(None, {"image": image.transpose(0, 3, 1, 2).astype("f4") / 255})
            for row, want in zip(got, self.features(self.at("run"), "--normalize")):
                self.assert_close(row, want)

    def test_refusals(self):
        model = self.at("run")
        for args, code, word in (((model,), 2, "needs --out"), ((model, "-o", "x.tflite"), 2, "--format"),
                                 (("/nonexistent", "-o", self.path("x.c")), 8, "/nonexistent"),
                                 ((model, "-o", "/nonexistent/x.c"), 10, "/nonexistent/x.c"),
                                 ((model, "-o", "/nonexistent/x.npz"), 10, "/nonexistent/x.npz"),
                                 ((model, "-o", self.path("x.c"), "--image-size", "64"), 2, "32"),
                                 ((model, "-o", self.path("x.c"), "--heads"), 2, "heads"),
                                 ((model, "-o", self.path("x.npz"), "--normalize"), 2, "npz")):
            self.assertIn(word, self.export(*args, code=code).err)
        self.assertEqual(os.listdir(self.folder.name), [])
        with open(self.path("there.c"), "w") as file:
            file.write("mine")
        self.assertIn("--overwrite", self.export(model, "-o", self.path("there.c"), code=2).err)
        self.assertEqual(os.path.getsize(self.path("there.c")), 4)

    def test_info(self):
        run_told = self.told(self.at("run"))
        want = {"kind": "run", "encoder": "cnn", "step": 2, "method": "simclr", "image_size": 32}
        self.assertEqual(want, {key: run_told[key] for key in want})
        self.assertGreater(run_told["optimizer_values"], run_told["weights"])
        self.assertEqual(self.told(self.at("run", "checkpoints", "last"))["checksum"], "good")
        self.assertEqual(self.told(self.at("run", "config.toml"))["encoder"], '"cnn"')
        kinds = {"safetensors": "model", "onnx": "onnx", "npz": "npz"}
        for ending, kind in kinds.items():
            out = self.path("m." + ending)
            self.export(self.at("run"), "-o", out)
            told = self.told(out, "--tensors")
            self.assertEqual((told["kind"], told["bytes"]), (kind, os.path.getsize(out)))
            entry, = [entry for entry in told["list"] if entry["name"].startswith("conv1.weight")]
            self.assertEqual(entry["shape"], [32, 3, 3, 3])
            if kind != "npz":
                self.assertEqual((told["weights"], told["encoder"]), (166912, "cnn"))
            with open(out, "rb") as file:
                data = file.read()
            for cut in range(len(data) // 9, len(data) - 1, len(data) // 9):
                with open(self.path("cut"), "wb") as file:
                    file.write(data[:cut])
                self.assertIn("cut'", self.info(self.path("cut"), code=7 if kind == "npz" else 8).err)
        self.features(self.at("run"))
        told = self.told(self.path("features.npy"))
        self.assertEqual((told["kind"], told["type"], told["shape"]), ("npy", "<f4", "8 x 64"))
        with open(self.path("features.npy"), "ab") as file:
            file.write(b"more")
        self.assertIn("2052 bytes", self.info(self.path("features.npy"), code=7).err)
        told = self.told(self.at("images"))
        self.assertEqual((told["kind"], told["images"], told["image_size"]), ("data", 8, 32))
        told = self.told(self.at("images", "1.ppm"))
        self.assertEqual((told["kind"], told["dimensions"], told["channels"]), ("image", "32 x 32", 3))

    def test_info_refusals(self):
        for name, data, code, word in (("empty", b"", 7, "empty"), ("html", b"<html>=</html>", 7, "nothing"),
                                       ("pickle", b"\x80\x02\x8a\nl\xfc\x9cF\xf9", 8, "torch.load"),
                                       ("jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF", 7, "jpeg")):
            with open(self.path(name), "wb") as file:
                file.write(data)
            self.assertIn(word, self.info(self.path(name), code=code).err)
        with zipfile.ZipFile(self.path("torch.pt"), "w") as archive:
            archive.writestr("archive/data.pkl", "x")
        self.assertIn("save_file", self.info(self.path("torch.pt"), code=8).err)
        self.assertIn("save_file", self.export(self.path("torch.pt"), "-o", self.path("x.c"), code=8).err)
        self.info("/dev/null", code=10)
        done = self.info(self.path("none"), self.at("images"), code=10)
        self.assertIn("\"kind\"", self.info(self.path("none"), self.at("images"), "--json", code=10).out)
        self.assertIn("none", done.err)


if __name__ == "__main__":
    unittest.main()
