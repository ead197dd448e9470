#!/bin/sh
# debian.sh -- the last commit in a bare Debian, as somebody would meet it who has just installed that:
# `debian.sh RELEASE [TEST...]` (bookworm, trixie, sid ...) runs tools/test.sh there. Its PoCL, compiler and
# libraries are others than this machine's. As root; needs debootstrap. ROOT=DIR holds the system and is
# kept, so that the next run begins with the packages there; MIRROR is another than Debian's own; ARCH=arm64
# another processor, by qemu-user-static: what runs kernels takes ten times as long there, or more.
set -eu
cd "$(dirname "$0")/.."
release=${1:?usage: debian.sh RELEASE [TEST...]}
shift
root=${ROOT:-/var/tmp/clcontrast-$release${ARCH:+-$ARCH}}
if [ ! -e "$root/etc/debian_version" ]; then
    debootstrap --variant=minbase ${ARCH:+--arch="$ARCH"} "$release" "$root" ${MIRROR:+"$MIRROR"} >&2
fi
source=$root/src/clcontrast
mkdir -p "$source"
# All but what was built there before.
find "$source" -mindepth 1 -maxdepth 1 ! -name 'build*' -exec rm -rf {} +
git archive HEAD | tar -x -C "$source"

# Mounts of a namespace of its own, which end with it.
# shellcheck disable=SC2016 # the inner shell's variables
exec unshare --mount sh -c '
    root=$1
    shift
    for view in proc sys dev dev/pts; do
        mount --bind "/$view" "$root/$view"
    done
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        sh /src/clcontrast/tools/test.sh "$@"' debian.sh "$root" "$@"
