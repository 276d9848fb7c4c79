# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# stock-VCPUS: Debian's kernel, unmodified, takes vcons-vmm for Xen: its console is complete from the first line, takes input,
# all processors come up, and poweroff ends in status 0.
. "$CASES/cases/lib.sh"
vcpus=$1
ramdisk initrd
cat >stock.conf <<END
hypervisor { name = "lab" }
domain "deb" { kernel = "/l2/vmlinux" ramdisk = "$PWD/initrd" engine = $WAY memory = 256M vcpus = $vcpus hold = forever
    cmdline = "console=hvc0 loglevel=8" }
END
service
chat -t $((120 + 10 * vcpus)) shown vcons-vmm stock.conf <<END
see guest: up
see guest# 
type echo a\$((6*7)) on \$(cat /sys/hypervisor/type) \$(nproc)\\r
see \\na42 on xen $vcpus\\r\\n
do vcons ls >ls
type $SAY_ALL
see D-END\\r\\n
type poweroff -f\\r
see (deb) powered off
end 0
END
log_of deb/hvc0 >log.deb
said_all log.deb
grep -q "^deb/hvc0 .* $WAY " ls || { cat ls; fail "vcons ls does not show the way $WAY"; }
