#!/usr/bin/env python3
"""`clcontrast augment`: augment.py PROGRAM. The picture, what decides it, and what is refused."""
import json
import os
import struct
import unittest
import zlib

from cli import run
from folders import Folder


def png(data):
    """Width, height and RGB rows of a PNG file's bytes."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
            assert (depth, colour) == (8, 2)
        if kind == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    raw, rows, last = zlib.decompress(packed), [], bytes(3 * width)
    for y in range(height):
        kind, line = raw[y * (3 * width + 1)], bytearray(raw[y * (3 * width + 1) + 1:][:3 * width])
        for i in range(len(line)):
            left = line[i - 3] if i >= 3 else 0
            corner = last[i - 3] if i >= 3 else 0
            guess = left + last[i] - corner
            paeth = min((left, last[i], corner), key=lambda v: abs(guess - v))
            line[i] = line[i] + (0, left, last[i], (left + last[i]) // 2, paeth)[kind] & 255
        last = bytes(line)
        rows.append(last)
    return width, height, rows


class Augment(Folder):
    def image(self, size=16):
        with open(self.path("in.ppm"), "wb") as file:
            file.write(b"P6 %d %d 255\n" % (size, size))
            file.write(bytes((x * 11 + y * 7 + c * 80) % 256
                             for y in range(size) for x in range(size) for c in range(3)))
        return self.path("in.ppm")

    def picture(self, *args):
        """The bytes of the file that is written."""
        done = run("augment", *args, "-o", self.path("out.png"))
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual((done.returncode, done.out), (0, ""), done.err)
        with open(self.path("out.png"), "rb") as file:
            return file.read()

    def grid(self, *args):
        return png(self.picture(*args))

    def test_the_first_column_is_the_image(self):
        with open(self.image(), "rb") as file:
            pixels = file.read()[-16 * 16 * 3:]
        width, height, rows = self.grid(self.path("in.ppm"), "--views", "3", "--zoom", "1")
        self.assertEqual((width, height), (4 * 18 + 2, 18 + 2))
        for y in range(16):
            self.assertEqual(rows[2 + y][6:6 + 48], pixels[y * 48:y * 48 + 48])

    def test_nothing_but_a_flip_gives_the_image_or_its_mirror(self):
        _, _, rows = self.grid(self.image(), "--views", "8", "--zoom", "1", "--augment", "flip")
        seen = set()
        pixels = [[row[3 * x:3 * x + 3] for x in range(8 * 18 + 18)] for row in rows[2:18]]
        first = [row[2:18] for row in pixels]
        for view in range(1, 9):
            cell = [row[2 + 18 * view:18 + 18 * view] for row in pixels]
            self.assertIn(cell, (first, [row[::-1] for row in first]))
            seen.add(cell == first)
        self.assertEqual(seen, {True, False})

    def test_seed_and_epoch_decide(self):
        usual = self.picture("shapes", "--rows", "2", "--views", "2")
        self.assertEqual(usual, self.picture("shapes", "--rows", "2", "--views", "2"))
        for other in ("--seed", "--epoch"):
            self.assertNotEqual(usual, self.picture("shapes", "--rows", "2", "--views", "2", other, "7"))

    def test_gray(self):
        _, _, rows = self.grid(self.image(), "--views", "2", "--zoom", "1", "--augment", "small gray(1)")
        for row in rows:
            for x in range(18, 18 * 3):
                self.assertEqual(len(set(row[3 * x + 6:3 * x + 9])), 1)

    def test_views_take_pipelines_in_turn(self):
        _, _, rows = self.grid(self.image(), "--views", "4", "--zoom", "1", "--augment", "none | vflip(1)")
        cells = [[row[18 * 3 * v + 6:18 * 3 * v + 54] for row in rows[2:18]] for v in range(5)]
        self.assertEqual(cells[1], cells[0])
        self.assertEqual(cells[2], cells[0][::-1])
        self.assertEqual(cells[3:], cells[1:3])

    def test_sizes_of_views(self):
        """Views smaller than the image, and local ones behind them, in cells of the image's size; the rest is white."""
        args = (self.image(), "--views", "2", "--zoom", "1", "--augment", "flip", "--view-size", "12")
        width, height, rows = self.grid(*args, "--local-views", "3", "--local-augment", "crop(0.1,0.2)")
        self.assertEqual((width, height), (6 * 18 + 2, 18 + 2))
        for view in range(1, 6):
            side = 12 if view < 3 else 6
            for y in range(16):
                for x in range(16):
                    at = 3 * (2 + 18 * view + x)
                    self.assertEqual(rows[2 + y][at:at + 3] == b"\xff\xff\xff", x >= side or y >= side, (view, x, y))
        self.assertEqual([row[:3 * 54] for row in self.grid(*args)[2]], [row[:3 * 54] for row in rows])
        said = run("augment", *args, "--local-views", "3", "-o", self.path("said.png")).err
        self.assertIn("1 image of 16x16 pixels, 2 views of 12x12, 3 of 6x6", said)

    def test_every_transformation_shows(self):
        listed = run("augment", "--list")
        self.assertEqual((listed.returncode, listed.err), (0, ""))
        lines = [line for line in listed.out.split("Names")[0].split("\n") if line and line[0] != " "]
        self.assertGreaterEqual(len(lines), 19)
        usual = self.picture(self.image(), "--views", "16", "--augment", "none")
        for line in lines:
            self.assertNotEqual(self.picture(self.image(), "--views", "16", "--augment", line), usual, line)

    def test_many_transformations_at_once(self):
        line = "patch(2,.5) crop rotate90 jitter affine blur flip noise sobel(.2) autocontrast equalize cutout"
        for size in ("16", "100", "256"):
            args = (self.image(), "--views", "4", "--image-size", size, "--augment", line)
            self.assertEqual(self.picture(*args), self.picture(*args))

    def test_the_list_is_in_the_docs(self):
        root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
        with open(os.path.join(root, "docs", "AUGMENTATION.md"), encoding="utf-8") as file:
            text = file.read()
        listed = run("augment", "--list").out.strip()
        told = json.loads(run("augment", "--list", "--json").out)
        for one in told["transformations"]:
            self.assertRegex(listed, r"(?m)^%s\(" % one["name"])
        self.assertEqual(len(told["transformations"]), len([l for l in listed.split("Names")[0].splitlines()
                                                            if l and l[0] != " "]))
        self.assertIn("small", [line["name"] for line in told["lines"]])
        self.assertIn(listed, text, "put the output of `clcontrast augment --list` there")

    def test_bad_lines_are_shown(self):
        done = run("augment", "shapes", "-o", self.path("x.png"), "--augment", "crop(0.2,1) flop jitter")
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.err, "error: --augment: character 13: there is no transformation 'flop'\n"
                                   "  crop(0.2,1) flop jitter\n"
                                   "              ^~~~\n"
                                   "hint: did you mean 'flip'?\n")
        done = run("train", "--augment", "jitter(hue=.7)", "--out", self.path("run"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("hue of jitter is 0.7, not between 0 and 0.5", done.err)
        done = run("train", "--views", "2", "--augment", "flip|gray|blur", "--out", self.path("run"))
        self.assertEqual((done.returncode, "3 pipelines, but 2 views" in done.err), (2, True), done.err)
        self.assertFalse(os.path.exists(self.path("run")))

    def test_what_is_refused(self):
        for args, code, text in (
                ([self.image()], 2, "--out"),
                ([self.image(), "-o", self.path("no/out.png")], 10, "no/out.png"),
                ([self.path("missing.jpg"), "-o", self.path("x.png")], 7, "missing.jpg"),
                ([], 2, "no image"),
                (["shapes", "-o", "x.png", "--augment", "crop(.5,.2)"], 2, "above area_max"),
                (["shapes", "-o", "x.png", "--augment", "jitter(nan)"], 2, "no number"),
                (["shapes", "-o", "x.png", "--image-size", "33", "--views", "1", "--augment",
                  "flip | gray"], 2, "2 pipelines, but 1 view"),
                (["shapes", "-o", "x.png", "--views", "0"], 2, "--views"),
                ([self.image(), "shapes", "-o", "x.png"], 2, "shapes")):
            done = run("augment", *args, cwd=self.folder)
            self.assertEqual(done.returncode, code, done.err)
            self.assertIn(text, done.err)
            self.assertFalse(os.path.exists(self.path("x.png")))

    def test_broken_images_are_named(self):
        with open(self.path("bad.png"), "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n and then nothing")
        done = run("augment", self.path("bad.png"), "-o", self.path("x.png"))
        self.assertEqual(done.returncode, 7)
        self.assertIn("bad.png", done.err)


if __name__ == "__main__":
    unittest.main(verbosity=1)
