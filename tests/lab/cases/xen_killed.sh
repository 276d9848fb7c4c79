# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# vconsd ended, killed and replaced by a new one while a domain prints without end: not a byte is lost or doubled, and a guest that waits
# in front of a full ring goes on. xl console has what another domain said before all that, and nobody has read.
. "$CASES/cases/xenlib.sh"
dom0_first
kills=4 step=100000 # bytes of the log between them
[ -z "${VCONS_LONG-}" ] || kills=20

bytes() { ls -l log/spew/pv0/[0-9]*.log 2>/dev/null | awk '{ n += $5 } END { print n + 0 }'; }
reached() { [ "$(bytes)" -ge "$1" ]; }
says() { tail -c 4000 log/spew/pv0/current.log | grep -qF "$1"; }

# One file, however fast it prints: what is closed is compressed.
printf 'segment_size = "1G"\nconsole_size = "4G"\ntotal_size = "8G"\n' >vconsd.conf
serve() { xen_service --config "$PWD/vconsd.conf"; }

# upgraded - a new service has taken the place of the one that runs
upgraded() {
    vconsd --foreground --xen --config "$PWD/vconsd.conf" --upgrade 2>>vconsd.err &
    wait "$SERVICE" || fail "the old service ended with status $?: $(cat vconsd.err)"
    SERVICE=$!
    wait_for "the new service" vcons status >/dev/null 2>&1
}

serve
tiny said "quiet; spew 100"
tiny spew "quiet; spew 100000000"
i=0
while [ $i -lt $kills ]; do
    wait_for "output after start $i" reached $(($(bytes) + step))
    case $((i % 4)) in
        3) upgraded ;;
        1) xen_service_stop TERM ;;
        *) xen_service_stop KILL ;;
    esac
    [ $((i % 4)) != 2 ] || wait_for "a full ring" full spew # away for longer
    [ -n "$SERVICE" ] || serve
    i=$((i + 1))
done
wait_for "output in the end" reached $(($(bytes) + step))
printf '\003' | vcons send spew
wait_for "the end of its output" says '^C'
printf 'poweroff\r' | vcons send spew
ended spew
xl console said >console 2>console.err <>"$NEVER" &
has_all() { log_of said/pv0 >said && grep -q '^99 ' said && cmp -s said console; }
wait_for "what nobody has read" has_all
log_of spew/pv0 >all
n=$(grep -c '^[0-9]' all)
mkdir lines
head -n "$n" all >lines/00000000000000000000.log
check_spew lines "$n"
tail -n +$((n + 1)) all | tr -d '\r' >rest
printf '^C\ntiny> poweroff\n' >wanted
same wanted rest
echo "$kills times, $(wc -c <all) bytes"
