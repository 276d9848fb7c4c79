# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# vconsd beside xenconsoled: a domain's console by its name, as xl console finds it, over two lives of the domain, each byte that xenconsoled
# logs; the two keep out of each other's way by xl's lock.
. "$CASES/cases/xenlib.sh"
echo 'console "web/pv0" { source = "xl:web" }' >vconsd.conf
vconsd --foreground --config "$PWD/vconsd.conf" 2>vconsd.err &
SERVICE=$!
wait_for "vconsd" vcons status >/dev/null 2>&1
away() { vcons ls --json | grep -qF "$1"; }
wait_for "its reason" away 'Xen runs no domain of that name'
running() { vcons ls | grep -qE '^web/pv0 +running '; }
says() { log_of web/pv0 2>/dev/null | tr -d '\r' | grep -qx "$1"; }

tiny web quiet
wait_for "its console" running
vcons send web 'spew 300'
vcons send web 'echo first life'
wait_for "what it prints" says 'first life'
xl console web >console 2>&1 <>"$NEVER" && fail "xl console was let in"
has console "Could not lock"
xl destroy web
wait_for "its end" away 'Xen runs no domain of that name'

# An xl console that was first is left alone. All of them together have read what xenconsoled has logged.
log_of web/pv0 >first
kill -STOP "$SERVICE"
tiny web quiet
wait_for "its terminal" served web
xl console web >console 2>console.err <>"$NEVER" &
CONSOLE=$!
prompts() { grep -q 'tiny> ' console; }
wait_for "xl console" prompts
kill -CONT "$SERVICE"
wait_for "its reason" away 'an xl console has it'
kill -9 "$CONSOLE"
wait_for "its console again" running
vcons send web 'echo second life'
wait_for "what it prints" says 'second life'
last web poweroff
wait_for "its end" away 'Xen runs no domain of that name'
wait_for "the last that it said" gone web
tail -c +$(($(wc -c <first) + 1)) log/web/pv0/current.log >second
cat first console second >read
consoled_said web >said
same said read
