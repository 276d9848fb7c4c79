# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# A domain is renamed while somebody has its terminal open: he keeps it, and what he types arrives.
. "$CASES/cases/xenlib.sh"
xen_service
tiny before quiet
wait_for "its terminal" served before
PTY=$(node before console/tty)
sleep 1000 <"$PTY" &
READER=$!
is_read() { vcons ls --json | grep -q '"viewers": 1,'; }
wait_for "somebody who has it open" is_read
xl rename before after
renamed() { vcons ls | grep -qE '^after/pv0 +running '; }
wait_for "the new name" renamed
kill -0 "$SERVICE" || fail "vconsd has ended"
vcons ls --json | grep -qF "\"tty\": \"$PTY\"" || { vcons ls --json; fail "its terminal is another"; }
printf 'echo still\r' >"$PTY"
heard() { log_of after/pv0 | grep -q still; }
wait_for "what was typed" heard
kill "$READER"
