#!/bin/sh
# coverage.sh -- runs every test in a build that counts lines and prints the share of src/ that ran, by
# directory and in all. Needs gcc's gcov only.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build-coverage}
find "$build" -name '*.gcda' -delete 2>/dev/null || true
status=0
BUILD=$build CONFIGURE="-Db_coverage=true" sh tools/test.sh "$@" || status=$?
cd "$build"
find . -path '*libcore*' -name '*.gcno' -exec gcov -n {} + 2>/dev/null | awk -v least="${LEAST:-0}" '
    /^File / { file = $2; gsub(/\047/, "", file); known = file ~ /(^|\/)src\/.*\.c$/; sub(/.*\/?src\//, "", file) }
    /^Lines executed:/ && known {
        split($0, part, /[:% ]+/); ran = part[3] * part[5] / 100; known = 0
        dir = file; sub(/\/.*/, "", dir)
        lines[dir] += part[5]; hit[dir] += ran; all += part[5]; all_hit += ran
    }
    END {
        for (dir in lines) printf "%-8s %6.1f %% of %5d lines\n", dir, 100 * hit[dir] / lines[dir], lines[dir] | "sort"
        close("sort")
        if (!all) { print "no coverage data"; exit 1 }
        printf "src      %6.1f %% of %5d lines\n", 100 * all_hit / all, all
        exit 100 * all_hit / all < least
    }' || status=1
exit $status
