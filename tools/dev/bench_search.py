#!/usr/bin/env python3
"""Exact search by libclcontrast and by FAISS's flat indexes on the same vectors, in turn:
bench_search.py LIBCLCONTRAST.so [--vectors N] [--values D] [--queries M] [-k K] [--rounds R].

Vectors are drawn from a normal distribution and divided by their lengths. Timed is the search alone, the index in
place; inner products beside IndexFlatIP, distances beside IndexFlatL2, by as many threads as there are processors. Printed
are the medians, how many times longer FAISS takes with the least and the largest ratio of a round, and how many of
FAISS's answers are ours, too. Nothing else may run beside it. Needs NumPy and faiss-cpu."""
import argparse
import ctypes
import os
import statistics
import time

import faiss
import numpy

INNER, EUCLIDEAN = 1, 2  # enum ctr_metric


class Ours:
    """An index of include/clcontrast/search.h."""

    def __init__(self, path, x, metric):
        self.lib, self.dev, self.index = ctypes.CDLL(path), ctypes.c_void_p(), ctypes.c_void_p()
        self.lib.ctr_error_text.restype = ctypes.c_char_p
        self.check(self.lib.ctr_dev_open(ctypes.byref(self.dev), None, None))
        self.check(self.lib.ctr_index_create(ctypes.byref(self.index), self.dev, x.ctypes.data_as(ctypes.c_void_p),
                                             ctypes.c_size_t(x.shape[0]), ctypes.c_size_t(x.shape[1]), metric,
                                             ctypes.c_uint64(0)))

    def check(self, rc):
        if rc != 0:
            raise SystemExit("error: " + self.lib.ctr_error_text().decode())

    def search(self, q, k):
        hits = numpy.empty((len(q), k), dtype=[("row", "u4"), ("unused", "u4"), ("score", "f8")])  # struct ctr_hit
        self.check(self.lib.ctr_index_search(hits.ctypes.data_as(ctypes.c_void_p), self.index,
                                             q.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(len(q)),
                                             ctypes.c_size_t(k)))
        return hits["row"]


def seconds(search, q, k):
    began = time.perf_counter()
    found = search(q, k)
    return time.perf_counter() - began, found


def compare(name, library, x, q, args):
    theirs = (faiss.IndexFlatIP if name == "inner" else faiss.IndexFlatL2)(x.shape[1])
    theirs.add(x)
    ours = Ours(library, x, INNER if name == "inner" else EUCLIDEAN)
    ours.search(q, args.k)  # builds the kernels
    a, b = [], []
    for _ in range(args.rounds):
        t, mine = seconds(ours.search, q, args.k)
        a.append(t)
        t, (_, other) = seconds(theirs.search, q, args.k)
        b.append(t)
    same = sum(len(set(m) & set(o)) for m, o in zip(mine.tolist(), other.tolist())) / other.size
    ratios = [y / x for x, y in zip(a, b)]
    print("%-10s ours %.2f s, FAISS %.2f s: %.2f times (%.2f .. %.2f); %.4f %% of its answers" % (
        name, statistics.median(a), statistics.median(b), statistics.median(b) / statistics.median(a),
        min(ratios), max(ratios), 100 * same), flush=True)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("library")
    args.add_argument("--vectors", type=int, default=1000000)
    args.add_argument("--values", type=int, default=128)
    args.add_argument("--queries", type=int, default=1000)
    args.add_argument("-k", type=int, default=10)
    args.add_argument("--rounds", type=int, default=3)
    args = args.parse_args()
    faiss.omp_set_num_threads(os.cpu_count())
    draw = numpy.random.default_rng(1)
    x, q = (draw.standard_normal((n, args.values), dtype=numpy.float32) for n in (args.vectors, args.queries))
    for rows in x, q:
        rows /= numpy.linalg.norm(rows, axis=1, keepdims=True)
    print("FAISS %s, %d x %d, %d queries, %d nearest" % (faiss.__version__, *x.shape, len(q), args.k))
    compare("inner", args.library, x, q, args)
    compare("euclidean", args.library, x, q, args)


if __name__ == "__main__":
    main()
