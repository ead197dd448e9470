#!/usr/bin/env python3
"""Checks that the tests which docs/FAULTS.md names are there: faults.py ROOT. Exit 1 with one line for each that is not.

The last cell of a row has parts between semicolons: files below tests/, and behind a colon names of tests in each."""
import os
import re
import sys


def entries(root):
    """Pairs of a file and the name of a test, or None where the whole file is meant."""
    with open(os.path.join(root, "docs", "FAULTS.md"), encoding="utf-8") as file:
        rows = [line.rstrip().rstrip("|") for line in file if line.startswith("|")]
    for row in rows:
        for part in row.rsplit("|", 1)[1].split(";"):
            where, _, names = part.partition(":")
            for path in re.findall(r"[a-z_/]+\.(?:c|py)\b", where):
                for name in re.findall(r"\w+", re.sub(r"\(.*?\)", "", names)) or [None]:
                    yield path, name


def main(root):
    missing, found = [], 0
    for path, name in entries(root):
        full = os.path.join(root, "tests", path)
        text = open(full, encoding="utf-8").read() if os.path.exists(full) else None
        found += 1
        if text is None:
            missing.append("there is no tests/" + path)
        elif name and not re.search(r"(?:def test_|void (?:test_)?)%s\(" % name, text):
            missing.append("tests/%s has no test '%s'" % (path, name))
    print("\n".join(missing) or "%d tests are there" % found)
    return 1 if missing or not found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
