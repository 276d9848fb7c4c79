# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# What nobody writes into XenStore who means well: nodes of a console absent, empty, huge, no numbers, another page or port; before the
# service comes, and under its feet; a frontend of a further console that goes through its states in every order. One domain beside them
# prints all the time and is exact, and each of the others is once its nodes are right.
. "$CASES/cases/xenlib.sh"
HUGE=$(printf '%01000d' 7)
victims='a b c d e'

path_of() { echo "/local/domain/$(domid "$1")/console/$2"; }
spoil() { xenstore-write "$(path_of "$1" "$2")" "$3"; }
mend() {
    xenstore-write "$(path_of "$1" ring-ref)" "$(cat "$1.ref")"
    xenstore-write "$(path_of "$1" port)" "$(cat "$1.port")"
}
is_pty() { node "$1" console/tty | grep -q '^/dev/pts/'; }

for name in $victims; do
    OPTIONS=-p tiny $name "quiet; spew 60; poweroff" 'vcpus = 1'
    node $name console/ring-ref >$name.ref
    node $name console/port >$name.port
done
OPTIONS=-p tiny bystander "quiet; spew 1000"
consoled_stop
xenstore-rm "$(path_of a port)"
spoil b port ''
spoil b ring-ref ''
spoil c port "$HUGE"
spoil c ring-ref "$HUGE"
spoil d port '0x2'
spoil d ring-ref ' -1'
spoil e ring-ref 1 # another page than the one it granted: not asked for
for name in $victims; do
    spoil $name tty /etc/passwd # xl console would open it
done
forget_tty bystander
xen_service
wait_for "the one beside them" is_pty bystander
xl unpause bystander
wait_for "the one whose page is known by its grant" is_pty e
for name in a b c d; do
    ! is_pty $name || fail "$name is served: $(node $name console/port) $(node $name console/ring-ref)"
    mend $name
    wait_for "$name, whose nodes are right" is_pty $name
done

# Under its feet, while all of them print.
further() { [ "$(xenstore-read "$BACK/state")" = 2 ]; }
FRONT=/local/domain/$(domid bystander)/device/console/1 BACK=/local/domain/0/backend/console/$(domid bystander)/1
vcons xen console add bystander
wait_for "a further console" further
for name in $victims; do
    xl unpause $name
done
for state in 3 6 4 0 5 7 "$HUGE" '' 2 6 x 1 3 4; do
    xenstore-write "$FRONT/ring-ref" "$state" "$FRONT/port" 4000000000 "$FRONT/state" "$state"
    spoil bystander port "$state"
    spoil bystander ring-ref "$state$state"
    spoil bystander tty "$state"
done
for name in $victims; do
    ended $name
    check_spew log/$name/pv0 60
done
no_further() { ! xenstore-exists "$BACK" && ! vcons ls | grep -q bystander/pv1; }
vcons xen console remove bystander pv1
wait_for "the end of the further console" no_further
prompts() { log_of bystander/pv0 | tail -n 1 | grep -q '^tiny> $'; }
wait_for "its prompt" prompts
last bystander poweroff
ended bystander
mkdir lines
log_of bystander/pv0 | grep '^[0-9]' >lines/00000000000000000000.log
check_spew lines 1000
kill -0 "$SERVICE" || fail "the service has gone"
