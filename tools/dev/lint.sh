#!/bin/sh
# lint.sh -- checks the text of the sources: `lint.sh [--format]`. In: the tree it lies in. Out: one
# line a finding, exit 1 when there is any. Blanks at line ends, tabs, carriage returns, a missing
# last newline, invisible or direction-changing Unicode, headers that do not compile alone as C11
# and as C++, shell scripts that shellcheck (if there) objects to. --format: also clang-format, whose
# taste changes with its version.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC:=cc}"
# PoCL's own compiler does when there is no other.
: "${CXX:=$(for name in c++ g++ clang++ clang++-18 clang++-17 clang++-16 clang++-15 clang++-14; do
    command -v $name && break
done)}"

find_sources() {
    find include src cl examples tests tools docs .ci \( -name '*.[ch]' -o -name '*.cl' -o -name '*.clh' \
        -o -name '*.py' -o -name '*.sh' -o -name '*.md' -o -name run -o -name meson.build \) \
        -type f 2>/dev/null
    ls meson.build README.md 2>/dev/null
}

report() { # what: findings on standard input
    while IFS= read -r line; do
        printf '%s: %s\n' "$1" "$line"
        echo x >>"$marks"
    done
}

marks=$(mktemp) && trap 'rm -f "$marks"' EXIT || exit 1
sources=$(find_sources)
# shellcheck disable=SC2086 # no source has a blank in its name
{
    grep -nE '[[:blank:]]+$' $sources | report 'blanks at the end'
    printf '%s\n' $sources | grep -vE '\.md$' | xargs grep -nF "$(printf '\t')" | report 'tab'
    grep -nF "$(printf '\r')" $sources | report 'carriage return'
    for file in $sources; do
        [ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || echo "$file"
    done | report 'no newline at the end'
    # UTF-8 of C1 controls, zero-width and direction marks, word joiners, byte order mark, no-break space.
    LC_ALL=C grep -nP '\xc2[\x80-\xa0\xad]|\xd8\x9c|\xe2\x80[\x8b-\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf' \
        $sources | report 'invisible character'
}

out=$(mktemp -d) && trap 'rm -rf "$marks" "$out"' EXIT || exit 1
for header in include/clcontrast/*.h; do
    name=${header#include/}
    printf '#include "%s"\n#include "%s"\n' "$name" "$name" >"$out/alone.c"
    cp "$out/alone.c" "$out/alone.cpp"
    $CC -std=c11 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$out/alone.c" 2>&1 |
        report 'header alone, C11'
    if [ -n "$CXX" ]; then
        $CXX -std=c++11 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$out/alone.cpp" 2>&1 |
            report 'header alone, C++'
    fi
done
if command -v shellcheck >/dev/null 2>&1; then
    shellcheck -f gcc tools/*.sh tools/dev/*.sh .ci/* 2>&1 | report shellcheck
fi
if [ "${1-}" = --format ]; then
    find include src examples tests tools -name '*.[ch]' -print0 |
        xargs -0 clang-format --dry-run 2>&1 | grep warning: | report format
fi

findings=$(wc -l <"$marks")
echo "$((findings)) findings"
[ "$((findings))" -eq 0 ]
