#!/usr/bin/env python3
"""`clcontrast import`: import.py PROGRAM [TEST ...]. Weights under torchvision's names, drawn without PyTorch, through
embed, export and train; torchvision itself and ONNX Runtime where this Python has them."""
import json
import os
import struct
import unittest

from cli import run
from models import SIDE, Models, optional, read_safetensors
from networks import BLOCKS, draw, save, shapes


class Imports(Models):
    def bring(self, *args, code=0):
        done = run("import", *args)
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual(done.returncode, code, done.err)
        return done

    def weights(self, *args, name="given.safetensors", **more):
        """A file of such weights, and what is in it."""
        tensors = draw(shapes(*args, **more))
        save(self.path(name), tensors)
        return self.path(name), tensors

    def test_encoders(self):
        """Which one it is, how wide and with which stem, its names and shapes tell."""
        for encoder, channels, stem in (("resnet10", 8, 7), ("resnet18", 8, 3), ("resnet50", 8, 7),
                                        ("resnext50_32x4d", 16, 3)):
            given, tensors = self.weights(encoder, channels, stem)
            out = self.path(encoder + ".safetensors")
            told = json.loads(self.bring(given, "-o", out, "--json").out)
            stem_name, size = ("imagenet", 224) if stem == 7 else ("cifar", 32)
            self.assertEqual((told["encoder"], told["width"], told["stem"], told["image_size"], told["left_out"]),
                             (encoder, channels / 64, stem_name, size, 2))
            taken, meta = read_safetensors(out)
            self.assertEqual(taken, {name: (kind, list(shape), data) for name, (kind, shape, data) in tensors.items()
                                     if not name.startswith("fc.") and not name.endswith("tracked")})
            mean = "0.485,0.456,0.406" if stem == 7 else "0,0,0"
            self.assertEqual((meta["encoder"], meta["mean"]), (encoder, mean))

    def test_features(self):
        """embed, C and, where it is there, ONNX Runtime agree: a stem with pooling and a mean, and groups."""
        for encoder, stem, normalize in (("resnet10", 7, "imagenet"), ("resnext50_32x4d", 3, "none")):
            given, _ = self.weights(encoder, 8, stem)
            model = self.path(encoder + ".safetensors")
            self.bring(given, "-o", model, "--image-size", str(SIDE), "--normalize", normalize)
            ours = self.features(model)
            for got, want in zip(self.c_features(model), ours):
                self.assert_close(got, want)
            self.export(model, "-o", self.path(encoder + ".onnx"))
            rows = self.onnx_features(self.path(encoder + ".onnx"), len(ours))
            for got, want in zip(rows if rows is not None else [], ours):
                self.assert_close(got, want)

    def test_normalize(self):
        """A deviation of 2 is half the filters; an export keeps it, ONNX and C have it inside."""
        given, tensors = self.weights("resnet10", 8, 3)
        self.bring(given, "-o", self.path("two.safetensors"), "--normalize", "0,0,0/2,2,2")
        kind, shape, data = tensors["conv1.weight"]
        half = struct.pack("<%df" % (len(data) // 4), *(v / 2 for v, in struct.iter_unpack("<f", data)))
        save(self.path("halves.safetensors"), {**tensors, "conv1.weight": (kind, shape, half)})
        self.bring(self.path("halves.safetensors"), "-o", self.path("half.safetensors"))
        for got, want in zip(self.features(self.path("two.safetensors")), self.features(self.path("half.safetensors"))):
            self.assert_close(got, want)
        self.export(self.path("two.safetensors"), "-o", self.path("again.safetensors"))
        self.assertEqual(read_safetensors(self.path("again.safetensors"))[1]["std"], "2,2,2")
        self.export(self.path("two.safetensors"), "-o", self.path("two.onnx"))
        self.assertEqual(self.told(self.path("two.onnx"))["std"], "1,1,1")

    def test_prefix_and_own_files(self):
        """One prefix before all names goes; what has been exported comes back the same."""
        given, tensors = self.weights("resnet10", 8, 3)
        save(self.path("moco.safetensors"), tensors, prefix="module.encoder_q.")
        self.bring(given, "-o", self.path("a.safetensors"), "--normalize", "imagenet")
        self.bring(self.path("moco.safetensors"), "-o", self.path("b.safetensors"), "--normalize", "imagenet")
        self.export(self.path("a.safetensors"), "-o", self.path("c.safetensors"))
        self.bring(self.path("c.safetensors"), "-o", self.path("d.safetensors"))
        files = [read_safetensors(self.path(name + ".safetensors")) for name in "abcd"]
        self.assertTrue(all(file == files[0] for file in files[1:]))

    def test_train_goes_on(self):
        """--init takes mean and deviation along, into the configuration and the checkpoint."""
        given, _ = self.weights("resnet10", 8, 3)
        model = self.path("m.safetensors")
        self.bring(given, "-o", model, "--normalize", "0.5,0.25,0.125/0.5,2,1")
        args = ["--data", self.at("images"), "--encoder", "resnet10", "--width", "0.125", "--batch", "8", "--init", model,
                "--encoder-rate", "0"]
        self.assertIn('normalize = "0.5,0.25,0.125/0.5,2,1"', run("train", *args, "--print-config").out)
        self.assertIn('normalize = "none"', run("train", *args, "--normalize", "none", "--print-config").out)
        self.train(*args, "--steps", "1", "--out", self.path("run"))
        told = self.told(self.path("run"))
        self.assertEqual((told["mean"], told["std"]), ("0.5,0.25,0.125", "0.5,2,1"))
        weights, _ = read_safetensors(self.path("run", "checkpoints", "last"))
        for name, values in read_safetensors(model)[0].items():  # held, statistics, too
            self.assertEqual(weights[name], values, name)
        self.train("--resume", self.path("run"))
        self.assertIn("3 channels", self.train(*args, "--channels", "1", "--steps", "1", code=2).err)
        self.assertIn("--normalize", self.train(*args, "--normalize", "1/0", "--steps", "1", code=2).err)
        tensors, meta = read_safetensors(model)
        kind, shape, data = tensors["conv1.weight"]
        save(model, {**tensors, "conv1.weight": (kind, shape, data[:-4] + b"\0\0\x80\x7f")},
             {key: value for key, value in meta.items() if not key.startswith("xxh64")})
        self.assertIn("'conv1.weight' of '%s' is not finite" % model, self.train(*args, "--out", self.path("inf"), code=8).err)
        self.assertFalse(os.path.exists(self.path("inf")))

    def test_eval(self):
        """Its features are scored on labelled images, which have to be named."""
        given, _ = self.weights("resnet10", 8, 3)
        model = self.path("m.safetensors")
        self.bring(given, "-o", model)
        for i, pixels in enumerate(self.pixels):
            name = self.path("labelled", "train" if i < 4 else "test", str(i % 2))
            os.makedirs(name, exist_ok=True)
            with open(os.path.join(name, "%d.ppm" % i), "wb") as file:
                file.write(b"P6 32 32 255\n" + pixels)
        done = run("eval", model, "--data", self.path("labelled"), "--knn", "1", "--probe", "none", "--json")
        self.assertEqual((done.returncode, json.loads(done.out)["encoder"]), (0, "resnet10"), done.err)
        for command in ("eval",), ("embed", "-o", self.path("x.npy")), ("search", "--row", "0"), ("map", "-o", self.path("x.svg")):
            done = run(*command, model)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--data", done.err)
        self.assertIn("import", run("export", given, "-o", self.path("x.onnx")).err)
        tensors, meta = read_safetensors(model)
        kind, shape, data = tensors["conv1.weight"]
        for first, words in ((("F16", shape, data[:len(data) // 2]), "is F16, not F32"), ((kind, shape[::-1], data), "another shape"),
                             ((kind, shape, b"\0\0\xc0\x7f" * (len(data) // 4)), "not finite"), (None, "no tensor 'conv1.weight'")):
            left = {**tensors, "conv1.weight": first} if first else {n: t for n, t in tensors.items() if n != "conv1.weight"}
            save(self.path("bad"), left, {key: value for key, value in meta.items() if not key.startswith("xxh64")})
            done = run("eval", self.path("bad"), "--data", self.path("labelled"), "--knn", "1", "--probe", "none")
            self.assertEqual(done.returncode, 8)
            self.assertIn(self.path("bad"), done.err)
            self.assertIn(words, done.err)

    def test_refusals(self):
        given, tensors = self.weights("resnet18", 8, 7)
        out = ["-o", self.path("x.safetensors")]
        half = {name: ("F16" if kind == "F32" else kind, shape, data[:len(data) // 2] if kind == "F32" else data)
                for name, (kind, shape, data) in tensors.items()}
        bent = {**tensors, "layer2.0.conv1.weight": ("F32", (16, 9, 3, 2), b"\0" * 4 * 16 * 54)}
        save(self.path("half"), half)
        save(self.path("bent"), bent)
        save(self.path("lost"), {name: t for name, t in tensors.items() if not name.startswith("layer4.1")})
        save(self.path("moments"), tensors, prefix="optimizer.moment1.")
        kind, shape, data = tensors["layer3.0.conv1.weight"]
        save(self.path("nan"), {**tensors, "layer3.0.conv1.weight": (kind, shape, b"\0\0\xc0\x7f" + data[4:])})
        save(self.path("small"), {"conv1.weight": ("F32", (32, 3, 3, 3), bytes(4 * 32 * 27))}, {"encoder": "cnn"})
        save(self.path("other"), {"blocks.0.weight": tensors["fc.weight"]})
        with open(self.path("pickle"), "wb") as file:
            file.write(b"\x80\x02}q\x00." + bytes(20))
        for args, code, words in (((given,), 2, ["no --out"]), ((self.path("none"), *out), 8, ["none"]),
                                  ((self.path("half"), *out), 8, ["F32", "v.float()"]),
                                  ((self.path("bent"), *out), 8, ["1 of 100", "layer2.0.conv1.weight", "shape"]),
                                  ((self.path("other"), *out), 8, ["conv1.weight"]),
                                  ((self.path("moments"), *out), 8, ["has no 'conv1.weight'"]),
                                  ((self.path("nan"), *out), 8, ["layer3.0.conv1.weight", "not finite"]),
                                  ((self.path("small"), *out, "--image-size", "3"), 2,
                                   ["fits no encoder with images of 3 pixels", "too small"]),
                                  ((self.path("pickle"), *out), 8, ["weights_only=True", "save_file"]),
                                  ((given, *out, "--encoder", "resnet34"), 8, ["resnet34", "layer1.2.conv1.weight is missing"]),
                                  ((given, *out, "--encoder", "resnet19"), 2, ["resnet10"]),
                                  ((given, *out, "--normalize", "1,2/3"), 2, ["1,2"]),
                                  ((given, *out, "--normalize", "0/1", "--stem", "cifar"), 8, ["conv1.weight"]),
                                  ((given, "-o", given), 2, ["--overwrite"])):
            said = self.bring(*args, code=code).err
            for word in words:
                self.assertIn(word, said)
        self.assertFalse(os.path.exists(out[1]))
        self.assertIn("layer", self.bring(self.path("lost"), *out, code=8).err)

    def test_torchvision(self):
        """Its features within 1e-4, and its classes load what we write, but for fc."""
        torch, models, numpy = optional("torch"), optional("torchvision.models"), optional("numpy")
        if not models:
            self.skipTest("no torchvision in this Python: not compared")
        from safetensors.torch import load_file, save_file
        torch.manual_seed(1)
        mean, std = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
        for encoder, size in (("resnet18", 224), ("resnet18", 32), ("resnet50", 224), ("resnet50", 32)):
            net = getattr(models, encoder)()
            for name, values in net.state_dict().items():
                if values.dim() == 1 and name.endswith(("running_var", "weight")):
                    values.uniform_(0.3, 0.9)
                elif values.dim() == 1 and not name.startswith("fc"):
                    values.normal_(0, 0.2)
            given, model, folder = self.path("given"), self.path("m.safetensors"), self.path("images-%d" % size)
            save_file(net.state_dict(), given)
            self.bring(given, "-o", model, "--image-size", str(size), "--overwrite")
            image = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
            os.makedirs(folder, exist_ok=True)
            for i in range(2):
                with open(os.path.join(folder, "%d.ppm" % i), "wb") as file:
                    file.write(b"P6 %d %d 255\n" % (size, size) + image[i].numpy().tobytes())
            self.assertEqual(run("embed", model, "--data", folder, "-o", self.path("e.npy"), "--overwrite").returncode, 0)
            net.fc = torch.nn.Identity()
            with torch.no_grad():
                want = net.eval()((image.permute(0, 3, 1, 2) / 255 - mean) / std).numpy()
            got = numpy.load(self.path("e.npy"))
            self.assertTrue(0.1 < abs(want).max() < 100, abs(want).max())
            self.assertLess(abs(got - want).max(), 1e-4)
            self.assertLess(abs(got - want).max() / abs(want).max(), 1e-5)
        missing = models.resnet50().load_state_dict(load_file(model), strict=False)
        self.assertEqual((missing.missing_keys, missing.unexpected_keys), (["fc.weight", "fc.bias"], []))

    def test_onnx_of_all(self):
        """Every encoder, narrow, in ONNX Runtime."""
        if not optional("onnxruntime"):
            self.skipTest("no onnxruntime in this Python: the models were not run")
        for encoder in BLOCKS:
            for stem, kind in (7, "imagenet"), (3, "cifar"), (3, "strided"):
                given, _ = self.weights(encoder, 8, stem)
                model, graph = self.path(encoder + kind), self.path(encoder + kind + ".onnx")
                self.bring(given, "-o", model, "--stem", kind, "--image-size", str(SIDE))
                self.export(model, "-o", graph, "--normalize")
                for got, want in zip(self.onnx_features(graph, 2), self.features(model, "--normalize")):
                    self.assert_close(got, want)


if __name__ == "__main__":
    unittest.main()
