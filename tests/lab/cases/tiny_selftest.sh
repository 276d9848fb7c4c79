# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# tiny's self-test of drivers and hypervisor, on two vCPUs: the same that passes on a real Xen.
. "$CASES/cases/lib.sh"
cat >self.conf <<END
hypervisor { name = "tiny" console = none }
domain "self" { kernel = "tiny" engine = $WAY memory = 8M vcpus = 2 hold = forever cmdline = "quiet; selftest; poweroff" }
END
service
vcons-vmm self.conf
log_of self/hvc0 | tr -d '\r' >self
grep -q '^selftest: [1-9][0-9]* ok, 0 failed$' self || { cat self; fail "the self-test"; }
