# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# tiny as a PVH domain of a real Xen: our drivers against what others wrote. Its console is xenconsoled's, byte for byte.
. "$CASES/cases/lib.sh"

# domain NAME CMDLINE [KERNEL [VCPUS]] - until its end; its log is /var/log/xen/console/guest-NAME.log
domain() {
    cat >"$1.cfg" <<END
name = "$1"
type = "pvh"
kernel = "$CASES/bin/${3:-tiny-pvh}"
cmdline = "$2"
memory = 16
vcpus = ${4:-2}
on_poweroff = "destroy"
on_reboot = "destroy"
on_crash = "destroy"
END
    xl create "$1.cfg" >"$1.create" 2>&1 || { cat "$1.create"; fail "xl create $1"; }
    wait_for "the end of $1" gone "$1"
}
gone() { ! xl domid "$1" >/dev/null 2>&1; }
said() { cat "/var/log/xen/console/guest-$1.log"; }

domain self "quiet; selftest; poweroff"
said self | tr -d '\r'
said self | grep -q '^selftest: [1-9][0-9]* ok, 0 failed' || fail "the self-test"

domain spew "quiet; spew 2000; poweroff"
mkdir spew
said spew >spew/00000000000000000000.log
check_spew spew 2000

# Events between vCPUs, upcalls by the vector of each, while vcpu_info and shared_info move.
for kernel in tiny-pvh tiny-pvh32; do
    domain "events-$kernel" "quiet; vcpus 3; selftest; events 2 200 20 20; poweroff" "$kernel" 3
    said "events-$kernel" | tr -d '\r'
    said "events-$kernel" | grep -q '^vcpus: 3 of 3 run, upcalls by interrupt' || fail "vCPUs of $kernel"
    said "events-$kernel" | grep -q '^selftest: [1-9][0-9]* ok, 0 failed' || fail "the self-test of $kernel"
    said "events-$kernel" | grep -q "^events: 2 senders, 200 ports, .* 20 moves, .* none lost" || fail "events of $kernel"
done
