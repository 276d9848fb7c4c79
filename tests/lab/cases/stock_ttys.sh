# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# stock_ttys-KERNEL: Debian's kernel on a 16550, from its early console on, with a PV console beside it: each has a log of its own,
# with all that was said there and nothing else; input on both; the UART works by interrupts.
. "$CASES/cases/lib.sh"
ramdisk initrd
cat >ttys.conf <<END
hypervisor { name = "lab" }
domain "deb" { kernel = "/l2/$1" ramdisk = "$PWD/initrd" engine = $WAY memory = 256M vcpus = 2 hold = forever
    cmdline = "earlyprintk=serial console=ttyS0 loglevel=8"
    console "uart" { type = 16550 }
    console "pv" { type = xen }
    console "other" { type = 16550 } }
END
service
chat -t 180 shown vcons-vmm ttys.conf <<END
see guest: up
see guest# 
type $SAY_ALL
see D-END\\r\\n
type until [ -c /dev/hvc0 ]; do sleep 0.1; done\\r
see guest# 
type talk() { exec 3<>/dev/\$1; stty -echo <&3; echo \$1 "ready"; read -r l <&3; echo \$1 got \$l >&3; seq \$2 \$3 >&3; }\\r
type talk hvc0 10000 12999 & talk ttyS1 20000 20999 &\\r
see ready\\r\\n
see ready\\r\\n
type seq 30000 30999; wait; echo all "done"\\r
do vcons send deb/pv hello
do vcons send deb/other morning
see all done\\r\\n
type grep ttyS0 /proc/interrupts; cat /proc/tty/driver/serial; echo I-"END"\\r
see I-END\\r\\n
do vcons ls >ls
type poweroff -f\\r
see (deb) powered off
end 0
END
# Two lines of the handover are said on both consoles of the kernel.
log_of deb/uart | tr -d '\r' >log.all
awk '$0 != last || !/ printk: (bootc|c)onsole /; { last = $0 }' log.all >log.deb
said_all log.deb
has log.all "bootconsole [earlyser0] disabled"
seq 30000 30999 >wanted
grep -x '30[0-9][0-9][0-9]' log.all >first || true
same first wanted
{ echo "hvc0 got hello"; seq 10000 12999; } | sort >wanted
log_of deb/pv | tr -d '\r' | sort >second
same second wanted
{ echo "ttyS1 got morning"; seq 20000 20999; } | sort >wanted
log_of deb/other | tr -d '\r' | sort >third
same third wanted
grep -q "^deb/uart .* 16550 .* $WAY " ls || { cat ls; fail "vcons ls does not show door and engine"; }
grep -q "0: uart:16550A port:000003F8 irq:[1-9]" log.all || fail "Linux has not found a 16550A with an interrupt"
# One for each line that was typed, at least.
awk '/IO-APIC.*ttyS0/ { sum = $2 + $3 } END { exit !(sum > 20) }' log.all ||
    { grep ttyS0 log.all; fail "the UART is not used by interrupts"; }
