# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# vconsd ended and killed while a domain prints without end, and started again: not a byte is lost or doubled, and a guest that waits
# in front of a full ring goes on.
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

serve
tiny spew "quiet; spew 100000000"
i=0
while [ $i -lt $kills ]; do
    wait_for "output after start $i" reached $(($(bytes) + step))
    if [ $((i % 2)) = 0 ]; then xen_service_stop KILL; else xen_service_stop TERM; fi
    [ $((i % 4)) -lt 2 ] || wait_for "a full ring" full spew # away for longer
    serve
    i=$((i + 1))
done
wait_for "output in the end" reached $(($(bytes) + step))
printf '\003' | vcons send spew
wait_for "the end of its output" says '^C'
printf 'poweroff\r' | vcons send spew
ended spew
log_of spew/pv0 >all
n=$(grep -c '^[0-9]' all)
mkdir lines
head -n "$n" all >lines/00000000000000000000.log
check_spew lines "$n"
tail -n +$((n + 1)) all | tr -d '\r' >rest
printf '^C\ntiny> poweroff\n' >wanted
same wanted rest
echo "$kills times, $(wc -c <all) bytes"
