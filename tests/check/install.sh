#!/bin/sh
# install.sh -- what `meson install` gives is enough for others: install.sh BUILD CC [CFLAG...]
#
# Installs into a directory of its own, then, as an outside project does, finds the library by
# pkg-config, compiles, links and runs against it. Checks the soname and that exactly the functions
# marked CTR_API are exported.
set -eu
build=$1 cc=$2
shift 2
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
fail() { echo "FAIL: $*"; exit 1; }

meson install -C "$build" --no-rebuild --destdir "$stage" >"$stage/log" || { cat "$stage/log"; exit 1; }
pc=$(find "$stage" -name clcontrast.pc)
[ -n "$pc" ] || fail "no pkg-config file"
lib=$(find "$stage" -name libclcontrast.so)
[ -n "$lib" ] || fail "no library"

export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$stage"
cat >"$stage/use.c" <<'C'
#include <clcontrast/status.h>
#include <stdio.h>
int main(void)
{
    puts(ctr_status_name(CTR_E_DATA));
    return 0;
}
C
# shellcheck disable=SC2046 # flags are words
"$cc" "$@" -o "$stage/use" "$stage/use.c" $(pkg-config --cflags --libs clcontrast)
export LD_LIBRARY_PATH="${lib%/*}"
[ "$("$stage/use")" = E_DATA ] || fail "the outside program printed something else"
echo "an outside program compiles, links and runs"

program=$(find "$stage" -path '*/bin/clcontrast')
[ "$("$program" --version)" = "clcontrast $(pkg-config --modversion clcontrast)" ] ||
    fail "program and pkg-config file differ in version"
for file in man/man1/clcontrast.1 man/man1/clcontrast-train.1 bash-completion/completions/clcontrast \
    zsh/site-functions/_clcontrast fish/vendor_completions.d/clcontrast.fish; do
    [ -s "$(find "$stage" -path "*/share/$file")" ] || fail "no $file"
done
readelf -d "$lib" | grep -q 'SONAME.*\[libclcontrast\.so\.0\]' || fail "soname"

# mangle_path is gcov's, in builds that count lines
nm -D --defined-only "$lib" | awk '{print $3}' | grep -v '^__\|^_init$\|^_fini$\|^mangle_path$' | sort >"$stage/exported"
headers=$(find "$stage" -path '*/include/clcontrast/*.h')
# shellcheck disable=SC2086
grep -ho '^CTR_API [^;]*' $headers | grep -o 'ctr_[a-z0-9_]* *(' | tr -d ' (' | sort -u >"$stage/declared"
diff "$stage/declared" "$stage/exported" || fail "declared (<) and exported (>) functions differ"
echo "$(wc -l <"$stage/declared") functions are declared and exported"
