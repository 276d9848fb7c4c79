# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# tiny on KVM: every byte of what it printed, each of the ways to end, and each domain's end is its own.
. "$CASES/cases/lib.sh"
cat >tiny.conf <<END
hypervisor { name = "tiny" console = none }
domain "ring" { kernel = "tiny" engine = $WAY memory = 8M hold = forever cmdline = "quiet; spew 2000; poweroff" }
domain "call" { kernel = "tiny" engine = $WAY memory = 8M hold = forever cmdline = "quiet; spew 300; poweroff"
    console "con" { type = console_io } }
domain "trap" { kernel = "tiny" engine = $WAY memory = 8M hold = forever cmdline = "quiet; echo before; crash trap"
    on_crash = destroy }
END
service
status=0
vcons-vmm tiny.conf || status=$?
[ $status = 1 ] || fail "one domain crashed, yet vcons-vmm says $status"
check_spew log/ring/hvc0 2000
check_spew log/call/con 300
log_of trap/hvc0 >trapped
printf 'before\r\n' >wanted
same trapped wanted
