# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# tiny as a domain of a real Xen: our drivers against what others wrote. Its console is xenconsoled's, byte for byte.
. "$CASES/cases/xenlib.sh"

# whole NAME CMDLINE [LINE]... - until its end
whole() { tiny "$@"; ended "$1"; }

whole self "quiet; selftest; poweroff"
consoled_said self | tr -d '\r'
consoled_said self | grep -q '^selftest: [1-9][0-9]* ok, 0 failed' || fail "the self-test"

whole spew "quiet; spew 2000; poweroff"
mkdir spew
consoled_said spew >spew/00000000000000000000.log
check_spew spew 2000

# Events between vCPUs, upcalls by the vector of each (arm64: by the interrupt of the device tree), while vcpu_info and shared_info move.
for kernel in "$TINY" "$CASES/bin/tiny-pvh32"; do
    [ -e "$kernel" ] || continue
    name=events-${kernel##*/}
    whole "$name" "quiet; vcpus 3; selftest; events 2 200 20 20; poweroff" "kernel = \"$kernel\"" 'vcpus = 3'
    consoled_said "$name" | tr -d '\r'
    consoled_said "$name" | grep -q '^vcpus: 3 of 3 run, upcalls by interrupt' || fail "vCPUs of $kernel"
    consoled_said "$name" | grep -q '^selftest: [1-9][0-9]* ok, 0 failed' || fail "the self-test of $kernel"
    consoled_said "$name" | grep -q "^events: 2 senders, 200 ports, .* 20 moves, .* none lost" || fail "events of $kernel"
done
