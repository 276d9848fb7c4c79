# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# A domain that writes impossible indices of every kind into its ring, and one that sends events for nothing; beside them one that
# just prints. It is exact, the service is the same as before, and so are the consoles of the others once their rings are legal.
. "$CASES/cases/xenlib.sh"
prompts() { log_of "$1/pv0" 2>/dev/null | tail -n 1 | grep -q '^tiny> $'; }

xen_service
tiny scribbler "quiet; scribble 20000; echo here"
tiny stormer "quiet; storm 100000; echo here"
tiny bystander "quiet; spew 3000; poweroff"
ended bystander
check_spew log/bystander/pv0 3000
for name in scribbler stormer; do
    wait_for "the prompt of $name" prompts $name
    printf 'echo and there\rpoweroff\r' | vcons send $name
    ended $name
    log_of $name/pv0 | tr -d '\r' | tail -n 4 >said
    printf '%s\n' here 'tiny> echo and there' 'and there' 'tiny> poweroff' >wanted
    same wanted said
done
kill -0 "$SERVICE" || fail "the service has gone"
