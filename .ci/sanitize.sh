#!/bin/sh
# sanitize.sh -- every test under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer.
set -eu
cd "$(dirname "$0")/.."
export ASAN_OPTIONS="detect_stack_use_after_return=1:${ASAN_OPTIONS-}"
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0"
export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1"
export BUILD="${BUILD:-build-sanitize}" CONFIGURE="-Db_sanitize=address,undefined -Db_lundef=false"
exec sh tools/test.sh "$@"
