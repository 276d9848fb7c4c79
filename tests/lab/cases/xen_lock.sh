# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# Readers of a domain's terminal do not take each other's bytes: of two xl console one is refused, by the lock that it has had since
# xenconsoled; and who reads the link of the same console reads another terminal. Each has every byte.
. "$CASES/cases/xenlib.sh"
echo 'console "*" { pty = yes }' >conf
xen_service --config conf
tiny two quiet
wait_for "its terminal" served two
LOCK=/var/lock/xenconsole.$(domid two)
[ ! -e "$LOCK" ] || fail "$LOCK is there already"

# console FILE - xl console, which types nothing
console() {
    xl console two >"$1" 2>"$1.err" <>"$NEVER" &
    CONSOLE=$!
}
locked() { [ -e "$LOCK" ] && grep -q "FLOCK .*:$(stat -c %i "$LOCK") " /proc/locks; }
has_all() { log_of two/pv0 >all && cmp -s all "$1"; }
printed() { log_of two/pv0 2>/dev/null | grep -q "$1"; }

console first
wait_for "the lock of xl console" locked
xl console two >second 2>&1 <>"$NEVER" && fail "a second xl console was let in"
has second "Could not lock"
cat run/consoles/two/pv0.pty >linked &
LINKED=$!
[ "$(readlink run/consoles/two/pv0.pty)" != "$(node two console/tty)" ] || fail "the link is to xl's terminal"
vcons send two 'spew 300'
wait_for "its output" printed "^0*299"
wait_for "all of it at xl console" has_all first
wait_for "all of it at the link" has_all linked

# Killed it keeps no lock, and the next reads on where it was.
kill -9 "$CONSOLE"
unlocked() { ! locked; }
wait_for "the end of its lock" unlocked
vcons send two 'echo between'
wait_for "what was said between" printed ^between
console third
wait_for "the lock of another" locked
follows() { log_of two/pv0 >all && cat first third | cmp -s - all; }
wait_for "the rest, and nothing twice" follows
last two poweroff
ended two
left() { ! kill -0 "$CONSOLE" 2>/dev/null; }
wait_for "the end of xl console" left
follows || fail "not all was read"
kill "$LINKED"
