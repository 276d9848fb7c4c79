# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# tiny_exits-TYPE: what our drivers cost on a UART of that type: its status is read once for each load of its FIFO, and of what is
# written KVM records nearly all. Counted by KVM's own trace, of a longer and a shorter output, whose difference it is.
. "$CASES/cases/lib.sh"
type=$1
case $type in
    16550) named=ttyS0 most=70 ;; # exits to vcons-vmm for a thousand characters
    *) named=$type most=35 ;;
esac
mkdir trace
mount -t tracefs trace trace
trap 'echo 0 >trace/events/kvm/kvm_userspace_exit/enable; umount trace' EXIT
echo 64 >trace/buffer_size_kb
echo 1 >trace/events/kvm/kvm_userspace_exit/enable
service

# What no longer fits into the buffer has been counted all the same.
exits() { cat trace/per_cpu/cpu*/stats | awk '/^(entries|overrun):/ { sum += $2 } END { print sum }'; }

# spew DOMAIN LINES - "exits characters" of all that it does
spew() {
    local before
    cat >"$1.conf" <<END
hypervisor { name = "tiny" console = none }
domain "$1" { kernel = "tiny" engine = kvm memory = 8M hold = forever cmdline = "console=$named; quiet; spew $2; poweroff"
    console "uart" { type = $type } }
END
    before=$(exits)
    vcons-vmm "$1.conf" || fail "vcons-vmm says $?"
    echo "$(($(exits) - before)) $(log_of "$1/uart" | wc -c)"
    check_spew "log/$1/uart" "$2" >&2
}

short=$(spew short 100)
long=$(spew long 1100)
echo "$short $long" | awk -v most=$most '{
    print $3 - $1, "exits for", $4 - $2, "characters"
    exit !($4 - $2 > 50000 && ($3 - $1) * 1000 <= ($4 - $2) * most) }' || fail "of a thousand characters more than $most are exits"
