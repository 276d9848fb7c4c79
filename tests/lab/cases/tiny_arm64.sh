# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# tiny-arm64 on the arm64 engine: its self-test by the doorbell page, its bytes on a UART, and what is pasted into PL011 and SBSA, by
# interrupt and polled; four vCPUs. One pries: it reaches nothing, and no UART says a byte more.
. "$CASES/cases/lib.sh"
n=4000
cat >tiny.conf <<END
hypervisor { name = "tiny" console = none }
domain "ring" { kernel = "tiny" engine = kvm memory = 8M vcpus = 4 hold = forever cmdline = "quiet; selftest; poweroff"
    console "hvc0" { type = xen } }
domain "spew" { kernel = "tiny" engine = kvm memory = 8M hold = forever cmdline = "console=pl011; quiet; spew 2000; poweroff" }
domain "pry" { kernel = "tiny" engine = kvm memory = 8M hold = forever cmdline = "quiet; pry; echo untouched; poweroff"
    console "hvc0" { type = xen } console "uart" { type = pl011 } }
domain "pl011" { kernel = "tiny" engine = kvm memory = 8M vcpus = 4 hold = forever cmdline = "console=pl011"
    console "uart" { type = pl011 } }
domain "sbsa" { kernel = "tiny" engine = kvm memory = 8M hold = forever cmdline = "console=sbsa"
    console "uart" { type = sbsa } }
domain "polled" { kernel = "tiny" engine = kvm memory = 8M hold = forever cmdline = "console=pl011; uart=polled"
    console "uart" { type = pl011 } }
END
service
head -c $n /dev/urandom >paste
crc=$(crc32 paste | cut -d' ' -f1)

# said DOMAIN TEXT - its UART's log has it
said() { log_of "$1/uart" 2>/dev/null | grep -qF -- "$2"; }

# prompts DOMAIN - nothing is behind its last prompt
prompts() { [ "$(log_of "$1/uart" | tail -c 6)" = 'tiny> ' ]; }

vcons-vmm tiny.conf &
for d in polled pl011 sbsa; do # the first spins while it waits
    wait_for "$d" said $d 'tiny> '
    printf 'selftest\r' | vcons send $d
    wait_for "$d's self-test" said $d ' ok, 0 failed'
    printf 'uart-test\r' | vcons send $d
    wait_for "$d's UART test" said $d 'uart-test: '
    wait_for "its prompt" prompts $d
    printf 'sum %d\r' $n | cat - paste | vcons send $d
    wait_for "what was pasted into $d" said $d "sum $n 0x$crc"
    printf 'consoles\rpoweroff\r' | last -n $d
done
wait $! || fail "vcons-vmm says $?"
log_of ring/hvc0 | tr -d '\r' >self
grep -q '^selftest: [1-9][0-9]* ok, 0 failed$' self || { cat self; fail "the self-test"; }
check_spew log/spew/uart 2000
log_of pry/hvc0 | tr -d '\r' >pried
grep -qE '^pry: 1 ports of others, .*, 0 reached$' pried && grep -q '^untouched$' pried || { cat pried; fail "it pried"; }
[ -z "$(log_of pry/uart)" ] || fail "the UART beside who pries says something"
for d in pl011 sbsa polled; do
    log_of $d/uart | tr -d '\r' | grep -qE '^uart-test: [1-9][0-9]* ok, 0 known, 0 failed$' ||
        { log_of $d/uart | grep -E 'uart-test|FAILED'; fail "$d: uart-test"; }
done
clean='breaks 0, overruns 0, errors 0, dropped 0'
log_of pl011/uart | grep -q "^uart0 pl011 by interrupt, depth 32, interrupts [1-9][0-9]*, $clean" || fail "pl011 by interrupt"
log_of sbsa/uart | grep -q "^uart0 sbsa by interrupt, depth 32, interrupts [1-9][0-9]*, $clean" || fail "sbsa by interrupt"
log_of polled/uart | grep -q "^uart0 pl011 polled, depth 32, interrupts 0, $clean" || fail "pl011 polled"
