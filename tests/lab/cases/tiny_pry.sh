# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# tiny tries every port, parameter and frame that is not its own, with UARTs beside its PV console, told on one of them: only errors come,
# also where KVM itself serves events, and the three consoles' logs are exact to the byte.
. "$CASES/cases/lib.sh"
cat >pry.conf <<END
hypervisor { name = "tiny" console = none }
domain "pry" { kernel = "tiny" engine = $WAY memory = 16M vcpus = 2 hold = forever cmdline = "console=ttyS1; quiet; pry; echo untouched; poweroff"
    console "pv" { type = xen }
    console "com1" { type = 16550 }
    console "com2" { type = 16550 } }
END
service
vcons-vmm pry.conf
printf '%s\r\n' 'pry: 2 ports of others, 11 parameters to read, 7 to set, 62 places for its grants, 0 reached' untouched >wanted
log_of pry/com2 >said
same wanted said
[ -z "$(log_of pry/pv)$(log_of pry/com1)" ] || fail "the other consoles said something"
