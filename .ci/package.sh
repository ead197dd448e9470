#!/bin/sh
# package.sh -- the Debian package: built from the last commit in a directory outside of the tree, its
# quick tests run, lintian satisfied. `package.sh DIR` leaves source and packages in DIR.
# Needs debhelper, dpkg-dev and lintian beside what test.sh installs.
set -eu
cd "$(dirname "$0")/.."
out=${1:-$(mktemp -d)}
[ "$#" -gt 0 ] || trap 'rm -rf "$out"' EXIT
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
source="$out/clcontrast-$version"
rm -rf "$source"
mkdir -p "$source"
git archive HEAD | tar -x -C "$source"
(cd "$source" && dpkg-buildpackage -us -uc)
lintian --allow-root -EI --pedantic --fail-on error,warning,info "$out"/*.changes
echo "lintian: clean"
