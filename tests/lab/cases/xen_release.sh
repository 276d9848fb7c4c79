# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# A domain that the service lets go of for good: not without being asked twice; drained, then told by its flag, so that tiny neither
# waits nor spins. And one that is taken by its parameters alone, as who built it without XenStore has it: it goes on by the ring.
. "$CASES/cases/xenlib.sh"
xen_service
tiny rel "quiet; echo begins; spew 500" 'vcpus = 1'
prompt() { [ "$(log_of rel/pv0 2>/dev/null | grep -c 'tiny> ')" -ge "$1" ]; }
wait_for "its prompt" prompt 1

! vcons xen release rel </dev/null 2>refused || fail "it was released without being asked"
has refused 'say --yes'
ring rel show | grep -q 'connection 0$' || fail "nothing was released, and yet: $(ring rel show)"
! vcons xen release --yes nobody 2>refused || fail "nobody was released"
has refused 'nobody'

vcons xen release --yes rel >released || fail "it is not released"
has released 'rel: 1 consoles released'
ring rel show >shown
awk '{ exit !($6 == $8 && $10 == 1) }' shown || { cat shown; fail "it was not drained, or not told"; }
vcons ls | grep -qE '^rel/pv0 +away ' || { vcons ls; fail "it is still served"; }

vcons xen attach-ring rel >attached || fail "it is not attached"
has attached 'rel/pv0: frame '
! vcons xen attach-ring rel 2>refused || fail "it was attached twice"
has refused 'has its console already'
wait_for "its flag to fall" sh -c "xen_ring $(domid rel) $(node rel console/ring-ref) $(node rel console/port) show | grep -q 'connection 0\$'"
vcons send rel/pv0 'echo goes on'
wait_for "its answer" prompt 2
vcons send rel/pv0 poweroff || [ $? = 6 ]
ended rel
log_of rel/pv0 | tr -d '\r' >rel.log
[ "$(grep -c '^goes on$' rel.log)" = 1 ] || { tail -n 5 rel.log; fail "it does not go on by the ring"; }
[ "$(grep '^[0-9]' rel.log | cut -d' ' -f1 | tr '\n' ' ')" = "$(seq -s ' ' 0 499) " ] || fail "lines are missing or twice"
