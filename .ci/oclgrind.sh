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
# An interpreter gives the same bits each time: once is enough, in a variant's own sizes, and no large images.
export CTR_TEST_MAX="${CTR_TEST_MAX:-300}" CTR_TEST_ONCE=1 CTR_TEST_TINY=1
export CTR_TEST_CONFIGS="${CTR_TEST_CONFIGS:-own}"
export OCL_ICD_VENDORS="$icd" CTR_REQUIRE_DEVICE=1 XDG_CACHE_HOME="$PWD/$build/cache-oclgrind"
# Optimised code has `freeze` instructions, which Oclgrind 21.10 takes for uninitialised values.
# It adds up the local memory of all kernels of a file: give it more than the tiles' device would have.
export OCLGRIND_LOCAL_MEM_SIZE=131072
export OCLGRIND_BUILD_OPTIONS=-cl-opt-disable
export OCLGRIND_DATA_RACES=1 OCLGRIND_UNINITIALIZED=1 OCLGRIND_CHECK_API=1
status=0

# A test program; what it prints and Oclgrind's log go to files of this name.
check() { # name [VARIABLE=VALUE...] program [argument...]
    name=$1
    shift
    env OCLGRIND_LOG="$logs/$name.log" "$@" >"$logs/$name.out" 2>&1 || {
        cat "$logs/$name.out" >&2
        status=1
    }
    echo "$name: $(tail -n 1 "$logs/$name.out")"
}

# One case of conv2d by one variant, in local memory that takes every block.
block() { # name case choice [VARIABLE=VALUE...]
    name=$1
    case=$2
    choice=$3
    shift 3
    check "conv2d-$name" CTR_TEST_MAX=100000 CTR_TEST_CASE="$case" CTR_TEST_FORCE="$choice" \
        CTR_TEST_PRECISION=fp32 OCLGRIND_LOCAL_MEM_SIZE=1048576 "$@" "$tests/test-op" conv2d
}

# One case of an op by matrix units, emulated.
units() { # op case choices
    check "$1-mma" CTR_TEST_MAX=100000 CTR_TEST_CASE="$2" CTR_TEST_FORCE="$3" CTR_QUIRK=+family_gpu,+mma_emulated \
        CTR_TEST_MATH=tf32 "$tests/test-op" "$1"
}

everything() {
    tests=$build/tests
    [ -f "$build/build.ninja" ] || meson setup "$build" -Dwerror=true >&2
    ninja -C "$build" >&2
    # Winograd on CPUs: blocks of 8, 16 and 32 tiles; gates and pooling; several blocks of filters.
    block winograd "winograd 2x5x7x32 " conv2d=winograd CTR_TEST_PRECISION=
    block winograd-relu "winograd relu" conv2d=winograd
    block winograd-pool "pool winograd 2x15" conv2d=winograd
    block winograd-blocks "winograd blocks" conv2d=winograd:32,128
    # The direct weight gradient: passes of some rows, and all filters for what was copied once.
    block passes "rows in passes" conv2d_bwd_dw=direct
    block filters "filters at once" conv2d_bwd_dw=direct
    # Depthwise weight gradients of several blocks of channels, and of taps in two runs.
    block depthwise "depthwise blocks" conv2d_grouped_bwd_dw=depthwise
    block depthwise-runs "depthwise long rows" conv2d_grouped_bwd_dw=depthwise
    # Groups of 32 in halves, and whole ones.
    block groups-halves "groups of two, winograd" conv2d_grouped=winograd,conv2d_grouped_bwd_dx=winograd,conv2d_grouped_bwd_dw=winograd
    block groups "groups of 32 to 64, winograd" conv2d_grouped=winograd,conv2d_grouped_bwd_dx=winograd,conv2d_grouped_bwd_dw=winograd
    block groups-direct "groups of four, stride 2" conv2d_grouped=direct,conv2d_grouped_bwd_dx=direct,conv2d_grouped_bwd_dw=direct
    # Partial sums of weights that work-items share, which takes several compute units.
    block shares "filters at once" conv2d_bwd_dw=general CTR_QUIRK=+family_gpu OCLGRIND_COMPUTE_UNITS=4
    block winograd-gpu "winograd one tile" conv2d=winograd_gpu CTR_QUIRK=+family_gpu
    check top_k-lists CTR_TEST_MAX=4500 "$tests/test-op" top_k
    check top_k-lists-gpu CTR_TEST_MAX=4500 CTR_QUIRK=+family_gpu "$tests/test-op" top_k
    for op in $("$tests/test-op" -l); do
        check "$op" "$tests/test-op" "$op"
        check "$op-gpu" CTR_QUIRK=+family_gpu "$tests/test-op" "$op"
    done
    # Matrix units take what is a multiple of 16 bytes.
    units conv2d "chunks stride 2" conv2d=mma,conv2d_bwd_dx=mma,conv2d_bwd_dw=mma
    units dense 37x76x44 dense=mma,dense_bwd=mma
    units similarity "36 x 44 x 76" similarity=mma,similarity_bwd=mma
    for unit in op-in_place data-augment_draw data-augment_rules data-augment; do
        check "$unit" "$tests/test-$unit"
    done
    # clEnqueueFillBuffer writes nothing in its eyes: neither the zeros between parameters.
    for unit in optim-optim optim-loss_scale; do
        check "$unit" OCLGRIND_UNINITIALIZED=0 "$tests/test-$unit"
        check "$unit-gpu" OCLGRIND_UNINITIALIZED=0 CTR_QUIRK=+family_gpu "$tests/test-$unit"
    done
}

if [ $# -gt 0 ]; then
    for test in "$@"; do
        OCLGRIND_LOG="$logs/$test.log" CACHE="$build/cache-oclgrind" sh tools/test.sh "$test" || status=1
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
