#!/usr/bin/env python3
"""`clcontrast export` and `info`: export.py PROGRAM [TEST ...]. The files as others read them: by their layout
always, by the compiler, and by ONNX Runtime, NumPy and safetensors of PyPI where this Python has them."""
import json
import math
import os
import resource
import unittest
import zipfile

from cli import run
from models import Models, fields, many, one, optional, read_npy, read_safetensors


class Exports(Models):
    @classmethod
    def setUpClass(cls):
        """A cnn of two steps serves all tests."""
        super().setUpClass()
        done = run("train", "--data", cls.at("images"), "--batch", "8", "--steps", "2", "--out", cls.at("run"))
        cls.no_device = done.returncode == 4
        assert done.returncode in (0, 4), done.err

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
        for n in 1, len(self.pixels):
            rows = self.onnx_features(out, n)
            if rows is None:
                self.skipTest("no onnxruntime in this Python: the model was not run")
            for row, want in zip(rows, self.features(self.at("run"), "--normalize")):
                self.assert_close(row, want)

    def test_refusals(self):
        model = self.at("run")
        for args, code, word in (((model,), 2, "no --out"), ((model, "-o", "x.tflite"), 2, "--format"),
                                 (("/nonexistent", "-o", self.path("x.c")), 8, "/nonexistent"),
                                 ((model, "-o", "/nonexistent/x.c"), 10, "/nonexistent/x.c"),
                                 ((model, "-o", "/nonexistent/x.npz"), 10, "/nonexistent/x.npz"),
                                 ((model, "-o", self.path("x.c"), "--image-size", "64"), 2, "32"),
                                 ((model, "-o", self.path("x.c"), "--heads"), 2, "heads"),
                                 ((model, "-o", self.path("x.npz"), "--normalize"), 2, "npz")):
            self.assertIn(word, self.export(*args, code=code).err)
        self.assertEqual(os.listdir(self.folder), [])
        with open(self.path("there.c"), "w") as file:
            file.write("mine")
        self.assertIn("--overwrite", self.export(model, "-o", self.path("there.c"), code=2).err)
        self.assertEqual(os.path.getsize(self.path("there.c")), 4)

    def test_full_disk(self):
        """A file that cannot be finished is not there, and the one before it still is."""
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        for ending in ("safetensors", "npz", "onnx", "c"):
            out = self.path("m." + ending)
            with open(out, "w") as file:
                file.write("mine")
            done = run("export", self.at("run"), "-o", out, "--overwrite", preexec_fn=limit)
            self.assertEqual(done.returncode, 10, done.err)
            self.assertIn("error: cannot write '%s': File too large" % out, done.err)
            self.assertEqual(os.listdir(self.folder), ["m." + ending])
            self.assertEqual(os.path.getsize(out), 4)
            os.remove(out)

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
        head = ("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 100), }".ljust(117) + "\n").encode()
        with open(self.path("large.npy"), "wb") as file:  # of which only the head is read
            file.write(b"\x93NUMPY\1\0v\0" + head)
            file.truncate(128 + 400000000)
        self.assertEqual(self.told(self.path("large.npy"))["shape"], "1000000 x 100")
        with open(self.path("features.npy"), "ab") as file:
            file.write(b"more")
        self.assertIn("2052 bytes", self.info(self.path("features.npy"), code=7).err)
        told = self.told(self.at("images"))
        self.assertEqual((told["kind"], told["images"], told["image_size"]), ("data", 8, 32))
        self.assertEqual(run("pack", self.at("images"), "-o", self.path("set.ctrd")).returncode, 0)
        packed = self.told(self.path("set.ctrd"))
        self.assertEqual((packed["kind"], packed["images"], packed["driver"]), ("data", 8, "packed"))
        with open(self.path("set.ctrd"), "r+b") as file:
            file.seek(-100, os.SEEK_END)
            file.write(b"other")
        self.assertIn("checksum of '7.ppm'", self.info(self.path("set.ctrd"), code=7).err)
        with open(self.path("set.ctrd"), "r+b") as file:
            file.truncate(3000)
        self.assertIn("set.ctrd", self.info(self.path("set.ctrd"), code=7).err)
        told = self.told(self.at("images", "1.ppm"))
        self.assertEqual((told["kind"], told["dimensions"], told["channels"]), ("image", "32 x 32", 3))

    def test_info_refusals(self):
        for name, data, code, word in (("empty", b"", 7, "empty"), ("html", b"<html>=</html>", 7, "nothing"),
                                       ("pickle", b"\x80\x02\x8a\nl\xfc\x9cF\xf9", 8, "torch.load"),
                                       ("jpeg", b"\xff\xd8\xff\xe0\0\x10JFIF", 7, "jpeg")):
            with open(self.path(name), "wb") as file:
                file.write(data)
            self.assertIn(word, self.info(self.path(name), code=code).err)
        with zipfile.ZipFile(self.path("nul"), "w") as archive:
            archive.writestr("ab_defgh.npy", "x")
        with open(self.path("nul"), "r+b") as file:
            data = file.read().replace(b"ab_defgh", b"ab\0defgh")
            file.seek(0)
            file.write(data)
        self.assertEqual(self.told(self.path("nul"))["list"], [{"name": "ab", "type": "file", "shape": []}])
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
