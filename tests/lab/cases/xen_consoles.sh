# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# vconsd in place of xenconsoled: a stock domain's PV console and vuart at once, a further PV console while it runs, each exact; killed
# in the middle of output; xl console's pseudo-terminals; renamed; its pages given back at the end.
. "$CASES/cases/xenlib.sh"

logged() { grep -aq "$2" "log/web/$1/current.log" 2>/dev/null; }
# lines CONSOLE WORD N - each of N numbered lines of this word, once and in order
lines() {
    tr -d '\r' <"log/web/$1/current.log" | grep -a "^$2 [0-9]*\$" >got
    i=0
    while [ $i -lt "$3" ]; do
        echo "$2 $i"
        i=$((i + 1))
    done >want
    cmp got want || {
        diff got want | head -n 5
        fail "$1: not every line of $2, once and in order"
    }
}
# A word for the guest's shell: sh /spew WORD N. It prints a line at a time.
spew=$(
    cat <<'END'
dmesg -n 1 # the kernel speaks into lines of others
echo 'i=0; while [ $i -lt $2 ]; do echo "$1 $i"; i=$((i + 1)); done' >/spew
END
)

xen_service
nameless() { xl list | grep -c '(null)' || true; } # guests that Xen itself started, and those whose pages somebody still has
nameless=$(nameless)
uart=
[ "$WAY" = xen ] || uart='vuart = "sbsa_uart"'
stock web "$spew" "$uart"
wait_for "the shell" logged pv0 'domu#'
node web console/tty | grep -q '^/dev/pts/' || fail "no tty"
[ "$WAY" = xen ] || node web vuart/0/tty | grep -q '^/dev/pts/' || fail "no tty of the vuart"

vcons xen console add web | grep -q '^web/pv1: device/console/1' || fail "console add"
further() { [ "$(node web device/console/1/state)" = 4 ] && vcons ls --json | grep -q '"web/pv1"'; }
wait_for "hvc1" further
node web device/console/1/tty | grep -q '^/dev/pts/' || fail "no tty of pv1"
vcons send web/pv0 'stty -echo; sh /spew one 1000 >/dev/hvc0 & sh /spew two 1000 >/dev/hvc1 & [ ! -e /dev/ttyAMA0 ] || sh /spew three 300 >/dev/ttyAMA0 & wait; echo all of it'
for round in 1 2; do
    wait_for "output, round $round" logged pv1 "two ${round}00"
    xen_service_stop KILL
    xen_service
done
wait_for "the end of output" logged pv0 '^all of it'
lines pv0 one 1000
wait_for "the end of pv1's" logged pv1 'two 999'
lines pv1 two 1000
if [ "$WAY" != xen ]; then
    wait_for "the end of the vuart's" logged vuart0 'three 299'
    lines vuart0 three 300
fi

vcons xen console remove web pv1
removed() { ! node web device/console/1/state && ! xenstore-ls /local/domain/0/backend/console 2>/dev/null | grep -q vcons; }
wait_for "the end of hvc1" removed
vcons send web/pv0 'echo still "here"'
wait_for "an answer" logged pv0 'still here'

# Another name, and the same history: the log goes on under it, without a gap.
xl rename web www
renamed() { [ -e log/www/pv0/current.log ] && [ ! -e log/web ] && vcons ls --json | tr -d ' \n' | grep -q '"name":"www/pv0"[^}]*"state":"running"'; }
wait_for "the new name" renamed
vcons send www/pv0 'echo now "renamed"'
again() { grep -aq 'now renamed' log/www/pv0/current.log; }
wait_for "an answer under the new name" again
vcons log www/pv0 | grep -q 'bytes dropped' && fail "a gap by the new name"
vcons log www/pv0 | grep -q '^one 999' || fail "its history is gone"
xl destroy www
off() { vcons ls --json | tr -d ' \n' | grep -q '"name":"www/pv0"[^}]*"state":"off"'; }
wait_for "its end" off
no_zombie() { [ "$(nameless)" = "$nameless" ]; }
wait_for "its pages given back" no_zombie
xen_service_stop
