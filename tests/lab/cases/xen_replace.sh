# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh disable=SC2012
# vconsd in the place of xenconsoled for good: it refuses beside a live one; packaging/xen's command diverts Debian's path, and
# takes over while a domain prints, with not a byte lost or doubled; Debian's own init script stops, starts and restarts it, and it alone;
# and xenconsoled comes back as it was.
. "$CASES/cases/xenlib.sh"
dom0_first
PROGRAM=$(sed -n 's/^program=\([^ ]*\).*/\1/p' "$CASES/bin/vcons-replace-xenconsoled")
PLACE=/usr/lib/xen-4.17/bin/xenconsoled PID_FILE=/run/xenconsoled.pid
mkdir -p "${PROGRAM%/*}"
cp "$CASES/bin/xenconsoled-vcons" "$PROGRAM"
ln -sf xenstored.pid /run/xenstore.pid # where the init script has it

serving() { cat "$PID_FILE"; }
runs() { readlink "/proc/$(serving)/exe"; }
# is NAME PID - that process runs, and has that name
is() { [ "$(cat "/proc/$2/comm" 2>/dev/null)" = "$1" ]; }
bytes() { wc -c <"$CONSOLED_LOG/guest-take.log"; }
printed() { [ "$(bytes)" -ge 30000 ]; }
says() { tail -c 4000 log/take/pv0/current.log 2>/dev/null | grep -qF "$1"; }
stored() { [ "$(ls -l log/take/pv0/[0-9]*.log 2>/dev/null | awk '{ n += $5 } END { print n + 0 }')" -ge "$1" ]; }

replace() { dash "$CASES/bin/vcons-replace-xenconsoled" "$1"; } # busybox' shell has a start-stop-daemon of its own

old=$(serving)
tiny take "quiet; spew 100000000"
wait_for "output by xenconsoled" printed
vconsd --xenconsoled -i 2>refused && fail "it started beside xenconsoled"
has refused "as pid $old"
vconsd --xenconsoled --pid-file="$PID_FILE" 2>refused && fail "it started with xenconsoled's pid file"
has refused "pid $old"
is xenconsoled "$old" || fail "xenconsoled is gone"

replace install >install.out 2>&1 || fail "install"
is xenconsoled "$old" && fail "xenconsoled still runs"
new=$(serving)
is xenconsoled "$new" || fail "pid $new is $(cat "/proc/$new/comm")"
[ "$(runs)" = "$PROGRAM" ] || fail "$(runs) runs"
tail -n 1 install.out | grep -q "xenconsoled, pid $old, was ended: its consoles go on here$" || fail "$(cat install.out)"
[ -x "$PLACE.xen" ] || fail "the old one was not kept"
wait_for "output here" stored 30000

# As at every boot and upgrade.
dash /etc/init.d/xen start || fail "start where it runs"
[ "$(serving)" = "$new" ] || fail "another was started beside it"
mkdir -m 700 elsewhere # a service that has nothing to do with Xen, on directories of its own
VCONS_RUNTIME_DIR=$PWD/elsewhere VCONS_STATE_DIR=$PWD/elsewhere VCONS_LOG_DIR=$PWD/elsewhere/log vconsd --foreground 2>other.err &
other=$!
elsewhere() { vcons --socket elsewhere/control.sock status >/dev/null 2>&1; }
wait_for "another service" elsewhere
dash /etc/init.d/xen restart || fail "restart"
[ "$(serving)" != "$new" ] || fail "it was not restarted"
is xenconsoled "$new" && fail "pid $new still runs"
wait_for "output after a restart" stored 60000
dash /etc/init.d/xen stop || fail "stop"
[ ! -e "$PID_FILE" ] || fail "the pid file is still there"
no_process xenconsoled || fail "it was not stopped"
dash /etc/init.d/xen start || fail "start"
is xenconsoled "$(serving)" || fail "$(cat "/proc/$(serving)/comm") runs"
[ "$(runs)" = "$PROGRAM" ] || fail "$(runs) runs"
wait_for "its answer" vcons status >/dev/null 2>&1
is vconsd "$other" || fail "a service that has nothing to do with it was ended: $(cat other.err)"

printf '\003' | vcons send take
wait_for "the end of its output" says '^C'
{ cat "$CONSOLED_LOG/guest-take.log" && vcons log --raw take/pv0; } >all # parts of ours may be compressed
n=$(grep -c '^[0-9]' all)
mkdir lines
head -n "$n" all >lines/00000000000000000000.log
check_spew lines "$n"
echo "$(bytes) bytes by xenconsoled, $(($(wc -c <all) - $(bytes))) here"

echo 'XENCONSOLED_ARGS=--log=guest' >/etc/default/xen
replace remove || fail "remove"
[ "$(runs)" = "$PLACE" ] || fail "$(runs) runs"
[ ! -e "$PLACE.xen" ] || fail "$PLACE.xen is left"
xl destroy take
tiny again "quiet; spew 100; poweroff"
ended again
[ "$(consoled_said again | wc -l)" -ge 100 ] || fail "xenconsoled serves nobody"
rm /etc/default/xen /run/xenstore.pid
