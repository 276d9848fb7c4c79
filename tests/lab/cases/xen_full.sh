# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# The disk of the logs is full while a domain prints without end, far more than is kept in memory, and another one, whose user types: neither
# waits, it is told once, and what is lost is counted and marked; with room again all is stored, the marks being what is missing to the byte.
. "$CASES/cases/xenlib.sh"
dom0_first
MORE=200000 # bytes that are dropped, at least

# Whatever is full here is the disk: by default all logs together keep to a tenth of it, and closed files are compressed.
mount -t tmpfs -o size=64M,mode=0700 full log
printf '%s\n' 'segment_size = "1G"' 'console_size = "1G"' 'total_size = "1G"' 'memory_size = "256K"' \
    'console "*" { compress = no }' >vconsd.conf
xen_service --config "$PWD/vconsd.conf"
dropped() { vcons ls --json | tr -d ' \n' | grep -o "\"name\":\"$1/pv0\"[^}]*" | sed -n 's/.*"dropped":\([0-9]*\).*/\1/p'; }
drops() { [ "$(dropped spew)" -gt "$1" ]; }
says() { log_of "$1/pv0" 2>/dev/null | tr -d '\r' | grep -qx "$2"; }

tiny spew "quiet; spew 100000000"
tiny talk quiet
bytes() { wc -c <log/spew/pv0/current.log; }
begun() { [ -e log/spew/pv0/current.log ] && [ "$(bytes)" -gt 100000 ]; }
wait_for "its first output" begun
dd if=/dev/zero of=log/filler bs=64k 2>/dev/null && fail "all of that went in"
wait_for "output that finds no room" drops 0
wait_for "its guest to go on" drops "$(($(dropped spew) + MORE))"
told=$(grep -c 'spew/pv0: .*kept in memory' vconsd.err) # how often, while it was full without a break
[ "$told" = 1 ] || fail "told $told times: $(cat vconsd.err)"
vcons status --json | tr -d ' ' | grep -q '"logs_failing":[1-9]' || fail "no log is said to fail: $(vcons status --json)"

was=$(bytes)
rm log/filler
grows() { [ "$(bytes)" -gt "$((was + 100000))" ]; }
wait_for "room again" grows
has vconsd.err 'spew/pv0: stores again'
vcons send talk 'echo once more'
wait_for "the other one" says talk 'once more'
printf '\003' | vcons send spew
stopped() { tail -c 100 log/spew/pv0/current.log | grep -qF '^C'; }
wait_for "the end of its output" stopped

# 80 bytes a line, and the last of them says which it is: so much was printed, so much is there, and the marks say the rest. What stood in
# the ring when it was stopped goes on behind the last whole line.
log_of spew/pv0 >all
awk '/^[0-9]+ [A-Za-z0-9+-]+\r$/ && length($0) == 79 { line = $1; before = n } { n += length($0) + 1 } END { print line, before }' all >where
read -r line before <where
marked=$(vcons log spew | sed -n 's/.*\[vcons: \([0-9]*\) bytes dropped\].*/\1/p' | awk '{ n += $1 } END { printf "%d", n }')
[ "$marked" = "$(dropped spew)" ] || fail "$marked bytes are marked, $(dropped spew) counted"
[ "$((before + marked))" = "$((line * 80))" ] || fail "line $line stands at $before, with $marked bytes missing"
kill -0 "$SERVICE" || fail "the service has gone"
echo "$marked bytes dropped, $(wc -c <all) stored"
last spew poweroff
last talk poweroff
ended spew
ended talk
xen_service_stop
umount log
