# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# tiny as the guest that Xen itself started (cases.py has its words): no ring, no XenStore; what it says by hypercall is on the
# hypervisor's console, a line at a time behind its number, once.
. "$CASES/cases/xenlib.sh"

lines_of() { xl dmesg | sed -n 's/^\((XEN) \)*(d1) //p'; }
is_through() { lines_of | grep -q 'as said'; }
xl list | grep -q '^(null)  *1 ' || { xl list; fail "no guest of Xen's"; }
wait_for "its last word" is_through
lines_of | tr -d '\r' >said
cat said
grep -q '^selftest: [1-9][0-9]* ok, 0 failed$' said || fail "the self-test"
[ "$(count 'ok write of nothing is taken' <said)" = 1 ] || fail "console_io was refused"
sed -n '/^selftest:/,/as said/p' said | sed '1d;$d' >spew
[ "$(wc -l <spew)" = 20 ] || fail "$(wc -l <spew) of 20 lines"
[ "$(cut -d' ' -f1 spew | tr '\n' ' ')" = "$(seq -s ' ' 0 19) " ] || { cat spew; fail "lines out of order"; }
