#!/bin/sh
# test.sh -- `sh tools/test.sh [TEST...]`: installs what is missing, builds with warnings as errors,
# runs every test or those named. The last line is "N passed, N failed"; the exit code is 0 only when
# nothing failed. BUILD=DIR builds elsewhere than build-test, CONFIGURE adds options of meson setup,
# OCL_ICD_VENDORS chooses another OpenCL platform than the CPU's, CACHE=DIR another place for caches.
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/setup.sh

finish() { # passed failed
    printf '%s passed, %s failed\n' "$1" "$2"
    [ "$2" -eq 0 ] && [ "$1" -gt 0 ]
    exit
}

setup "$build_packages$test_packages" "$extra_test_packages"

build_dir=${BUILD:-build-test}
say "building in $build_dir"
# shellcheck disable=SC2086 # a list of words
if ! build "$build_dir" -Dwerror=true ${CONFIGURE-}; then
    say "the build failed"
    finish 0 1
fi

# Tests see the CPU platform alone, fail rather than skip without it, and keep their caches here.
cache=${CACHE:-$build_dir/cache}
case $cache in /*) ;; *) cache=$PWD/$cache ;; esac
mkdir -p "$cache/pocl" "$cache/vendors" || finish 0 1
export XDG_CACHE_HOME="$cache" POCL_CACHE_DIR="$cache/pocl" CTR_REQUIRE_DEVICE=1
# A directory, since Khronos's loader takes no file.
if [ -z "${OCL_ICD_VENDORS:-}" ] && [ -f /etc/OpenCL/vendors/pocl.icd ]; then
    cp /etc/OpenCL/vendors/pocl.icd "$cache/vendors" || finish 0 1
    export OCL_ICD_VENDORS="$cache/vendors"
fi

say "running the tests"
log=$build_dir/meson-logs/testlog.json
rm -f "$log"
meson test -C "$build_dir" --no-rebuild --print-errorlogs "$@" </dev/null >&2
status=$?
counts=$(python3 tools/dev/count_tests.py "$log" "$status") || finish 0 1
# shellcheck disable=SC2086 # two numbers
finish $counts
