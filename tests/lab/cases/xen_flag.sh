# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# The connection flag, on a real Xen: up to now nobody has it set there, so it is set by hand while the domain is paused. With no
# daemon at all tiny then neither waits nor spins: a release Xen refuses console_io to a domain of a toolstack, so what it says is
# counted and gone. Once the flag falls it has the ring, and nothing comes twice.
. "$CASES/cases/xenlib.sh"

for name in alone late; do
    words='spew 2000; poweroff' # some 80 rings full
    [ $name = alone ] || words='echo early-1; spew 100; echo early-2; bind virq 1'
    OPTIONS=-p tiny $name "quiet; $words"
done
consoled_stop
for name in alone late; do
    ring $name flag 1
    xl unpause $name
done
ended alone

wait_for "all that is said early" rests late
ring late show >shown
grep -qx 'in_cons 0 in_prod 0 out_cons 0 out_prod 0 connection 1' shown || { cat shown; fail "the ring was used"; }

forget_tty late
ring late flag 0
consoled_start
wait_for "xenconsoled's terminal" served late
chat -t 100 shown xl console late <<'END'
type spew 100\r
see \ntiny> 
type consoles\r
see \ntiny> 
type poweroff\r
end 0
END
ended late
consoled_said late | tr -d '\r' >said
grep -v '^[0-9]' said
grep -q early said && fail "what was said before the flag fell came later"
[ "$(grep '^[0-9]' said | cut -d' ' -f1 | tr '\n' ' ')" = "$(seq -s ' ' 0 99) " ] || fail "lines are missing or twice"
spew=$(consoled_said late | grep '^[0-9]' | wc -c)
port=$(sed -n 's/^hvc0 .*dropped \([0-9]*\).*/\1/p' said)
[ "$port" = $((spew + 9 + 9 + 8 + 6)) ] || fail "dropped: $port, and not $((spew + 9 + 9 + 8 + 6))"
