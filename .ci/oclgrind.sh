#!/bin/sh
# oclgrind.sh -- op tests in Oclgrind: out-of-bounds accesses, data races, uninitialised reads, wrong API
# calls. `oclgrind.sh [TEST...]`; CTR_TEST_MAX is the largest case in input elements. Oclgrind exits 0
# on findings, so any line in its log is a failure.
set -eu
cd "$(dirname "$0")/.."
icd=$(find /usr/lib /usr/local/lib -name 'liboclgrind-rt-icd.so*' 2>/dev/null | head -n 1)
if [ -z "$icd" ]; then
    echo "no Oclgrind: install the package oclgrind" >&2
    exit 77
fi
build=${BUILD:-build-test}
logs=$PWD/$build/oclgrind
rm -rf "$logs"
mkdir -p "$logs"
[ $# -gt 0 ] || {
    [ -f "$build/build.ninja" ] || meson setup "$build" -Dwerror=true >&2
    # shellcheck disable=SC2046 # names of tests are words
    set -- $(meson test -C "$build" --list 2>/dev/null | grep '^op-' | grep -vE '^op-(losses|edges|gpu.*|mma|conv2d_refused)$')
}
export OCL_ICD_VENDORS="$icd" CTR_TEST_MAX="${CTR_TEST_MAX:-300}" CACHE="$build/cache-oclgrind"
# Optimised code has `freeze` instructions, which Oclgrind 21.10 takes for uninitialised values.
# It adds up the local memory of all kernels of a file: give it more than the tiles' device would have.
export OCLGRIND_LOCAL_MEM_SIZE=131072
export OCLGRIND_BUILD_OPTIONS=-cl-opt-disable
export OCLGRIND_DATA_RACES=1 OCLGRIND_UNINITIALIZED=1 OCLGRIND_CHECK_API=1
# Each process of a test would overwrite one common log: the name of the test is part of it.
status=0
for test in "$@"; do
    OCLGRIND_LOG="$logs/$test.log" sh tools/test.sh "$test" || status=1
done
for log in "$logs"/*.log; do
    [ -s "$log" ] || continue
    echo "$log:" >&2
    head -n 40 "$log" >&2
    status=1
done
exit $status
