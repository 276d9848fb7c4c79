# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# The connection flag, on a real Xen: up to 4.20 nobody sets it, so it is set by hand while the domain is paused. With no daemon at all
# tiny then neither waits nor spins: a release Xen refuses console_io to a domain of a toolstack, so what it says is counted and gone.
# Once the flag falls, by hand or since vconsd has come, it has the ring, and nothing comes twice.
. "$CASES/cases/xenlib.sh"

# For chat: what is typed at a console that has just been connected.
cat >steps <<'END'
type spew 100\r
see \ntiny> 
type consoles\r
see \ntiny> 
type poweroff\r
end 0
END

# exact LOG - of what came after the flag fell nothing is missing, and nothing else is there
exact() {
    local spew dropped
    ! grep -q early "$1" || fail "what was said before the flag fell came later"
    [ "$(grep '^[0-9]' "$1" | cut -d' ' -f1 | tr '\n' ' ')" = "$(seq -s ' ' 0 99) " ] || fail "lines are missing or twice"
    spew=$(grep '^[0-9]' "$1" | wc -c)
    dropped=$(sed -n 's/^hvc0 .*dropped \([0-9]*\).*/\1/p' "$1")
    [ "$dropped" = $((spew + 9 + 9 + 8 + 6)) ] || fail "dropped: $dropped, and not $((spew + 9 + 9 + 8 + 6))" # echo, echo, bind, prompt
}

for name in alone late later; do
    words='spew 2000; poweroff' # some 80 rings full
    [ $name = alone ] || words='echo early-1; spew 100; echo early-2; bind virq 1'
    OPTIONS=-p tiny $name "quiet; $words" 'vcpus = 1'
done
consoled_stop
for name in alone late later; do
    ring $name flag 1
    xl unpause $name
done
wait_for "the end of one that nobody listens to" gone alone
for name in late later; do
    wait_for "all that is said early" rests $name
    ring $name show >shown
    grep -qx 'in_cons 0 in_prod 0 out_cons 0 out_prod 0 connection 1' shown || { cat shown; fail "the ring was used"; }
    forget_tty $name
done

ring late flag 0
consoled_start
wait_for "xenconsoled's terminal" served late
chat -t 100 shown xl console late <steps
ended late
consoled_said late >late.log
exact late.log

xen_service
wait_for "vconsd's terminal" served later
ring later show | grep -q 'connection 0$' || fail "the flag is still up: $(ring later show)"
chat -t 100 shown xl console later <steps
ended later
log_of later/pv0 >later.log
exact later.log
