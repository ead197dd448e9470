#!/bin/sh
# rusticl.sh -- Mesa's OpenCL over llvmpipe (package mesa-opencl-icd), a second driver. `rusticl.sh
# [TEST...]`: those tests, or else the cases of all ops, each variant in its own sizes, for GPUs and for CPUs.
# CTR_TEST_MAX is the largest case in input elements. Mesa 22.3 runs kernels for CPUs alone and ends a
# work-item's loops after 65,535 rounds (docs/DEVICES.md).
set -eu
cd "$(dirname "$0")/.."
icd=/etc/OpenCL/vendors/rusticl.icd
if [ ! -f "$icd" ]; then
    echo "no $icd: install mesa-opencl-icd" >&2
    exit 77
fi
export OCL_ICD_VENDORS="$icd" RUSTICL_ENABLE=llvmpipe
[ $# -eq 0 ] || exec sh tools/test.sh "$@"

build=${BUILD:-build-test}
tests=$build/tests
[ -f "$build/build.ninja" ] || meson setup "$build" -Dwerror=true >&2
ninja -C "$build" >&2
export CTR_REQUIRE_DEVICE=1 XDG_CACHE_HOME="$PWD/$build/cache-rusticl"
export CTR_TEST_MAX="${CTR_TEST_MAX:-5000}" CTR_TEST_CONFIGS=own
mesa=$("$build/clcontrast" devices --json | sed -n 's/.*"driver":"\([0-9]*\).*/\1/p')
families='family_gpu family_cpu'
[ "$mesa" -ge 25 ] || families=family_cpu
status=0
for family in $families; do
    export CTR_QUIRK="+$family"
    for op in $("$tests/test-op" -l); do
        max=$CTR_TEST_MAX
        [ "$op" != top_k ] || [ "$mesa" -ge 25 ] || max=700 # more rounds than that
        # As fp16 and bf16 too, for GPUs.
        precision=fp32
        [ "$family" = family_cpu ] || precision=
        echo "$op, $family"
        CTR_TEST_MAX=$max CTR_TEST_PRECISION=$precision "$tests/test-op" "$op" || status=1
    done
done
exit $status
