# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# A stock guest lets go of its second console and takes it again, more than once: each time with a new page and port.
. "$CASES/cases/lib.sh"
ramdisk initrd
cat >again.conf <<END
hypervisor { name = "lab" }
domain "deb" { kernel = "/l2/vmlinux" ramdisk = "$PWD/initrd" engine = $WAY memory = 256M hold = forever
    cmdline = "console=hvc0 quiet"
    console "hvc0" { type = xen }
    console "more" { type = xen } }
END
service
chat -t 120 shown vcons-vmm again.conf <<'END'
see guest# 
type until [ -c /dev/hvc1 ]; do sleep 0.1; done; echo there\r
see \nthere\r\n
type cd /sys/bus/xen/drivers/xenconsole; for i in 1 2 3; do echo "round $i" >/dev/hvc1; echo console-1 >unbind; echo console-1 >bind; until [ -c /dev/hvc1 ]; do sleep 0.1; done; done; echo at last >/dev/hvc1; echo all done\r
see \nall done\r\n
type (stty -echo; echo ready; read -r line; echo "got $line") <>/dev/hvc1 >&0 &\r
do while ! grep -q 'ready' log/deb/more/*.log; do usleep 100000; done
do vcons send deb/more hello
do while ! grep -q 'got hello' log/deb/more/*.log; do usleep 100000; done
type poweroff -f\r
end 0
END
log_of deb/more | tr -d '\r' >said
printf 'round 1\nround 2\nround 3\nat last\nready\ngot hello\n' >wanted
same said wanted
