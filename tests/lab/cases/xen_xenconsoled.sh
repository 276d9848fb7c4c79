# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# vconsd --xenconsoled, as a script for xenconsoled starts it: the same text files, the same lines in them, and with its pid
# file xenconsoled does not start beside it.
. "$CASES/cases/xenlib.sh"
TIMES='^\[[0-9]\{4\}-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]\] '

tiny same "quiet; spew 500; consoles; poweroff"
ended same
consoled_said same >same.old
rm "$CONSOLED_LOG/guest-same.log"
consoled_stop

vconsd --xenconsoled --log=all --timestamp=all --pid-file=/run/xenconsoled.pid || fail "it did not start"
SERVICE=$(cat /run/xenconsoled.pid)
[ "$(cat "/proc/$SERVICE/comm")" = vconsd ] || fail "the pid file names $(cat "/proc/$SERVICE/comm")"
tiny same "quiet; spew 500; consoles; poweroff"
ended same
is_written() { [ "$(grep -c "$TIMES" "$CONSOLED_LOG/guest-same.log")" = "$(($(wc -l <same.old) + 1))" ]; }
wait_for "its text file" is_written
sed "s/$TIMES//" "$CONSOLED_LOG/guest-same.log" >same.new
[ "$(head -n 1 same.new)" = "Logfile Opened" ] || fail "the mark of a file that is opened"
sed 1d same.new >same.said
same same.old same.said
[ "$(stat -c %a "$CONSOLED_LOG/guest-same.log")" = 640 ] || fail "its mode is $(stat -c %a "$CONSOLED_LOG/guest-same.log")"
grep -q "${TIMES}.*(XEN) " "$CONSOLED_LOG/hypervisor.log" || fail "the hypervisor's own log"

xenconsoled --pid-file=/run/xenconsoled.pid || true
sleep 1
no_process xenconsoled || fail "xenconsoled started beside it"
kill "$SERVICE"
is_gone() { [ ! -e "/proc/$SERVICE" ]; }
wait_for "its end" is_gone
SERVICE=
consoled_start
