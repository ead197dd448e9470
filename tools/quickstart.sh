#!/bin/sh
# quickstart.sh -- `sh tools/quickstart.sh`: installs what is missing, builds, trains on the built-in
# drawings on device 0 and prints the evaluation. About two minutes on two CPU cores, after the
# packages. Safe to repeat: each run gets a directory of its own below runs/.
set -eu
cd "$(dirname "$0")/.." || exit 1
. tools/setup.sh

setup "$build_packages"

build_dir=${BUILD:-build}
say "building in $build_dir"
build "$build_dir" --buildtype=release -Dtests=false || die "the build failed"

run=runs/quickstart
number=1
while [ -e "$run" ]; do
    number=$((number + 1))
    run=runs/quickstart-$number
done
mkdir -p runs

say "training: $build_dir/clcontrast train --device 0 --out $run"
"$build_dir/clcontrast" train --device 0 --out "$run"
say "evaluating: $build_dir/clcontrast eval $run"
"$build_dir/clcontrast" eval "$run"
