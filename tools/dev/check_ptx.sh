#!/bin/sh
# check_ptx.sh -- whether the tiled kernels for GPUs keep their values in registers. In: nothing. Out:
# for each kernel, tile and architecture the registers and bytes of stack, as ptxas tells them; exit 1
# where there is any stack or a spill, 77 (skipped) without clang's NVPTX back end or ptxas. Needs no
# GPU. CLANG and PTXAS name others than those found.
set -u
cd "$(dirname "$0")/../.." || exit 1
clang=${CLANG:-$(for c in clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
    command -v $c >/dev/null && $c -print-targets 2>/dev/null | grep -q nvptx64 && echo $c && break
done)}
ptxas=${PTXAS:-ptxas}
if [ -z "$clang" ] || ! command -v "$ptxas" >/dev/null; then
    echo "no clang with the NVPTX back end, or no ptxas" >&2
    exit 77
fi
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT || exit 1
failed=0

check() { # file options
    file=$1
    shift
    if ! "$clang" -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -target nvptx64-nvidia-nvcl \
        -Xclang -target-cpu -Xclang sm_80 -O3 -Wno-everything -Icl -include tools/dev/ptx.clh \
        "$@" -S -o "$dir/a.ptx" "$file"; then
        failed=1
        return
    fi
    # Newer versions of ptxas know no texture mode of OpenCL.
    sed -i 's/^\.target.*/.target sm_80/; s/^\.version.*/.version 7.0/' "$dir/a.ptx"
    for arch in sm_80 sm_90; do
        if ! "$ptxas" -v -arch=$arch -o "$dir/a.cubin" "$dir/a.ptx" >"$dir/log" 2>&1; then
            cat "$dir/log"
            failed=1
            continue
        fi
        awk -v what="$arch $file $*" '
            /Function properties for/ { name = $NF }
            /bytes stack frame/ { stack = $1; spills = $5 + $9 }
            / registers/ { for (i = 2; i <= NF; i++) if ($i ~ /^registers/) regs = $(i - 1)
                printf "%s %s: %d registers, %d bytes of stack, %d spilt\n", what, name, regs, stack, spills
                bad += stack + spills > 0; n++ }
            END { exit bad || !n }' "$dir/log" || failed=1
    done
}

# The tiles of src/op/tile.c.
for t in '128 128 8 8' '128 64 8 8' '64 128 8 8' '64 64 8 4' '32 64 4 4' '32 32 4 4'; do
    # shellcheck disable=SC2086 # four numbers
    set -- $t
    tile="-DBM=$1 -DBN=$2 -DTM=$3 -DTN=$4"
    # shellcheck disable=SC2086 # words
    for options in '-DEVEN_C=1 -DEVEN_O=1' '-DEVEN_C=1 -DEVEN_O=1 -DDGRAD=1 -DSTRIDE=2' -DEVEN_C=0; do
        check cl/op/conv2d_tile.cl $tile $options
    done
    # shellcheck disable=SC2086 # words
    for options in '-DEVEN=1 -DTB=1' -DEVEN=1 '-DEVEN=1 -DTA=1' -DEVEN=0; do
        check cl/op/gemm_gpu.cl $tile $options
    done
done
exit $failed
