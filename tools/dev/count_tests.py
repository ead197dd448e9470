#!/usr/bin/env python3
"""Counts test cases: count_tests.py TESTLOG.json STATUS prints "PASSED FAILED".

A test program that tells its own counts (cmocka, unittest, or a line "N passed, N failed") counts as
that many cases, any other as one. A program that fails without a failed case (a crash, a time-out, a
sanitizer's report at exit) adds one failure; so does a STATUS of meson that nothing else explains."""
import json
import re
import sys

CMOCKA_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (\d+) test", re.M)
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n(OK|FAILED)(?: \((.*)\))?", re.M)
OWN = re.compile(r"^(?:.*: )?(\d+) passed, (\d+) failed$", re.M)


def cases(text):
    """(passed, failed) that the output tells, or None."""
    if CMOCKA_PASSED.search(text):
        return (sum(map(int, CMOCKA_PASSED.findall(text))),
                sum(map(int, CMOCKA_FAILED.findall(text))))
    if UNITTEST.search(text):
        total = failed = 0
        for ran, _, notes in UNITTEST.findall(text):
            numbers = dict(note.split("=") for note in (notes or "").split(", ") if "=" in note)
            bad = int(numbers.get("failures", 0)) + int(numbers.get("errors", 0))
            total += int(ran) - bad - int(numbers.get("skipped", 0))
            failed += bad
        return total, failed
    found = OWN.findall(text)
    return tuple(map(int, found[-1])) if found else None


def main():
    passed = failed = 0
    try:
        with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
            tests = [json.loads(line) for line in log if line.strip()]
    except OSError as error:
        print(error, file=sys.stderr)
        tests = []
    for test in tests:
        if test["result"] == "SKIP":
            print("skipped: %s" % test["name"], file=sys.stderr)
            continue
        good = test["result"] in ("OK", "EXPECTEDFAIL")
        told = cases(test.get("stdout", "") + "\n" + test.get("stderr", ""))
        more_passed, more_failed = told or (int(good), 0)
        passed += more_passed
        failed += max(more_failed, 0 if good else 1)
    if int(sys.argv[2]) != 0 and failed == 0:
        failed = 1
    print(passed, failed)


main()
