# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# What the cases share. Read first by each, inside a machine of the lab: . "$CASES/cases/lib.sh"
set -eu
export VCONS_RUNTIME_DIR="$PWD/run" VCONS_STATE_DIR="$PWD/state" VCONS_LOG_DIR="$PWD/log" VCONS_LIBEXEC="$CASES/bin"
mkdir -m 700 run state log
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
        usleep 100000
    done
}

# service - start vconsd, and wait until it answers
service() {
    vconsd --foreground 2>vconsd.err &
    wait_for "vconsd" vcons status >/dev/null 2>&1
}

# log_of DOMAIN/CONSOLE - its raw bytes since byte 0
log_of() { cat "log/$1"/[0-9]*.log; }

# has FILE TEXT - a line of the file has it
has() { grep -qF -- "$2" "$1" || { tail -n 40 "$1"; fail "$1 has no '$2'"; }; }

# same FILE FILE - byte for byte
same() { cmp "$1" "$2" || { head -n 20 "$1" "$2"; fail "$1 and $2 differ"; }; }

# count TEXT - lines of standard input that have it
count() { grep -cF -- "$1" || true; }
