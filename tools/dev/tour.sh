#!/bin/sh
# tour.sh -- from a folder of images to answers, the session of docs/TUTORIAL.md: tour.sh PROGRAM FOLDER WORK.
# In: FOLDER with train/CLASS and test/CLASS. Out: each command and what it says, on standard output; all
# files in WORK. TRAIN has other options of `train`. Needs Pillow, to plant duplicates.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1") folder=$(realpath "$2") work=$3
python3 -c 'import PIL' || { echo "tour.sh: needs Pillow: apt install python3-pil, or pip install pillow" >&2; exit 1; }
mkdir -p "$work"
cd "$work"
ln -sfn "$folder" photos

tell() { # command, shown as a person would type it
    printf '\n$ %s\n' "$*"
    "$@" 2>&1
}
clcontrast() { "$program" "$@"; }

tell clcontrast info photos
tell clcontrast pack photos -o photos.ctrd
# shellcheck disable=SC2086 # a list of words
tell clcontrast train --data photos.ctrd --out run ${TRAIN---epochs 10}
tell clcontrast eval run
tell clcontrast embed run --split test -o test.npy
tell clcontrast search test.npy --row 3 --row 777 --row 5555 -k 9 --html search.html
tell clcontrast map test.npy --points 3000 -o map.svg -o map.html
python3 "$here/plant_duplicates.py" plant photos/test planted --images 3000 --copies 300
printf '\n$ clcontrast dedup planted --html duplicates.html | tail -25\n'
clcontrast dedup planted --html duplicates.html 2>&1 | tail -25
clcontrast dedup planted --json >duplicates.json 2>/dev/null
tell python3 "$here/plant_duplicates.py" score planted duplicates.json
tell clcontrast report run --limit 3000 -o report.html
tell clcontrast export run -o encoder.onnx
tell clcontrast info encoder.onnx
