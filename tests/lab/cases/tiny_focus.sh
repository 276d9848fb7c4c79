# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# vcons run with two tiny on KVM, on a terminal: the focus goes round, what is typed reaches who has it, the others are prefixed.
. "$CASES/cases/lib.sh"
cat >two.conf <<END
hypervisor { name = "lab" }
domain "one" { kernel = "tiny" engine = $WAY memory = 8M cmdline = "quiet" }
domain "two" { kernel = "tiny" engine = $WAY memory = 8M cmdline = "quiet" }
END
chat -t 60 shown vcons run --private two.conf <<'END'
see tiny> 
type echo a$((6*7))\r
see \na$((6*7))\r\n
type slow 1000000 100\r
see slow 0\r\n
type \x01\x01\x01
see *** Serial input to 
see (d1) slow 
type echo here\r
see \nhere\r\n
type poweroff\r
see powered off
see *** Serial input to Xen
type \x01\x01\x01
see *** Serial input to DOM1
type \x03
type poweroff\r
end 0
END
has shown "(one) powered off"
has shown "(two) powered off"
