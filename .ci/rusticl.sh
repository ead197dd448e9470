#!/bin/sh
# rusticl.sh -- every test on Mesa's OpenCL over llvmpipe (package mesa-opencl-icd), a second driver.
set -eu
cd "$(dirname "$0")/.."
icd=/etc/OpenCL/vendors/rusticl.icd
if [ ! -f "$icd" ]; then
    echo "no $icd: install mesa-opencl-icd" >&2
    exit 77
fi
export OCL_ICD_VENDORS="$icd" RUSTICL_ENABLE=llvmpipe
exec sh tools/test.sh "$@"
