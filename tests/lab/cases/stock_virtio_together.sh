# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/virtio.sh
# What announcing in order is for: seven devices with a console each, all told at once to four processors, the first of them a
# console of the kernel's, too, as on most machines: while it is told the kernel's log, others take its number with the driver of
# Linux before 6.2. In order, none does in as many boots and two more. For the long run: it takes chance.
. "$CASES/cases/virtio.sh"
[ -n "$VCONS_LONG" ] || {
    echo "looked for in the long run only: it takes chance, and up to 30 boots"
    exit 77
}
cmdline="console=hvc$first_hvc $cmdline level=8"
virtio_ramdisk initrd
for i in 1 2 3 4 5 6 7; do
    echo "v$i $((i - 1)) virtio"
done >consoles
service

# boots ORDER N - until two share a number, or N times; b is how many it took
boots() {
    domain 4 7 "virtio_announce = $1" <consoles >deb.conf
    rm -rf log/deb
    vcons-vmm deb.conf >vmm.out 2>&1 &
    b=1
    WAIT_S=300 boot 1
    echo "boot 1 of $1: $(sort -k 2 ports | cut -d" " -f6 | tr "\n" " ")"
    while [ -z "$(duplicates)" ] && [ $b -lt "$2" ]; do
        b=$((b + 1))
        vcons reset deb
        WAIT_S=300 boot $b
        echo "boot $b of $1: $(sort -k 2 ports | cut -d" " -f6 | tr "\n" " ")"
    done
    echo "$1: $b boots; shared by two consoles: $(duplicates)"
    cat ports
    vcons stop deb
    wait $!
}

boots together 30
[ -n "$(duplicates)" ] || fail "no duplicates in $b boots: does anything test the order?"
boots ordered $((b + 2))
[ -z "$(duplicates)" ] || fail "two consoles share a number"
