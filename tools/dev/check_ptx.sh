#!/bin/sh
# check_ptx.sh -- whether the tiled kernels for GPUs keep their values in registers, and whether those for
# matrix units use them. In: nothing. Out: for each kernel, tile and architecture the registers and bytes of
# stack, as ptxas tells them, and how many instructions of matrix units the machine code has; exit 1 where
# there is any stack or a spill, or fewer of these than the tile's results need; 77 (skipped) without clang's
# NVPTX back end or ptxas; without nvdisasm instructions are not counted. Needs no GPU. CLANG, PTXAS
# and NVDISASM name others than those found.
set -u
cd "$(dirname "$0")/../.." || exit 1
clang=${CLANG:-$(for c in clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
    command -v $c >/dev/null && $c -print-targets 2>/dev/null | grep -q nvptx64 && echo $c && break
done)}
ptxas=${PTXAS:-ptxas}
nvdisasm=${NVDISASM:-nvdisasm}
if [ -z "$clang" ] || ! command -v "$ptxas" >/dev/null; then
    echo "no clang with the NVPTX back end, or no ptxas" >&2
    exit 77
fi
command -v "$nvdisasm" >/dev/null || echo "no nvdisasm: matrix units are not looked for" >&2
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT || exit 1
failed=0

# Of each kernel but those that pack and sum at least `want` instructions called `name`.
check_units() { # name want what
    command -v "$nvdisasm" >/dev/null || return 0
    "$nvdisasm" "$dir/a.cubin" >"$dir/sass" || return 1
    awk -v name="$1" -v want="$2" -v what="$3" '
        /^\.text\./ { kernel = substr($1, 7); if (kernel !~ /_(sum|pack):$/) count[kernel] += 0 }
        /^ *\/\*[0-9a-f]+\*\// && index($0, name " ") { count[kernel]++ }
        END { for (k in count) { printf "%s %s %d %s\n", what, k, count[k], name
                  kernels++; bad += count[k] < want }
              exit bad || !kernels }' "$dir/sass"
}

check() { # file units want options
    file=$1 units=$2 want=$3
    shift 3
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
        [ -z "$units" ] || check_units "$units" "$want" "$arch $file $*" || failed=1
    done
}

# The tiles of src/op/tile.c.
for t in '128 128 8 8' '128 64 8 8' '64 128 8 8' '64 64 8 4' '32 64 4 4' '32 32 4 4'; do
    # shellcheck disable=SC2086 # four numbers
    set -- $t
    tile="-DBM=$1 -DBN=$2 -DTM=$3 -DTN=$4" products=$(($3 * $4 / 2))
    # shellcheck disable=SC2086 # words
    for options in '-DEVEN_C=1 -DEVEN_O=1' '-DEVEN_C=1 -DEVEN_O=1 -DDGRAD=1 -DSTRIDE=2' -DEVEN_C=0; do
        check cl/op/conv2d_tile.cl '' 0 $tile $options
    done
    # shellcheck disable=SC2086 # words
    for options in -DEVEN_O=1 '-DEVEN_O=1 -DDGRAD=1 -DSTRIDE=2'; do
        check cl/op/conv2d_mma.cl HMMA.1688.F32.TF32 $products $tile $options
        check cl/op/conv2d_mma.cl HMMA.16816.F32 $products $tile $options -DACT=1
        check cl/op/conv2d_mma.cl HMMA.16816.F32.BF16 $products $tile $options -DACT=2
    done
    # shellcheck disable=SC2086 # words
    for options in '-DEVEN=1 -DTB=1' -DEVEN=1 '-DEVEN=1 -DTA=1'; do
        check cl/op/gemm_gpu.cl '' 0 $tile $options
        check cl/op/gemm_gpu.cl HMMA.1688.F32.TF32 $products $tile $options -DMMA=1
    done
    # shellcheck disable=SC2086 # words
    check cl/op/gemm_gpu.cl '' 0 $tile -DEVEN=0
done
check cl/op/conv2d_winograd_gpu.cl '' 0
check cl/op/conv2d_winograd_gpu.cl '' 0 -DACT=1
check cl/probe/mma.cl HMMA.1688.F32.TF32 1
check cl/probe/mma.cl HMMA.16816.F32 1 -DACT=1
check cl/probe/mma.cl HMMA.16816.F32.BF16 1 -DACT=2
exit $failed
