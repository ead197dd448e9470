#!/usr/bin/env python3
"""`clcontrast augment`: augment.py PROGRAM. The picture, what decides it, and what is refused."""
import os
import struct
import tempfile
import unittest
import zlib

from cli import run


def png(path):
    """Width, height and RGB rows of a PNG file."""
    with open(path, "rb") as file:
        data = file.read()
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


class Augment(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def image(self, size=16):
        with open(self.path("in.ppm"), "wb") as file:
            file.write(b"P6 %d %d 255\n" % (size, size))
            file.write(bytes((x * 11 + y * 7 + c * 80) % 256
                             for y in range(size) for x in range(size) for c in range(3)))
        return self.path("in.ppm")

    def grid(self, *args):
        done = run("augment", *args, "-o", self.path("out.png"))
        if done.returncode == 4 and os.environ.get("CTR_REQUIRE_DEVICE") != "1":
            self.skipTest("no device")
        self.assertEqual((done.returncode, done.out), (0, ""), done.err)
        return png(self.path("out.png"))

    def test_the_first_column_is_the_image(self):
        with open(self.image(), "rb") as file:
            pixels = file.read()[-16 * 16 * 3:]
        width, height, rows = self.grid(self.path("in.ppm"), "--views", "3", "--zoom", "1")
        self.assertEqual((width, height), (4 * 18 + 2, 18 + 2))
        for y in range(16):
            self.assertEqual(rows[2 + y][6:6 + 48], pixels[y * 48:y * 48 + 48])

    def test_nothing_but_a_flip_gives_the_image_or_its_mirror(self):
        _, _, rows = self.grid(self.image(), "--views", "8", "--zoom", "1", "--crop-min", "1",
                               "--crop-aspect", "1", "--jitter-p", "0", "--gray-p", "0")
        seen = set()
        pixels = [[row[3 * x:3 * x + 3] for x in range(8 * 18 + 18)] for row in rows[2:18]]
        first = [row[2:18] for row in pixels]
        for view in range(1, 9):
            cell = [row[2 + 18 * view:18 + 18 * view] for row in pixels]
            self.assertIn(cell, (first, [row[::-1] for row in first]))
            seen.add(cell == first)
        self.assertEqual(seen, {True, False})

    def test_seed_and_epoch_decide(self):
        usual = self.grid("shapes", "--rows", "2", "--views", "2")
        self.assertEqual(usual, self.grid("shapes", "--rows", "2", "--views", "2"))
        for other in ("--seed", "--epoch"):
            self.assertNotEqual(usual, self.grid("shapes", "--rows", "2", "--views", "2", other, "7"))

    def test_gray(self):
        _, _, rows = self.grid(self.image(), "--views", "2", "--zoom", "1", "--gray-p", "1")
        for row in rows:
            for x in range(18, 18 * 3):
                self.assertEqual(len(set(row[3 * x + 6:3 * x + 9])), 1)

    def test_what_is_refused(self):
        for args, code, text in (
                ([self.image()], 2, "--out"),
                ([self.image(), "-o", self.path("no/out.png")], 10, "no/out.png"),
                ([self.path("missing.jpg"), "-o", self.path("x.png")], 7, "missing.jpg"),
                (["shapes", "-o", "x.png", "--crop-min", "0.5", "--crop-max", "0.2"], 2, "crop-max"),
                (["shapes", "-o", "x.png", "--jitter", "3"], 2, "--jitter"),
                (["shapes", "-o", "x.png", "--jitter", "nan"], 2, "--jitter"),
                (["shapes", "-o", "x.png", "--views", "0"], 2, "--views"),
                ([self.image(), "shapes", "-o", "x.png"], 2, "shapes")):
            done = run("augment", *args, cwd=self.folder.name)
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
