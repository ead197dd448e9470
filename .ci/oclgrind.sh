#!/bin/sh
# oclgrind.sh -- kernels in Oclgrind: out-of-bounds accesses, data races, uninitialised reads, wrong API
# calls. `oclgrind.sh [TEST...]`: those tests, or else all ops in small cases, for CPUs and for GPUs, and
# what these do not reach (see below). CTR_TEST_MAX is the largest case in input elements. Oclgrind
# exits 0 on findings, so any line in its log is a failure.
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
export OCL_ICD_VENDORS="$icd" CTR_TEST_MAX="${CTR_TEST_MAX:-300}" CACHE="$build/cache-oclgrind"
# An interpreter gives the same bits each time: once is enough, and no large images.
export CTR_TEST_ONCE=1 CTR_TEST_TINY=1
# Optimised code has `freeze` instructions, which Oclgrind 21.10 takes for uninitialised values.
# It adds up the local memory of all kernels of a file: give it more than the tiles' device would have.
export OCLGRIND_LOCAL_MEM_SIZE=131072
export OCLGRIND_BUILD_OPTIONS=-cl-opt-disable
export OCLGRIND_DATA_RACES=1 OCLGRIND_UNINITIALIZED=1 OCLGRIND_CHECK_API=1
status=0

# A test with settings of its environment. Each process would overwrite one common log.
check() { # name test [VARIABLE=VALUE...]
    name=$1
    test=$2
    shift 2
    env OCLGRIND_LOG="$logs/$name.log" "$@" sh tools/test.sh "$test" || status=1
}

# One case of conv2d by one variant, in local memory that takes every block.
block() { # name case choice [VARIABLE=VALUE...]
    name=$1
    case=$2
    choice=$3
    shift 3
    check "conv2d-$name" op-conv2d CTR_TEST_MAX=100000 CTR_TEST_CASE="$case" CTR_TEST_FORCE="$choice" \
        CTR_TEST_PRECISION=fp32 OCLGRIND_LOCAL_MEM_SIZE=1048576 "$@"
}

everything() {
    [ -f "$build/build.ninja" ] || meson setup "$build" -Dwerror=true >&2
    for test in $(meson test -C "$build" --list 2>/dev/null | grep '^op-' |
        grep -vE '^op-(losses|edges|gpu.*|mma|conv2d_refused)$'); do
        check "$test" "$test"
        check "$test-gpu" "$test" CTR_QUIRK=+family_gpu CTR_TEST_CONFIGS=own
    done
    for test in op-conv2d op-dense op-similarity; do
        check "$test-mma" "$test" CTR_QUIRK=+family_gpu,+mma_emulated CTR_TEST_MATH=tf32 CTR_TEST_CONFIGS=own
    done
    # Winograd on CPUs: blocks of 8, 16 and 32 tiles; gates and pooling; several blocks of filters.
    block winograd "winograd 2x5x7x32 " conv2d=winograd CTR_TEST_PRECISION=
    block winograd-relu "winograd relu" conv2d=winograd
    block winograd-pool "pool winograd 2x15" conv2d=winograd
    block winograd-blocks "winograd blocks" conv2d=winograd:32,128
    # The direct weight gradient: passes of some rows, and all filters for what was copied once.
    block passes "rows in passes" conv2d_bwd_dw=direct
    block filters "filters at once" conv2d_bwd_dw=direct
    # Partial sums of weights that work-items share, which takes several compute units.
    block shares "filters at once" conv2d_bwd_dw=general CTR_QUIRK=+family_gpu OCLGRIND_COMPUTE_UNITS=4
    check top_k-lists op-top_k CTR_TEST_MAX=4500
    check top_k-lists-gpu op-top_k CTR_TEST_MAX=4500 CTR_QUIRK=+family_gpu
    check augment data-augment
    check augment_draw data-augment_draw
}

if [ $# -gt 0 ]; then
    for test in "$@"; do
        check "$test" "$test"
    done
else
    everything
fi
for log in "$logs"/*.log; do
    [ -s "$log" ] || continue
    echo "$log:" >&2
    head -n 40 "$log" >&2
    status=1
done
exit $status
