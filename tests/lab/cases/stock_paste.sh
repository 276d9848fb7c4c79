# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# stock_paste-TYPE: Debian's arm64 kernel, packed by gzip, with one UART of that type alone: what is pasted arrives whole, much output
# comes out exact, and both by interrupts.
. "$CASES/cases/lib.sh"
type=$1
bytes=65536
[ -z "$VCONS_LONG" ] || bytes=1048576
ramdisk initrd
gzip -1 -c /l2/Image >Image.gz
cat >stock.conf <<END
hypervisor { name = "lab" console = none }
domain "deb" { kernel = "./Image.gz" ramdisk = "$PWD/initrd" engine = kvm memory = 256M hold = forever cmdline = "console=ttyAMA0 quiet"
    console "uart" { type = $type } }
END
WAIT_S=400 # each byte costs two exits of an emulated machine
service
vcons-vmm stock.conf &

# said TEXT - the log has it
said() { log_of deb/uart 2>/dev/null | grep -qF -- "$1"; }

# type TEXT - as a person would
typed() { printf '%s\r' "$1" | vcons send deb; }

wait_for "the guest" said 'guest# '
# shellcheck disable=SC2016 # it is the guest's
typed 'stty raw -echo crtscts; echo R-"EADY"; head -c '$bytes' >/got; stty sane; echo G-"OT" $(md5sum </got)'
wait_for "the guest's reader" said R-EADY
head -c $bytes /dev/urandom >paste
vcons send deb <paste
wait_for "what was pasted" said "G-OT $(md5sum <paste | cut -d' ' -f1)"
typed 'seq 1 5000 >/all; echo A-"LL"; cat /all; echo E-"ND"; grep -i uart- /proc/interrupts'
wait_for "much output" said E-ND
wait_for "its prompt" sh -c "cat log/deb/uart/*.log | tail -n 1 | grep -q 'guest# '"
typed 'poweroff -f'
wait $! || fail "vcons-vmm says $?"
log_of deb/uart | awk '/^A-LL/ { on = 1; next } /^E-ND/ { exit } on' | tr -d '\r' >all
seq 1 5000 >wanted
same all wanted
# Few interrupts bring much: the UART is filled again as it is read.
log_of deb/uart | awk '/GICv3 .*uart-/ { exit !($2 >= 3) }' || { log_of deb/uart | grep GICv3; fail "not by interrupts"; }
