# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# The same with an early console, which speaks by hypercall until hvc0 takes over: one log, nothing missing, nothing twice. And a
# panic ends as a crash.
. "$CASES/cases/lib.sh"
ramdisk initrd
cat >early.conf <<END
hypervisor { name = "lab" }
domain "deb" { kernel = "/l2/vmlinux" ramdisk = "$PWD/initrd" engine = $WAY memory = 256M hold = forever on_crash = destroy
    cmdline = "earlyprintk=xen console=hvc0 loglevel=8" }
END
service
chat -t 120 shown vcons-vmm early.conf <<END
see guest: up
see guest# 
type $SAY_ALL
see D-END\\r\\n
type echo c >/proc/sysrq-trigger\\r
see (deb) crashed
end 1
END
# Two lines of the handover are said on both consoles.
log_of deb/hvc0 | tr -d '\r' >log.all
awk '$0 != last || !/ printk: (bootc|c)onsole /; { last = $0 }' log.all >log.deb
said_all log.deb
has log.all "Kernel panic - not syncing: sysrq triggered crash"
