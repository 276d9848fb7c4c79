# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# tiny's self-test of drivers and hypervisor, on two vCPUs: the same that passes on a real Xen. Then T16: events fly from two vCPUs to a
# third while shared_info moves and its vcpu_info is registered; none is lost.
. "$CASES/cases/lib.sh"
cat >self.conf <<END
hypervisor { name = "tiny" console = none }
domain "self" { kernel = "tiny" engine = $WAY memory = 8M vcpus = 2 hold = forever cmdline = "quiet; selftest; poweroff" }
domain "moves" { kernel = "tiny" engine = $WAY memory = 8M vcpus = 3 hold = forever cmdline = "quiet; events 2 64 200 200; poweroff" }
END
service
vcons-vmm self.conf
log_of self/hvc0 | tr -d '\r' >self
grep -q '^selftest: [1-9][0-9]* ok, 0 failed$' self || { cat self; fail "the self-test"; }
log_of moves/hvc0 | tr -d '\r' >moves
grep -qE '^events: 2 senders, 64 ports, [0-9]+ rounds, 200 moves, [0-9]+ events, none lost$' moves || { cat moves; fail "events while pages move"; }
