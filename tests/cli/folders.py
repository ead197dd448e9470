"""Test cases with a folder for files: one of each test, one of a whole class."""
import os
import tempfile
import unittest


class Folder(unittest.TestCase):
    """self.folder and self.path(...), of one test."""
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, *names):
        return os.path.join(self.folder, *names)


class Made:
    """cls.at(...): filled once, by setUpClass, for all tests of a class."""
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory()

    @classmethod
    def tearDownClass(cls):
        cls.made.cleanup()

    @classmethod
    def at(cls, *names):
        return os.path.join(cls.made.name, *names)
