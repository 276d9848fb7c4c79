# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# xenstored dies, which no Xen recovers from, and an empty one takes its place: the service says so, and the consoles it has go on, out
# and in. A boot of its own, for XenStore has forgotten all domains.
. "$CASES/cases/xenlib.sh"
if [ -z "${VCONS_LONG-}" ]; then
    echo "with --long: it leaves the machine without its domains' nodes"
    exit 77
fi
store=$(pidof xenstored || pidof oxenstored)
program=$(readlink "/proc/$store/exe")
xen_service
tiny kept "quiet; spew 100000000"
log_of_kept() { cat log/kept/pv0/[0-9]*.log | wc -c; }
grows() { [ "$(log_of_kept)" -gt $((was + 100000)) ]; }
was=0
wait_for "output" grows
kill -KILL "$store"
says() { grep -q "$1" vconsd.err; }
wait_for "the service to see it" says 'XenStore is gone'
was=$(log_of_kept)
wait_for "output without XenStore" grows
rm -f /run/xenstored.pid /run/xenstored/socket*
"$program" --pid-file /run/xenstored.pid
wait_for "the service to come back to it" says 'XenStore is back'
was=$(log_of_kept)
wait_for "output with the other one" grows
printf '\003' | vcons send kept
prompts() { tail -c 100 log/kept/pv0/current.log | tr -d '\r' | grep -q '^tiny> '; }
wait_for "what was typed" prompts
vcons ls | grep -qE '^kept/pv0 +running ' || { vcons ls; fail "it is not there any more"; }
kill -0 "$SERVICE" || fail "the service has gone"
