# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# stock_save-VCPUS: Debian's kernel is saved and restored twice while it computes, prints and has hvc1 and hvc2, of virtio, open. Its
# shell goes on in the middle of its word, all consoles' logs are complete, and all its processors and clocks go on.
. "$CASES/cases/lib.sh"
vcpus=$1
ramdisk initrd
mkdir -p more/modules
grep -v 'pci\|blk' /l2/modules/order >more/modules/order
while read -r module; do
    cp "/l2/modules/$module.ko" more/modules/
done <more/modules/order
(cd more && find . | cpio -o -H newc 2>/dev/null) >>initrd
cat >save.conf <<END
hypervisor { name = "lab" console = none }
domain "deb" { kernel = "/l2/vmlinux" ramdisk = "$PWD/initrd" engine = $WAY memory = 192M vcpus = $vcpus hold = forever
    cmdline = "console=hvc0 loglevel=8"
    console "hvc0" { type = xen }
    console "hvc1" { type = xen }
    console "hvc2" { type = virtio } }
END
service
logged() { grep -qs -- "$2" "log/deb/$1"/[0-9]*.log; }
said() {
    wait_for "'$2' on $1" logged "$1" "$2\|Kernel panic"
    ! logged hvc0 'Kernel panic' || { grep -h -m 1 -A 60 'BUG:\|PANIC:\|Oops' log/deb/hvc0/0*.log; fail "the guest panicked"; }
    echo "$(cut -d' ' -f1 /proc/uptime): $1 said $2"
}
# again - saved, and restored
again() {
    vcons save deb deb.saved || fail "it is not saved"
    vcons restore deb.saved || fail "it is not restored"
    rm deb.saved
    echo "$(cut -d' ' -f1 /proc/uptime): saved and restored"
}

vcons-vmm save.conf >vmm.out 2>&1 &
WAIT_S=$((150 + 20 * vcpus)) said hvc0 'guest# '
vcons send deb 'while read -r m; do insmod /modules/$m.ko; done </modules/order'
vcons send deb 'for c in /dev/hvc1 /dev/hvc2; do until (: >$c) 2>/dev/null; do sleep 0.1; done; stty -F $c raw -echo; done; echo the"re"'
said hvc0 '^there'
again
vcons send deb 'echo here $((6*7)) $(nproc)'
said hvc0 "^here 42 $vcpus"
# Busy on all processors, and on all consoles. The kernel's own words, of a clock that it no longer trusts say, would stand in the
# middle of a line: it keeps them for the end.
vcons send deb 'dmesg -n 1; for i in $(seq $(nproc)); do (while :; do :; done) & done; seq 2000 >/dev/hvc1 & seq 2500 >/dev/hvc2 & seq 3000; echo first "done"'
said hvc0 '^50.$'
again
said hvc0 '^first done'
wait_for "the end of hvc1" logged hvc1 '^2000'
wait_for "the end of hvc2" logged hvc2 '^2500'
vcons send deb 'for c in hvc1 hvc2; do (read -r line; echo "$c got $line") </dev/$c >/dev/$c & done; sleep 1; echo slept well'
said hvc0 '^slept well'
for c in hvc1 hvc2; do
    vcons send deb/$c hello
    wait_for "the answer on $c" logged $c "$c got hello"
done
vcons send deb 'dmesg >/d; echo D-"BEGIN"; cat /d; echo D-"END"'
said hvc0 '^D-END'
vcons send -n deb 'poweroff -f
' || true
wait_for "its end" sh -c "vcons ls | grep -q '^deb/hvc0 .* off '"
log_of deb/hvc0 >log.deb
seq 3000 >wanted
tr -d '\r' <log.deb | sed -n '/^1$/,/^first done/p' | grep -x '[0-9][0-9]*' >first || true
same wanted first
for c in 'hvc1 2000' 'hvc2 2500'; do
    seq "${c#* }" >wanted
    log_of "deb/${c% *}" | tr -d '\r' | grep -x '[0-9][0-9]*' >other || true
    same wanted other
done
grep -E 'BUG|soft lockup|rcu.*stall|Call Trace' log.deb && fail "the guest complains"
exit 0
