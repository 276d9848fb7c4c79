# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# A console that was added to a domain and is kept is there again when a domain of its name, with another UUID, or of its UUID, with
# another name, is created: once, also when the service comes anew meanwhile; and no more once it was removed.
. "$CASES/cases/xenlib.sh"
[ -n "$VCONS_LONG" ] || {
    echo "in the long run only: four boots of a stock guest"
    exit 77
}
START='until [ -c /dev/hvc1 ]; do sleep 0.1; done; echo "from hvc""1" >/dev/hvc1; echo "READ""Y"'
UUID='uuid = "c7a5d2f0-0000-4000-8000-0123456789ab"'
xen_service
backends() { xenstore-list "/local/domain/0/backend/console/$(domid "$1")" | grep -vc '^0$'; }
said() { log_of "$1" 2>/dev/null | tr -d '\r' | grep -cx "from hvc1"; }
is_said() { [ "$(said "$1")" = "$2" ]; }
is_made() { [ "$(node "$1" device/console/1/state)" = "$2" ]; }

stock web "$START" "$UUID"
vcons xen console add --keep web more >added || fail "console add"
has added "web/more: device/console/1"
wait_for "what it says there" is_said web/more 1
has state/xen/web more
xl destroy web
wait_for "its end" gone web

# By its name; while it is paused it is its builder's.
OPTIONS=-p stock web "$START"
sleep 2
is_made web 1 && fail "a console was made for a domain that is still being made"
xl unpause web
wait_for "what it says there again" is_said web/more 2
xen_service_stop KILL
xen_service
wait_for "its state" is_made web 4
[ "$(backends web)" = 1 ] || fail "$(backends web) consoles after a restart"
xl destroy web
wait_for "its end" gone web

# By its UUID. A file that is no such list is told of, and left alone.
vcons xen console add --keep web 2>refused && fail "a domain that is not there was given a console"
printf '1 c7a5d2f0000040008000%s\nmore\n' 0123456789ab >state/xen/web
printf 'nonsense' >state/xen/bad
stock www "$START" "$UUID"
wait_for "what it says under another name" is_said www/more 1
tiny bad quiet
told() { grep -q 'state/xen/bad: it is no list of consoles' vconsd.err; }
wait_for "a word on a bad file" told
[ "$(cat state/xen/bad)" = nonsense ] || fail "the bad file was changed"

# Removed, it is not made again.
vcons xen console remove www more
[ ! -e state/xen/web ] || fail "it is still kept"
xl destroy www
xl destroy bad
stock www 'echo "READ""Y"' "$UUID"
ready() { log_of www/pv0 | grep -q "^READY"; }
wait_for "its start" ready
[ "$(backends www)" = 0 ] || fail "it was made again"
