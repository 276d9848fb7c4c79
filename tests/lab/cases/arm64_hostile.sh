# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# Kernels of a few instructions: accesses that KVM cannot decode, wild calls by the doorbell page, addresses where nothing is, a jump to
# nowhere, PSCI's ends, and vCPUs that switch themselves off. Each is its own domain's matter, and of the right kind.
. "$CASES/cases/lib.sh"

# image NAME WORD... - an Image with these instructions, in hexadecimal
image() {
    local name=$1 word
    shift
    {
        printf '\020\000\000\024\000\000\000\000\000\000\000\000\000\000\000\000' # b . + 0x40; text_offset 0
        printf '\000\020\000\000\000\000\000\000\012\000\000\000\000\000\000\000' # image_size 4096; flags
        head -c 24 /dev/zero
        printf 'ARM\144\000\000\000\000'
        for word; do
            # shellcheck disable=SC2059 # the escapes are the point
            printf "\\x${word#??????}\\x$(echo "$word" | cut -c 5-6)\\x$(echo "$word" | cut -c 3-4)\\x$(echo "$word" | cut -c 1-2)"
        done
    } >"$name"
}

off="d2b08000 f2800100 d4000002 14000000"   # x0 = 0x84000008, PSCI SYSTEM_OFF; hvc #0; b .
image off $off
image reset d2b08000 f2800120 d4000002 14000000
image pair d2a12002 a9400440 $off           # x2 = the UART; ldp x0, x1, [x2]
image stepping d2a12002 f8408440 $off       # ldr x0, [x2], #8
# x2 = the doorbell page: a call from -1, from RAM but not aligned (x0 = 0x40000008), in 32 bits, a read of its last word
image wild d2a14002 92800000 f9000440 d2a80000 f2800100 f9000440 b9000840 f947fc40 $off
# The last block in RAM is served, with a number that is none; the one behind it is not there. 8 MiB of RAM: x0 = 0x407fffc0, 0x40800000
image edges d2a14002 d2a80fe0 f29ff800 f9000440 d2a81000 f9000440 $off
# Where nothing is, by byte and by 64 bits; below the UARTs, behind them, above RAM (x2 = 0x0c000000, 0x09fffff8, 0x60000000)
image holes d2a18002 39400040 39000040 f9400040 d2a13fe2 f29fff02 f9400040 f9000040 d2ac0002 f9400040 f9000040 $off
# vCPU 0 switches on the other (x0 = 0xc4000003, CPU_ON; adr x2, + 28) and itself off (x0 = 0x84000002, CPU_OFF). That lets three seconds
# go by, of which nobody hears anything, and then there is no vCPU left.
cpu_off="d2b08000 f2800040 d4000002 14000000"
start="d2b88000 f2800060 d2800021 100000e2 d2800003 d4000002 $cpu_off"
wait="d53be044 d53be005 8b0504a5 8b050084 d53be046 eb0400df 54ffffc3"
image asleep $start $wait $cpu_off
# Two that for five seconds switch each other on and themselves off: most of the time one is, and never are both. turn: x7 = the end, which
# the other gets in x0; x9 = which vCPU it is; again: CPU_ON of the other at turn, until that is off; CPU_OFF
image awake d53be044 d53be005 8b0508a5 8b050080 aa0003e7 d53be046 eb0700df 540001c2 d53800a9 92400129 \
    d2b88000 f2800060 d2400121 10fffee2 aa0703e3 d4000002 b5ffff40 d2b08000 f2800040 d4000002 14000000 \
    d2b08000 f2800120 d4000002 14000000
image nowhere d2800002 d61f0040             # br x2, to 0
cat >hostile.conf <<END
hypervisor { name = "lab" }
END
for d in off pair stepping wild edges holes reset asleep awake; do
    echo "domain \"$d\" { kernel = \"./$d\" engine = kvm memory = 8M vcpus = 2 on_reboot = destroy console \"uart\" { type = pl011 } }" >>hostile.conf
done
service
status=0
vcons-vmm hostile.conf </dev/null >out 2>&1 || status=$?
sort out
[ $status = 1 ] || fail "two domains crashed, yet vcons-vmm says $status"
for d in pair stepping; do
    has out "($d) crashed: an access to a device that KVM does not decode"
done
for d in off wild edges holes asleep; do
    has out "($d) powered off"
done
has out "(reset) reboots"
has out "(awake) reboots"
# One that spins for ever, in a fault without a handler, is reset, and ends, when somebody asks for it.
echo 'domain "nowhere" { kernel = "./nowhere" engine = kvm memory = 8M vcpus = 4 }' >spin.conf
vcons-vmm spin.conf </dev/null >spun 2>&1 &
wait_for "the domain that spins" sh -c 'vcons ls | grep -q "^nowhere/uart .*running"'
vcons reset nowhere
wait_for "its second boot" sh -c 'vcons ls --json | grep -qE "\"boots\": *2"'
kill -TERM $!
wait $! || fail "the hypervisor of a domain that spins says $?"
