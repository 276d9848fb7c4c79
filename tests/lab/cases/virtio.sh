# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# What the cases of virtio-console share: stock guests on virtio-init. Read first by each, behind its head.
. "$CASES/cases/lib.sh"

# How the guest boots here: its first console, which is none of virtio's, and its first hvc that is.
# shellcheck disable=SC2034 # the cases read it
case $WAY in
arm64) kernel=/l2/Image engine=kvm first='type = pl011' cmdline='console=ttyAMA0 quiet' first_hvc=0 ;;
*) kernel=/l2/vmlinux engine=$WAY first='type = xen' cmdline='console=hvc0 keep=hvc0 quiet' first_hvc=1 ;;
esac
modules=/l2/modules

# virtio_ramdisk FILE
virtio_ramdisk() {
    mkdir -p guest/bin guest/modules
    cp /bin/busybox guest/bin/
    cp "$CASES/cases/virtio-init" guest/init
    chmod 755 guest/init
    grep -v 'pci\|blk' "$modules/order" >guest/modules/order
    while read -r module; do
        cp "$modules/$module.ko" guest/modules/
    done <guest/modules/order
    (cd guest && find . | cpio -o -H newc 2>/dev/null) >"$1"
}

# domain VCPUS PORTS OPTIONS <CONSOLES - deb.conf: consoles are lines of NAME DEVICE KIND, KIND virtio or virtio-port
domain() {
    cat <<END
hypervisor { name = "lab" console = none }
domain "deb" { kernel = "$kernel" ramdisk = "$PWD/initrd" engine = $engine memory = 192M vcpus = $1 hold = forever $3
    cmdline = "$cmdline ports=$2"
    console "boot" { $first }
END
    while read -r name device kind; do
        echo "    console \"$name\" { type = $kind device = $device }"
    done
    echo "}"
}

# ups N - the guest has come up so many times, or has died
ups() { [ "$(cat log/deb/boot/0*.log 2>/dev/null | grep -c -e '^guest: up' -e 'Kernel panic')" -ge "$1" ]; }
# boot N - wait for the Nth boot, and have its ports in the file ports: port, name, guest, host, console, vtermno
boot() {
    wait_for "boot $1" ups "$1"
    ! grep -qs 'Kernel panic' log/deb/boot/0*.log || { log_of deb/boot | tail -n 60; fail "the guest panicked"; }
    log_of deb/boot | tr -d '\r' | awk '/^port: / { line[n++] = substr($0, 7) } /^guest: up/ { kept = n; for (i = 0; i < n; i++) l[i] = line[i]; n = 0 }
        END { for (i = 0; i < kept; i++) print l[i] }' >ports
}

# duplicates - numbers that two consoles share
duplicates() { awk '$5 == "yes" { print $6 }' ports | sort | uniq -d; }

# everybody_talks N - wait until N consoles have said who they are, in all boots: what comes earlier, a terminal would echo
everybody_talks() { wait_for "all $1 to talk" talking "$1"; }
talking() { [ "$(cat log/deb/*/0*.log | grep -c "I am ")" -ge "$1" ]; }
# tell CONSOLE LINE
tell() { vcons send -n "deb/$1" "$2
"; }
# answered TEXT N - so many answers to it are in all logs together
answered() { [ "$(cat log/deb/*/0*.log | tr -d '\r' | grep -c " got $1$")" -ge "$2" ]; }
