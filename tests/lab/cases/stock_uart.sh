# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# stock_uart-VCPUS: Debian's arm64 kernel, unmodified, on a PL011: its log is complete from the first line of its early console,
# it takes input and works by interrupts, all processors come up, and poweroff ends in status 0.
. "$CASES/cases/lib.sh"
vcpus=$1
ramdisk initrd
cat >stock.conf <<END
hypervisor { name = "lab" }
domain "deb" { kernel = "/l2/Image" ramdisk = "$PWD/initrd" engine = kvm memory = 256M vcpus = $vcpus hold = forever
    cmdline = "earlycon console=ttyAMA0 loglevel=8"
    console "uart" { type = pl011 } }
END
service
chat -t $((120 + 10 * vcpus)) shown vcons-vmm stock.conf <<END
see guest: up
see guest# 
type echo a\$((6*7)) on \$(uname -m) \$(nproc)\\r
see \\na42 on aarch64 $vcpus\\r\\n
do vcons ls >ls
type $SAY_ALL
see D-END\\r\\n
type grep uart-pl011 /proc/interrupts; echo I-"END"\\r
see I-END\\r\\n
type poweroff -f\\r
see (deb) powered off
end 0
END
log_of deb/uart >log.deb
uniq log.deb >log.once # at the hand-over both consoles are on, and say the same
said_all log.once
has log.deb "bootconsole [pl11] disabled"
grep -q "^deb/uart .* pl011 .* kvm " ls || { cat ls; fail "vcons ls does not show door and engine"; }
# Output that finds room needs none; each of the lines that were typed needs one.
awk '/GICv3 .*uart-pl011/ { for (i = 2; i <= 1 + n; i++) sum += $i } END { exit !(sum >= 3) }' n="$vcpus" log.deb ||
    { grep uart-pl011 log.deb; fail "the UART is not used by interrupts"; }
