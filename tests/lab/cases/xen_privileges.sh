# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh disable=SC2012
# Once Xen's devices are open the service is root no more and has no capability: new domains come up all the same, their pages
# mapped by grant and by frame, further consoles made, ports bound again; by its own options and by xenconsoled's.
. "$CASES/cases/xenlib.sh"
[ ! -e /etc/passwd ] || fail "dom0 has users: these here would take their place"
printf '%s\n' 'root:x:0:0::/:/bin/sh' 'vcons:x:990:991::/:/bin/false' >/etc/passwd
printf '%s\n' 'root:x:0:' 'vcons:x:991:' >/etc/group

# powerless PID - each thread of it: who it is, what it may
powerless() {
    for task in "/proc/$1/task"/*; do
        sed -n 's/[[:space:]]\+/ /g; /^\(Uid\|Gid\|Groups\|CapInh\|CapPrm\|CapEff\|CapAmb\|NoNewPrivs\|Seccomp\):/p' "$task/status" >has
        cat >wanted <<END
Uid: 990 990 990 990
Gid: 991 991 991 991
Groups: 991
CapInh: 0000000000000000
CapPrm: 0000000000000000
CapEff: 0000000000000000
CapAmb: 0000000000000000
NoNewPrivs: 1
Seccomp: 2
END
        sed 's/ $//' has >has.trimmed
        same wanted has.trimmed
    done
}
shown() { vcons ls | grep -qE "^$1 +running "; }
rings() { log_of "$1/pv0" | tr -d '\r'; }

xen_service --run-as vcons
powerless "$SERVICE"
[ "$(ls "/proc/$SERVICE/task" | wc -l)" -ge 3 ] || fail "it has no threads"
UART='' # by frame: only there
[ "$WAY" = xen ] || UART='vuart = "sbsa_uart"'
tiny one "quiet; spew 500" "$UART"
wait_for "a console by grant" shown one/pv0
[ -z "$UART" ] || wait_for "a console by frame" shown one/vuart0
vcons xen console add --keep one more >added || fail "console add"
spewed() { [ "$(rings one | grep -c '^[0-9]')" = 500 ]; }
wait_for "what it says" spewed
vcons send one 'echo as typed'
answered() { rings one | grep -qx "as typed"; }
wait_for "an answer" answered
vcons ls | grep -qE '^Domain-0/hypervisor ' || fail "no log of the hypervisor's"
xl dmesg >/dev/null
[ "$(stat -c %u:%g log/one/pv0/00000000000000000000.log state/xen/one | sort -u)" = 990:991 ] || fail "whose are $(ls -ln log/one/pv0 state/xen)"
powerless "$SERVICE"
echo "one: $(vcons ls | grep -c running) consoles"
xen_service_stop KILL
xen_service --run-as vcons # its ports are bound again
echo "again: $(vcons ls | grep -c running) consoles"
tiny two "quiet; spew 500; poweroff"
ended two
[ "$(rings two | grep -c '^[0-9]')" = 500 ] || fail "two said $(rings two | wc -l) lines"
xl destroy one
xen_service_stop

echo "two: $(rings two | wc -l) lines"

# As an init script starts it: with such a user there is no root either, and its text files are where xenconsoled left its own.
tiny_log=$CONSOLED_LOG/guest-three.log
echo "by xenconsoled" >"$tiny_log"
vconsd --xenconsoled --log=guest --pid-file=/run/xenconsoled.pid || fail "it did not start"
SERVICE=$(cat /run/xenconsoled.pid)
powerless "$SERVICE"
tiny three "quiet; spew 100; poweroff"
ended three
written() { [ "$(grep -c '^[0-9]' "$tiny_log")" = 100 ]; }
wait_for "its text file" written
[ "$(head -n 1 "$tiny_log")" = "by xenconsoled" ] || fail "what was there is gone"
echo "by xenconsoled's options: $(wc -l <"$tiny_log") lines"
kill "$SERVICE"
is_gone() { [ ! -e "/proc/$SERVICE" ]; }
wait_for "its end" is_gone
SERVICE=
no_dialer() { ! grep -qs xenstore-dialer /proc/[0-9]*/comm; }
wait_for "the end of what connects to XenStore" no_dialer

# Who stays root keeps one capability, and that is all. Directories of another user are not root's.
vconsd --foreground --xen --run-as root 2>refused && fail "root took another user's directories"
has refused "belongs to user 990"
mkdir -m 700 root
export VCONS_RUNTIME_DIR="$PWD/root/run" VCONS_STATE_DIR="$PWD/root/state" VCONS_LOG_DIR="$PWD/root/log"
xen_service --run-as root
grep -q '^CapEff:[[:space:]]*0000000000000002$' "/proc/$SERVICE/status" || fail "root has $(grep Cap "/proc/$SERVICE/status")"
xen_service_stop
rm /etc/passwd /etc/group
