# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/virtio.sh
# arm64_stock_save-VCPUS: Debian's arm64 kernel is saved while all its processors compute and it prints on a PL011 and on a virtio-console,
# and restored. Its logs are complete, its shell, its processors and its clocks go on, a port of virtio takes what ends all that, and it
# switches itself off.
. "$CASES/cases/virtio.sh"
vcpus=$1
virtio_ramdisk initrd
printf '%s\n' 'v1 0 virtio' 'p1 0 virtio-port' | domain "$vcpus" 2 "" >save.conf
WAIT_S=200 # beside what it computes
service
logged() { cat "log/deb/$1/"[0-9]*.log 2>/dev/null | grep -q -- "$2"; }
said() {
    wait_for "'$2' on $1" logged "$1" "$2\|Kernel panic"
    ! logged "$1" 'Kernel panic' || fail "the guest panicked"
    echo "$(cut -d' ' -f1 /proc/uptime): $1 said $2"
}
numbers() { log_of "deb/$1" 2>/dev/null | tr -d '\r' | grep -cx '[0-9][0-9]*' || true; }
more() { [ "$(numbers "$1")" -gt "$2" ]; }
# goes_on CONSOLE - it counts further
goes_on() { wait_for "more on $1" more "$1" $(($(numbers "$1") + 20)); }

vcons-vmm save.conf >vmm.out 2>&1 &
WAIT_S=$((150 + 20 * vcpus)) boot 1
everybody_talks 2
count='i=0; until [ -e /stop ]; do i=$((i + 1)); echo $i; done'
tell v1 "run $count"
vcons send deb "for p in \$(seq \$(nproc)); do (i=0; s=0; until [ -e /stop ]; do i=\$((i + 1)); s=\$((s + i)); done; echo sum \$i \$s) & done; $count; wait; echo all \"done\""
goes_on boot
goes_on v1
vcons save deb deb.saved || fail "it is not saved"
usleep 3000000 # which the guest is not to see
vcons restore deb.saved || fail "it is not restored"
goes_on boot
goes_on v1
tell p1 'run >/stop'
said boot '^all done'
said v1 'hvc0 got run'
vcons send deb 'a=$(date +%s); sleep 1; echo slept $(($(date +%s) - a)) on $(nproc)'
said boot "^slept [1-9][0-9]* on $vcpus"
last -n deb 'poweroff -f
'
wait_for "its end" sh -c "vcons ls | grep -q '^deb/boot .* off '"
for c in boot v1; do
    log_of deb/$c | tr -d '\r' | grep -x '[0-9][0-9]*' >counted
    seq "$(wc -l <counted)" >wanted
    same wanted counted
done
log_of deb/boot | tr -d '\r' >log.deb
awk -v n="$vcpus" '$1 == "sum" && NF == 3 { n--; if ($3 != $2 * ($2 + 1) / 2) exit 1 } END { exit n != 0 }' log.deb ||
    { grep sum log.deb; fail "a processor lost count"; }
grep -E 'BUG|soft lockup|rcu.*stall|Call Trace' log.deb && fail "the guest complains"
grep -q 'reboot: Power down' log.deb || fail "it was not switched off by itself"
