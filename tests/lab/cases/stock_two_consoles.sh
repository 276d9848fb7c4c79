# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# hvc0 and hvc1 of one stock guest at once: what each of them prints stays its own, and so does what is typed.
. "$CASES/cases/lib.sh"
ramdisk initrd
cat >two.conf <<END
hypervisor { name = "lab" }
domain "deb" { kernel = "/l2/vmlinux" ramdisk = "$PWD/initrd" engine = $WAY memory = 256M hold = forever
    cmdline = "console=hvc0 quiet"
    console "hvc0" { type = xen }
    console "hvc1" { type = xen } }
END
service
chat -t 120 shown vcons-vmm two.conf <<'END'
see guest# 
type until [ -c /dev/hvc1 ]; do sleep 0.1; done; stty -F /dev/hvc1 raw -echo; echo there\r
see \nthere\r\n
type (read -r line; echo "second got $line") </dev/hvc1 >/dev/hvc1 &\r
type seq 3000 >/dev/hvc1 & seq 3000; wait $!; echo both "done"\r
see both done\r\n
do vcons send deb/hvc1 hello
do until grep -qs 'second got hello' log/deb/hvc1/*.log; do usleep 100000; done
type poweroff -f\r
end 0
END
seq 3000 >wanted
log_of deb/hvc1 | tr -d '\r' | grep -x '[0-9][0-9]*' >second || true
same second wanted
log_of deb/hvc0 | tr -d '\r' | grep -x '[0-9][0-9]*' >first || true
same first wanted
