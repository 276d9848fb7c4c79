#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# Inside L1: in-l1.sh WAY LINES ROUNDS. Each round is a boot of stock Linux under vcons-vmm and one under QEMU, in turn, and the
# same dd of LINES lines of 64 bytes to hvc0 and so into a log. Prints a line for each: who, exits, milliseconds of processor of
# the hypervisor's own, of the service, and of the whole dd.
set -eu
way=$1 lines=$2 rounds=$3
top=$PWD
export PATH="$top/bin:$PATH"
mount -t debugfs debugfs /sys/kernel/debug
mkdir -p /tmp/g/bin /tmp/v /tmp/w
cp /bin/busybox /tmp/g/bin/
cp guest-init /tmp/g/init
chmod 755 /tmp/g/init
(cd /tmp/g && find . | cpio -o -H newc 2>/dev/null) >/tmp/initrd
cp -r /l2/modules /tmp/v/
(cd /tmp/v && find . | cpio -o -H newc 2>/dev/null) | cat /tmp/initrd - >/tmp/initrd.virtio
args="console=hvc0 quiet lines=$lines"

exits() { cat /sys/kernel/debug/kvm/exits; }
# own PID - ticks of 10 ms that it ran, without the guest's
own() { awk '{ print $14 + $15 - $43 }' "/proc/$1/stat"; }
now() { awk '{ print $1 * 1000 }' /proc/uptime; }
# shellcheck disable=SC2086 # a pattern
log() { cat $log 2>/dev/null; }
fail() {
    log | tail -n 20
    cat /tmp/w/said
    echo "$who: $*"
    exit 1
}
# said TEXT PID - wait until the guest said it; not longer than its hypervisor runs
said() {
    until log | tail -c 300 | grep -q "$1"; do
        [ -d "/proc/$2" ] || fail "its hypervisor ended before the guest said $1"
        ! log | tail -c 3000 | grep -q 'Kernel panic' || fail "the guest panicked before it said $1"
        usleep 100000
    done
}

# measure WHO PID SERVICE-PID - between READY and DONE
measure() {
    who=$1
    said READY "$2"
    sleep 1
    a="$(exits) $(own "$2") $(own "$3") $(now)"
    "$who"_type go
    said DONE "$2"
    b="$(exits) $(own "$2") $(own "$3") $(now)"
    n=$(log | grep -c '^0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+$')
    [ "$n" = "$lines" ] || fail "$n of $lines lines arrived"
    echo "$who $a $b" | awk '{ print $1, $6 - $2, ($7 - $3) * 10, ($8 - $4) * 10, $9 - $5 }'
    "$who"_type off
    wait "$2" || true
}

vcons_type() { vcons send -n g "$1
"; }
vcons_round() {
    rm -rf /tmp/w
    mkdir -p /tmp/w
    export VCONS_RUNTIME_DIR=/tmp/w/run VCONS_STATE_DIR=/tmp/w/state VCONS_LOG_DIR=/tmp/w/log VCONS_LIBEXEC="$top/bin"
    mkdir -m 700 /tmp/w/run /tmp/w/state /tmp/w/log
    log='/tmp/w/log/g/hvc0/0*.log'
    cat >/tmp/w/g.conf <<END
hypervisor { name = "lab" console = none }
domain "g" { kernel = "/l2/vmlinux" ramdisk = "/tmp/initrd" engine = $way memory = 256M hold = forever cmdline = "$args" }
END
    vconsd --foreground 2>/dev/null &
    service=$!
    until vcons status >/dev/null 2>&1; do usleep 50000; done
    vcons-vmm /tmp/w/g.conf >/tmp/w/said 2>&1 &
    measure vcons $! $service
    kill $service
    wait $service || true
}

# Without kvm-pv-eoi, with which the guest stands still in the emulated machine: an end of interrupt is an exit for QEMU's
# guest, as it is for ours. That is one for each 2 KiB, since its driver writes a page at a time.
qemu_type() { echo "$1" >&5; }
qemu_round() {
    rm -rf /tmp/w
    mkdir -p /tmp/w
    log=/tmp/w/log
    mkfifo /tmp/w/in
    exec 5<>/tmp/w/in
    qemu-system-x86_64 -L "$top/share" -M q35,accel=kvm -cpu host,-kvm-pv-eoi -smp 1 -m 256 -nodefaults -no-user-config -display none \
        -no-reboot -kernel /l2/vmlinux -initrd /tmp/initrd.virtio -append "$args" -device virtio-serial-pci \
        -chardev stdio,id=c,signal=off -device virtconsole,chardev=c <&5 >$log 2>/tmp/w/said &
    measure qemu $! $!
    exec 5>&-
}

while [ "$rounds" -gt 0 ]; do
    vcons_round
    qemu_round
    rounds=$((rounds - 1))
done
