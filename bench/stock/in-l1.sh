#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# Inside L1: in-l1.sh WAY DEVICE LINES ROUNDS. Each round is a boot of stock Linux under vcons-vmm and one under QEMU, in turn, and
# the same dd of LINES lines of 64 bytes to DEVICE (hvc0, ttyS0, ttyAMA0; port: a port of virtio-console by that name) and so into a
# log. Prints a line for each: who, exits in all, those of them that went on to the hypervisor's program, milliseconds of
# processor of the hypervisor's own, of the service, and of the whole dd, and interrupts that KVM was asked to inject.
set -eu
way=$1 device=$2 lines=$3 rounds=$4
top=$PWD
export PATH="$top/bin:$PATH"
[ ! -d lib ] || export LD_LIBRARY_PATH="$top/lib"
mount -t debugfs debugfs /sys/kernel/debug
trace=/sys/kernel/debug/tracing
mkdir -p /tmp/g/bin /tmp/v /tmp/w
cp /bin/busybox /tmp/g/bin/
cp guest-init /tmp/g/init
chmod 755 /tmp/g/init
(cd /tmp/g && find . | cpio -o -H newc 2>/dev/null) >/tmp/initrd
cp -r /l2/modules /tmp/v/
(cd /tmp/v && find . | cpio -o -H newc 2>/dev/null) | cat /tmp/initrd - >/tmp/initrd.virtio

# How our guest's console is configured, and QEMU's is plugged in; what either boots.
console='console "c" { type = xen }' talks=c kernel=/l2/vmlinux initrd=/tmp/initrd.virtio qemu=qemu-system-x86_64
ours=/tmp/initrd board='q35,accel=kvm' plug='-device virtio-serial-pci -device virtconsole,chardev=c'
case $device in
    ttyS0) console='console "c" { type = 16550 }' kernel=/l2/bzImage initrd=/tmp/initrd plug='-device isa-serial,chardev=c' ;;
    port)
        console='console "c" { type = xen } console "port" { type = virtio-port }' talks=port ours=$initrd
        plug='-device virtio-serial-pci -device virtserialport,chardev=c,name=port'
        ;;
    ttyAMA0)
        console='console "c" { type = pl011 }' kernel=/l2/Image initrd=/tmp/initrd plug='-serial chardev:c'
        qemu=qemu-system-aarch64 board='virt,accel=kvm,gic-version=3'
        ;;
esac
# kvm-pv-eoi: with it the guest stands still in the emulated machine. Without, an end of interrupt is an exit for QEMU's guest, as
# it is for ours: with virtio one for each 2 KiB, since its driver writes a page at a time.
cpu=host
[ "$qemu" != qemu-system-x86_64 ] || cpu=host,-kvm-pv-eoi
args="console=$device quiet lines=$lines"
[ "$device" != port ] || args="console=hvc0 port=port quiet lines=$lines"

exits() { cat /sys/kernel/debug/kvm/exits; }
# L1 has one processor. What no longer fits into the buffer of its trace has been counted all the same.
user_exits() { awk '/^(entries|overrun):/ { sum += $2 } END { print sum }' $trace/per_cpu/cpu0/stats; }
# own PID - ticks of 10 ms that it ran, without the guest's
own() { awk '{ print $14 + $15 - $43 }' "/proc/$1/stat"; }
injections() { cat /sys/kernel/debug/kvm/irq_injections 2>/dev/null || echo 0; }
now() { awk '{ print $1 * 1000 }' /proc/uptime; }
# shellcheck disable=SC2086 # a pattern
log() { cat $log 2>/dev/null; }
# shellcheck disable=SC2086
log_end() { tail -q -c "$1" $log 2>/dev/null; } # which is looked for many times, and must not cost what is measured
fail() {
    log_end 2000
    cat /tmp/w/said
    echo "$who: $*"
    exit 1
}
# said TEXT PID - wait until the guest said it; not longer than its hypervisor runs
said() {
    until log_end 300 | grep -q "$1"; do
        [ -d "/proc/$2" ] || fail "its hypervisor ended before the guest said $1"
        ! log_end 3000 | grep -q 'Kernel panic' || fail "the guest panicked before it said $1"
        usleep 100000
    done
}

# measure WHO PID SERVICE-PID - between READY and DONE
measure() {
    who=$1
    said READY "$2"
    sleep 1
    a="$(exits) $(user_exits) $(own "$2") $(own "$3") $(now) $(injections)"
    "$who"_type go
    said DONE "$2"
    b="$(exits) $(user_exits) $(own "$2") $(own "$3") $(now) $(injections)"
    n=$(log | tr -d '\r' | grep -c '^0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+$')
    [ "$n" = "$lines" ] || fail "$n of $lines lines arrived"
    echo "$who $a $b" | awk '{ print $1, $8 - $2, $9 - $3, ($10 - $4) * 10, ($11 - $5) * 10, $12 - $6, $13 - $7 }'
    "$who"_type off
    wait "$2" || true
}

vcons_type() { vcons send -n "g/$talks" "$1
"; }
vcons_round() {
    rm -rf /tmp/w
    mkdir -p /tmp/w
    export VCONS_RUNTIME_DIR=/tmp/w/run VCONS_STATE_DIR=/tmp/w/state VCONS_LOG_DIR=/tmp/w/log VCONS_LIBEXEC="$top/bin"
    mkdir -m 700 /tmp/w/run /tmp/w/state /tmp/w/log
    log="/tmp/w/log/g/$talks/0*.log"
    cat >/tmp/w/g.conf <<END
hypervisor { name = "lab" console = none }
domain "g" { kernel = "$kernel" ramdisk = "$ours" engine = $way memory = 256M hold = forever cmdline = "$args" $console }
END
    vconsd --foreground 2>/dev/null &
    service=$!
    until vcons status >/dev/null 2>&1; do usleep 50000; done
    vcons-vmm /tmp/w/g.conf >/tmp/w/said 2>&1 &
    measure vcons $! $service
    kill $service
    wait $service || true
}

qemu_type() { echo "$1" >&5; }
qemu_round() {
    rm -rf /tmp/w
    mkdir -p /tmp/w
    log=/tmp/w/log
    mkfifo /tmp/w/in
    exec 5<>/tmp/w/in
    # shellcheck disable=SC2086 # words
    $qemu -L "$top/share" -M $board -cpu $cpu -smp 1 -m 256 -nodefaults -no-user-config -display none -no-reboot -kernel $kernel \
        -initrd $initrd -append "$args" -chardev stdio,id=c,signal=off $plug <&5 >$log 2>/tmp/w/said &
    measure qemu $! $!
    exec 5>&-
}

echo 64 >$trace/buffer_size_kb
echo 1 >$trace/events/kvm/kvm_userspace_exit/enable
while [ "$rounds" -gt 0 ]; do
    vcons_round
    qemu_round
    rounds=$((rounds - 1))
done
