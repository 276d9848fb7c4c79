# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# arm64_stock_save-VCPUS: Debian's arm64 kernel is saved while all its processors compute and print on a PL011, and restored. Its log is
# complete, its shell, its processors and its clocks go on, and it switches itself off.
. "$CASES/cases/lib.sh"
vcpus=$1
ramdisk initrd
cat >save.conf <<END
hypervisor { name = "lab" console = none }
domain "deb" { kernel = "/l2/Image" ramdisk = "$PWD/initrd" engine = kvm memory = 192M vcpus = $vcpus hold = forever
    cmdline = "console=ttyAMA0 loglevel=8"
    console "uart" { type = pl011 } }
END
WAIT_S=200 # beside what it computes
service
logged() { grep -qs -- "$1" log/deb/uart/[0-9]*.log; }
said() {
    wait_for "'$1'" logged "$1\|Kernel panic"
    ! logged 'Kernel panic' || fail "the guest panicked"
    echo "$(cut -d' ' -f1 /proc/uptime): it said $1"
}

vcons-vmm save.conf >vmm.out 2>&1 &
WAIT_S=$((150 + 20 * vcpus)) said 'guest# '
vcons send deb 'for p in $(seq $(nproc)); do (i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; echo sum $i) & done; seq 400; wait; echo all "done"'
said '^5.$'
vcons save deb deb.saved || fail "it is not saved"
logged '^400\|^sum' && fail "it had done all before it was saved"
usleep 3000000 # which the guest is not to see
vcons restore deb.saved || fail "it is not restored"
said '^all done'
vcons send deb 'a=$(date +%s); sleep 1; echo slept $(($(date +%s) - a)) on $(nproc)'
said "^slept [1-9][0-9]* on $vcpus"
vcons send -n deb 'poweroff -f
' || true
wait_for "its end" sh -c "vcons ls | grep -q '^deb/uart .* off '"
log_of deb/uart >log.deb
seq 400 >wanted
tr -d '\r' <log.deb | sed -n '/^1$/,/^all done/p' | grep -x '[0-9][0-9]*' >first || true
same wanted first
[ "$(tr -d '\r' <log.deb | grep -cx 'sum 20000')" = "$vcpus" ] || fail "not all processors came to their sum"
grep -E 'BUG|soft lockup|rcu.*stall|Call Trace' log.deb && fail "the guest complains"
grep -q 'reboot: Power down' log.deb || fail "it was not switched off by itself"
