# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# tiny's virtio-console driver on our devices: what it relies on; the consoles of three devices beside a UART, every byte; a port that is
# no console; and consoles that come and go while the guest runs, one of them while it prints, each with the lowest number that is free.
. "$CASES/cases/lib.sh"
n=300
devices='console "a" { type = virtio } console "b" { type = virtio device = 1 } console "c" { type = virtio device = 2 }'
cat >tiny.conf <<CONF
hypervisor { name = "tiny" console = none }
domain "self" { kernel = "tiny" engine = kvm memory = 8M hold = forever cmdline = "quiet; await 3; virtio-test; poweroff"
    console "hvc0" { type = xen } $devices }
domain "doors" { kernel = "tiny" engine = kvm memory = 8M hold = forever cmdline = "console=pl011; console=virtio; quiet; await 3"
    console "uart" { type = pl011 } $devices
    console "agent" { type = virtio-port device = 1 } }
CONF
service
vcons-vmm tiny.conf &

said() { log_of "doors/$1" 2>/dev/null | tr -d '\r' | grep -q -- "$2"; }
prompts() { [ "$(log_of "doors/$1" 2>/dev/null | tail -c 6)" = 'tiny> ' ]; }
# say CONSOLE TEXT WANTED - and wait until a line of its log begins with that, and it has a prompt again
say() {
    vcons send "doors/$1" "$2"
    wait_for "'$3' at $1" said "$1" "^$3"
    wait_for "a prompt at $1" prompts "$1"
}

for c in uart a b c; do
    wait_for "$c" prompts $c
done
for c in a c uart; do
    say $c "spew $n" "$((n - 1)) "
    check_spew log/doors/$c $n
done
say a 'port agent open' 'tiny> port agent open'
say a 'port agent send to the agent' 'tiny> port agent send'
wait_for "what was sent to the agent" has log/doors/agent/00000000000000000000.log 'to the agent' >/dev/null
vcons send -n doors/agent 'from the agent'
heard() { say a 'port agent read' 'tiny> port agent read' && said a 'from the agent'; }
wait_for "what the agent sent" heard

vcons console add doors d --device 2
wait_for "d" prompts d
say d 'echo here' here
vcons send doors/b 'spew 1000000000'
wait_for "what b prints" said b "^$n "
vcons console remove doors b
vcons console add doors e
wait_for "e" prompts e
say e 'echo there' there
check_spew log/doors/b "$(($(log_of doors/b | wc -l) - 1))"
say a consoles 'vport.*: name e,'
log_of doors/a | tr -d '\r' | sed -n 's/.*: name \([^,]*\),.*is_console yes, console_vtermno \([0-9]*\),.*/\1 \2/p' | sort >numbers
printf '%s\n' 'a 1' 'c 3' 'd 4' 'e 2' >wanted
same wanted numbers
vcons send doors/uart poweroff || [ $? = 6 ]
wait $! || fail "vcons-vmm says $?"
log_of self/hvc0 | tr -d '\r' >self
grep -q '^virtio-test: 42 ok, 0 failed$' self || { cat self; fail "virtio-test"; }
