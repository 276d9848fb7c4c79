# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# Debian's kernel copies 512 KiB to hvc0, 256 bytes and an event at a time: all of it is in the log, in order, though few of the 2,048
# events come to us; and what it says alone afterwards is there without another.
. "$CASES/cases/lib.sh"
ramdisk initrd
cat >stock.conf <<END
hypervisor { name = "lab" console = none }
domain "deb" { kernel = "/l2/vmlinux" ramdisk = "$PWD/initrd" engine = $WAY memory = 256M hold = forever cmdline = "console=hvc0 quiet" }
END
service
said() { log_of deb/hvc0 2>/dev/null | tail -c 300 | grep -q -- "$1"; }

vcons-vmm --trace hypercalls=trace stock.conf >vmm.out 2>&1 &
vmm=$!
wait_for "its shell" said 'guest# '
vcons send deb 'stty -F /dev/hvc0 -opost; seq 100000 175000 | head -c 524288 >/data; dd if=/data of=/dev/hvc0 bs=64k 2>/dev/null; echo; echo the"end"'
wait_for "the end" said '^theend'
last deb 'poweroff -f'
wait "$vmm" || fail "it ended with status $?"
seq 100000 175000 | head -c 524280 | grep '......' >wanted
log_of deb/hvc0 | tr -d '\r' | sed -n '/^100000$/,/^theend/p' | grep -x '1[0-9]\{5\}' >printed || true
head -n "$(wc -l <wanted)" printed >first
same wanted first
sends=$(sed -n 's/^d1 event_channel_op: \([0-9]*\) calls.*/\1/p' trace)
echo "$sends calls of event_channel_op"
if [ "$sends" -eq 0 ] || [ "$sends" -ge 1200 ]; then
    fail "$sends sends came"
fi
