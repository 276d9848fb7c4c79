# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# The same with an early console, which speaks by hypercall until hvc0 takes over: one log, nothing missing, nothing twice. And a
# panic ends as a crash.
. "$CASES/cases/lib.sh"
ramdisk initrd
cat >early.conf <<END
hypervisor { name = "lab" }
domain "deb" { kernel = "/l2/vmlinux" ramdisk = "$PWD/initrd" engine = kvm memory = 256M hold = forever on_crash = destroy
    cmdline = "earlyprintk=xen console=hvc0 ignore_loglevel" }
END
service
chat -t 120 shown vcons-vmm early.conf <<'END'
see guest: up
see guest# 
type dmesg >/d; echo D-"BEGIN"; cat /d; echo D-"END"\r
see D-END\r\n
type echo c >/proc/sysrq-trigger\r
see (deb) crashed
end 1
END
log_of deb/hvc0 >log.deb
said_all log.deb
has log.deb "Kernel panic - not syncing: sysrq triggered crash"
