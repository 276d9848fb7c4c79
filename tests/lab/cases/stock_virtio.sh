# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/virtio.sh
# stock_virtio-VCPUS: Debian's kernel with three virtio-consoles, seven console ports among them in turn and six named ports: boot
# after boot no two consoles share a number in /sys/kernel/debug/virtio-ports, hvcN is the Nth console of the configuration,
# what is written to each device arrives at its own console and at no other, input likewise, and each has its size.
. "$CASES/cases/virtio.sh"
vcpus=$1 boots=3
[ -z "$VCONS_LONG" ] || boots=30
virtio_ramdisk initrd
cat >consoles <<'END'
v1 2 virtio
v2 0 virtio
p1 0 virtio-port
v3 1 virtio
p2 1 virtio-port
v4 2 virtio
p3 2 virtio-port
v5 0 virtio
p4 2 virtio-port
p5 0 virtio-port
v6 1 virtio
v7 2 virtio
p6 1 virtio-port
END
n=$(wc -l <consoles)
domain "$vcpus" "$n" "" <consoles >deb.conf
# size BOOT CONSOLE - rows and columns that it gets then: no two are the same
size() { echo "$((20 + 7 * $1 + ${2#v})) $((90 + ${2#v}))"; }
# ask CONSOLE LINE... - say them, and expect the answers
ask() {
    local name=$1 line
    shift
    for line; do
        echo "$(who "$name") got $line" >>"all.$name"
    done
    tell "$name" "$(printf '%s\n' "$@")"
}
# who CONSOLE - what it is to the guest
who() { case $1 in v*) echo "hvc$((first_hvc + ${1#v} - 1))" ;; *) echo "$1" ;; esac; }

service
vcons-vmm deb.conf >vmm.out 2>&1 &
b=0
while [ $b -lt $boots ]; do
    b=$((b + 1))
    [ $b = 1 ] || vcons reset deb
    WAIT_S=$((150 + 20 * vcpus)) boot $b
    sort -k 2 ports | awk '{ print $2, $3, $4, $5, $6 }' >is
    { for i in 1 2 3 4 5 6; do echo "p$i 1 1 no 0"; done; for i in 1 2 3 4 5 6 7; do echo "v$i 1 1 yes $i"; done; } >wanted
    sed 's/^\(p[1-6]\) [01]/\1 1/' is >are # a port is open once somebody talks there
    same are wanted
    everybody_talks $((n * b))
    # The size from before the boot is there again; then another one comes. What is asked for must not be gone already.
    while read -r name _; do
        echo "I am $(who "$name")" >>"all.$name"
        case $b-$name in
        1-* | *-p?) ask "$name" "hello $name, boot $b" ;;
        *) ask "$name" "size $(size $((b - 1)) "$name")" "hello $name, boot $b" ;;
        esac
    done <consoles
    wait_for "the answers of boot $b" answered "hello .*, boot $b" "$n"
    while read -r name kind; do
        [ "$kind" = "${kind%-port}" ] || continue
        vcons resize "deb/$name" "$(size $b "$name" | awk '{ print $2 "x" $1 }')"
        ask "$name" "size $(size $b "$name")"
    done <consoles
    wait_for "the sizes of boot $b" answered "size .*" $((7 * (2 * b - 1)))
    echo "boot $b at $(cut -d' ' -f1 /proc/uptime)"
done
while read -r name _; do
    log_of "deb/$name" | tr -d '\r' >"log.$name"
    same "all.$name" "log.$name"
done <consoles
vcons stop deb
