# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# What the cases share. Read first by each, inside a machine of the lab: . "$CASES/cases/lib.sh"
set -eu
export VCONS_RUNTIME_DIR="$PWD/run" VCONS_STATE_DIR="$PWD/state" VCONS_LOG_DIR="$PWD/log" VCONS_LIBEXEC="$CASES/bin"
mkdir -m 700 run state log
mkfifo never
NEVER=$PWD/never # nobody writes there: the shell alone waits, for a process is dear here
WAIT_S=60 # for a condition that comes within a second or few; the machine is emulated

fail() {
    echo "FAILED: $*"
    exit 1
}

# wait_for WHAT COMMAND... - until it succeeds
wait_for() {
    local what=$1 tries=0
    shift
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt $((WAIT_S * 10)) ] || fail "waited in vain for $what"
        # shellcheck disable=SC3045 # busybox's read can
        read -r -t 0.1 _ <>"$NEVER" || :
    done
}

# service - start vconsd, and wait until it answers
service() {
    vconsd --foreground 2>vconsd.err &
    wait_for "vconsd" vcons status >/dev/null 2>&1
}

# log_of DOMAIN/CONSOLE - its raw bytes since byte 0. Segments are small where the file system is, and closed ones are compressed: a case
# that prints megabytes says segment_size = "1G"
log_of() {
    ! ls "log/$1"/*.zst >/dev/null 2>&1 || fail "log/$1 has compressed segments" >&2 # its output is the log, mostly into a pipe
    cat "log/$1"/[0-9]*.log
}

# last ARGUMENT... - vcons send of what ends a domain, whose end may be faster than the answer: status 6
last() { vcons send "$@" 2>last.err || [ $? = 6 ] || fail "vcons send: $(cat last.err)"; }

# has FILE TEXT - a line of the file has it
has() { grep -qF -- "$2" "$1" || { tail -n 40 "$1"; fail "$1 has no '$2'"; }; }

# same FILE FILE - byte for byte
same() { cmp "$1" "$2" || { diff "$1" "$2" | head -n 60; fail "$1 and $2 differ"; }; }

# count TEXT - lines of standard input that have it
count() { grep -cF -- "$1" || true; }

# ramdisk FILE - for the stock guests: L1's busybox, and guest-init, which ends in a shell on the console
ramdisk() {
    mkdir -p guest/bin
    cp /bin/busybox guest/bin/
    cp "$CASES/cases/guest-init" guest/init
    chmod 755 guest/init
    (cd guest && find . | cpio -o -H newc 2>/dev/null) >"$1"
}

# What to type for said_all: the kernel is kept from speaking into it.
SAY_ALL='dmesg -n 1; dmesg >/d; echo D-"BEGIN"; cat /d; echo D-"END"\r'

# said_all LOG - a guest's log from byte 0 has every line of the guest's own dmesg, which it holds too, and none else. What the
# guest said between the two commands of SAY_ALL is missing from what it printed.
said_all() {
    head -n 1 "$1" | grep -qE '^\[    0\.000000\] (Booting Linux on|Linux version)' || fail "the log begins with: $(head -n 1 "$1")"
    tr -d '\r' <"$1" | awk '
        /^D-BEGIN$/ { inside = 1; next }
        /^D-END$/ { exit }
        inside { print >"dmesg"; next }
        match($0, /\[ *[0-9]+\.[0-9]+\] /) { print substr($0, RSTART) >"printed" }'
    [ "$(wc -l <printed)" -gt 100 ] || fail "it printed only $(wc -l <printed) lines"
    [ "$(wc -l <dmesg)" -le "$(($(wc -l <printed) + 3))" ] || fail "it said $(wc -l <dmesg) lines, printed $(wc -l <printed)"
    head -n "$(wc -l <printed)" dmesg >said
    same said printed
}
