# shellcheck shell=sh disable=SC2034 # sourced; the lists are used there
# setup.sh -- shared by quickstart.sh and test.sh: finds or installs what the build needs.
#
# In: a Debian or Ubuntu system, as root or with sudo; any other system that has the packages.
# Out: the packages of the lists below, or their names on standard error. Never asks a question;
# calls apt only when something is missing. Sourced from the repository's root by POSIX sh.

# A line a package: what it is for follows `#`. `a|b` is "any of them"; the first is installed.
build_packages='
gcc                                  # C compiler
libc6-dev                            # C library headers
binutils                             # linker, for us and for PoCL at run time
meson                                # build system
ninja-build                          # runs the build
pkg-config|pkgconf                   # finds libraries
python3                              # embeds the kernels in the binary
ocl-icd-opencl-dev                   # OpenCL loader
opencl-headers|opencl-c-headers      # OpenCL headers
libclblast-dev                       # matrix products on any device
libstb-dev                           # stb_image, the fallback decoder
libjansson-dev                       # reads JSON
libxxhash-dev                        # checks files
libjpeg-dev|libjpeg62-turbo-dev|libjpeg-turbo8-dev  # reads JPEG
libpng-dev                           # reads PNG
libtiff-dev                          # reads TIFF
pocl-opencl-icd                      # OpenCL on the CPU
'
test_packages='
libcmocka-dev                        # unit tests
'
# Used when there, installed when the release has them.
extra_test_packages='
mandoc                               # finds mistakes in manual pages
oclgrind                             # finds races and out-of-bounds accesses in kernels
'

say() { printf '%s\n' "== $*" >&2; }
die() { printf '%s\n' "error: $*" >&2; exit 1; }

names() { printf '%s\n' "$1" | sed 's/#.*//; s/[[:space:]]*$//; /^$/d'; }

installed() { # a|b: is one of them?
    for name in $(printf '%s' "$1" | tr '|' ' '); do
        case $(dpkg-query -W -f='${Status}' "$name" 2>/dev/null) in
        *' ok installed') return 0 ;;
        esac
    done
    return 1
}

missing() { for entry in $(names "$1"); do installed "$entry" || printf '%s ' "$entry"; done; }

# A password may be asked for only where somebody sits.
sudo=
[ "$(id -u)" -eq 0 ] || sudo='sudo -n'
[ -z "$sudo" ] || [ ! -t 0 ] || sudo=sudo

apt_get() {
    # shellcheck disable=SC2086 # no word or two
    $sudo env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null >&2
}

# The first of a|b that apt knows; fails with the first name when it knows none.
available() {
    for name in $(printf '%s' "$1" | tr '|' ' '); do
        if LC_ALL=C apt-cache policy "$name" 2>/dev/null | grep 'Candidate:' | grep -qv '(none)'; then
            printf '%s' "$name"
            return 0
        fi
    done
    printf '%s' "${1%%|*}"
    return 1
}

install_missing() { # needed, welcome
    apt_get update || say "apt-get update failed; going on with the lists that are there"
    chosen=
    for entry in $1; do
        name=$(available "$entry") ||
            say "apt knows no package $name (on Ubuntu: add-apt-repository universe)"
        chosen="$chosen $name"
    done
    for entry in $2; do
        name=$(available "$entry") && chosen="$chosen $name"
    done
    # shellcheck disable=SC2086 # a list of words
    [ -z "$chosen" ] || apt_get install --no-install-recommends $chosen
}

need_list() {
    say "$1. Needed (Debian's names):"
    names "$2" | sed 's/|.*//' | tr '\n' ' ' >&2
    printf '\n' >&2
    say "going on with what is here"
}

# A bare chroot has nothing at /proc and /sys; PoCL asks both about processors and memory.
mount_kernel_views() {
    for view in proc:/proc sysfs:/sys; do
        at=${view#*:}
        if [ ! -d "$at" ] || [ -n "$(ls -A "$at")" ]; then continue; fi
        say "$at is empty; mounting it, since PoCL needs it"
        $sudo mount -t "${view%:*}" "${view%:*}" "$at" 2>/dev/null ||
            say "cannot mount it; from outside: mount --bind $at CHROOT$at"
    done
}

# setup NEEDED [WELCOME]: lists as above.
setup() {
    mount_kernel_views
    if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
        need_list "this system has no apt" "$1"
        return 0
    fi
    need=$(missing "$1")
    welcome=$(missing "${2-}")
    [ -n "$need" ] || return 0
    if [ -n "$sudo" ] && ! command -v sudo >/dev/null 2>&1; then
        need_list "not root, no sudo, and not installed: $need" "$1"
        return 0
    fi
    say "installing: $need$welcome"
    install_missing "$need" "$welcome" || need_list "apt-get could not install $need" "$1"
}

# build DIR OPTION...: configures once, then builds what changed.
build() {
    dir=$1
    shift
    for tool in meson ninja; do
        command -v $tool >/dev/null 2>&1 || die "$tool is not installed"
    done
    if [ ! -f "$dir/build.ninja" ]; then
        meson setup "$dir" "$@" >&2 || return 1
    fi
    ninja -C "$dir" >&2
}
