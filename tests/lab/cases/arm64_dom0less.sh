# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# vcons run with the tree that U-Boot hands to Xen on a board with two domains (../board-dtb): a stock kernel and tiny boot, each on the
# UART that the tree gives it, the focus goes round, and each has its own log.
. "$CASES/cases/lib.sh"
ramdisk initrd
vcons config check "$CASES/board.dtb" >listed 2>told
has listed "d1 domU1: 8192 KiB, 1 vCPU" # U-Boot puts what it adds in front, and Xen counts in the tree's order
has listed "d2 domU0: 262144 KiB, 1 vCPU"
has listed "vuart0 (sbsa)"
has told "/chosen/domU1/module@4a000000: reg: to be run it needs --module 0x4a000000=FILE"
chat -t 200 shown vcons run --device-tree "$CASES/board.dtb" --module 0x42000000=/l2/Image --module 0x46000000=initrd --module 0x4a000000=tiny <<'END'
see tiny: the vcons test kernel, arm64
type echo here\r
see \nhere\r\n
do until grep -qs 'guest: up' log/domU0/vuart0/*.log; do usleep 200000; done
do vcons ls >ls
type \x01\x01\x01
see *** Serial input to DOM2
type echo a$((6*7)) on $(uname -m)\r
see \na42 on aarch64\r\n
type \x01\x01\x01
see *** Serial input to Xen
type \x01\x01\x01
see *** Serial input to DOM1
type poweroff\r
see (domU1) powered off
see *** Serial input to Xen
type \x01\x01\x01
see *** Serial input to DOM2
type poweroff -f\r
see (domU0) powered off
end 0
END
grep -q '^domU0/vuart0 .* sbsa .* kvm ' ls || { cat ls; fail "domU0's console"; }
grep -q '^domU1/vuart0 .* sbsa .* kvm ' ls || { cat ls; fail "domU1's console"; }
log_of domU1/vuart0 | tr -d '\r' | grep -qx here || fail "domU1's log has not what was typed there"
log_of domU1/vuart0 | grep -q a42 && fail "domU1's log has what was typed elsewhere"
log_of domU0/vuart0 | tr -d '\r' | grep -qx 'a42 on aarch64' || fail "domU0's log has not what was typed there"
