# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# vcons run on arm64 with a stock kernel on a PL011 and tiny on an SBSA UART, on a terminal: the focus goes round, what is typed reaches
# who has it, and each has its own log.
. "$CASES/cases/lib.sh"
ramdisk initrd
cat >two.conf <<END
hypervisor { name = "lab" }
domain "deb" { kernel = "/l2/Image" ramdisk = "$PWD/initrd" memory = 256M cmdline = "console=ttyAMA0 quiet" }
domain "two" { kernel = "tiny" memory = 8M cmdline = "console=sbsa"
    console "uart" { type = sbsa } }
END
chat -t 200 shown vcons run two.conf <<'END'
see (d2) tiny: the vcons test kernel, arm64
do until grep -qs 'guest: up' log/deb/uart/*.log; do usleep 200000; done
type echo a$((6*7)) on $(uname -m)\r
see \na42 on aarch64\r\n
do vcons ls >ls
type \x01\x01\x01
see *** Serial input to DOM2
type echo here\r
see \nhere\r\n
type poweroff\r
see (two) powered off
see *** Serial input to Xen
type \x01\x01\x01
see *** Serial input to DOM1
type poweroff -f\r
see (deb) powered off
end 0
END
grep -q '^deb/uart .* pl011 .* kvm ' ls || { cat ls; fail "deb's console"; }
grep -q '^two/uart .* sbsa .* kvm ' ls || { cat ls; fail "two's console"; }
log_of two/uart | tr -d '\r' | grep -qx here || fail "two's log has not what was typed there"
log_of two/uart | grep -q a42 && fail "two's log has what was typed elsewhere"
log_of deb/uart | tr -d '\r' | grep -qx 'a42 on aarch64' || fail "deb's log has not what was typed there"
