# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the lab's scripts for the host share. The caller has set -euo pipefail, and $tmp where it calls apt_for or unpack.
lab=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${VCONS_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vcons-lab}
self=tests/lab/$(basename "$0")

say() { echo "$self: $*"; }
die() { echo "$self: error: $*" >&2; exit "${failure:-1}"; }
# The comment at the head of the script itself.
usage() { sed -n '3,/^set/{/^#/s/^# \{0,1\}//p}' "$0"; }

# need COMMAND... - programs of the host
need() {
    local c
    for c; do
        command -v "$c" >/dev/null || die "no $c here; run: script/bootstrap lab"
    done
}

# apt_for DEBARCH TOOL ARG... - apt with a state of its own, in $tmp: it needs no root, finds the mirrors of this machine,
# believes that nothing is installed, and leaves this machine's package state and architectures alone.
apt_for() {
    local a=$1 tool=$2 s=$tmp/apt-$1
    shift 2
    mkdir -p "$s/lists/partial" "$s/cache/archives/partial"
    : >"$s/status"
    "$tool" -qq -o Acquire::Languages=none -o Acquire::Retries=3 -o APT::Architecture="$a" -o APT::Architectures::="$a" \
        -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Dir::State="$s" -o Dir::State::lists="$s/lists" \
        -o Dir::Cache="$s/cache" -o Dir::State::status="$s/status" "$@"
}

# read_lists DEBARCH - what packages there are
read_lists() {
    say "reading the package lists"
    apt_for "$1" apt-get -o APT::Update::Error-Mode=any update >"$tmp/apt.log" 2>&1 ||
        die "cannot read Debian's package lists: $(grep -m 1 '^[EW]:' "$tmp/apt.log" || echo 'apt-get update failed')"
}

# unpack DEBARCH DIR PACKAGE... - download packages, and unpack them into DIR
unpack() {
    local a=$1 dir=$2 d p
    shift 2
    say "downloading $*"
    d=$(mktemp -d "$tmp/deb.XXXX")
    mkdir -p "$dir"
    (cd "$d" && apt_for "$a" apt-get download "$@") >"$tmp/apt.log" 2>&1 ||
        die "cannot download $*: $(grep -m 1 '^E:' "$tmp/apt.log" || echo 'apt-get download failed')"
    for p in "$d"/*.deb; do
        dpkg-deb -x "$p" "$dir"
    done
    rm -r "$d"
}

# kernel_behind DEBARCH META - the kernel package that a meta-package stands for
kernel_behind() {
    local p
    p=$(apt_for "$1" apt-cache depends "$2" | sed -n 's/.*Depends: \(linux-image-[0-9][^: ]*\).*/\1/p')
    [ -n "$p" ] || die "Debian has no kernel behind $2"
    echo "$p"
}

# one_at_a_time NAME - others who fill this part of the cache wait
one_at_a_time() {
    mkdir -p "$cache" || die "cannot write to the cache $cache"
    exec 9>"$cache/$1.lock"
    flock 9
}

# archive DIR - as an initramfs, the same for the same files
archive() { (cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0); }

# libraries FILE ROOT LIBDIR... - copy the shared libraries that FILE needs, and what those need in turn, into ROOT/lib
libraries() {
    local file=$1 root=$2 needed lib dir
    shift 2
    needed=$(readelf -d "$file" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    [ -n "$needed" ] || return 0
    # libgcc_s is loaded by name when a thread ends.
    for lib in $needed "${interpreter##*/}" libgcc_s.so.1; do
        [ -z "${have[$lib]-}" ] || continue
        have[$lib]=1
        for dir; do
            [ -e "$dir/$lib" ] || continue
            mkdir -p "$root/lib"
            cp -L "$dir/$lib" "$root/lib/"
            libraries "$dir/$lib" "$root" "$@"
            continue 2
        done
        echo "$self: warning: no library $lib for ${file#"$root"}" >&2
    done
}
