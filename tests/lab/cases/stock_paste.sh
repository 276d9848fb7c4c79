# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# stock_paste-TYPE: Debian's kernel, on arm64 packed by gzip, with one UART of that type alone: what is pasted arrives whole, output as
# large as that of `find /` comes out exact, and both by interrupts.
. "$CASES/cases/lib.sh"
type=$1
pasted=65536
WAIT_S=400 # each byte costs two exits of an emulated machine
[ -z "$VCONS_LONG" ] || { pasted=1048576 && WAIT_S=5000; }
ramdisk initrd
if [ "$WAY" = arm64 ]; then
    gzip -1 -c /l2/Image >Image.gz
    kernel=./Image.gz engine=kvm tty=ttyAMA0 printed=32768 line='GICv3 .*uart-'
else
    kernel=/l2/vmlinux engine=$WAY tty=ttyS0 printed=131072 line='IO-APIC .*ttyS0'
fi
cat >stock.conf <<END
hypervisor { name = "lab" console = none }
domain "deb" { kernel = "$kernel" ramdisk = "$PWD/initrd" engine = $engine memory = 256M hold = forever cmdline = "console=$tty quiet"
    console "uart" { type = $type } }
END
service
vcons-vmm stock.conf &

# said TEXT - the log has it
said() { log_of deb/uart 2>/dev/null | grep -qF -- "$1"; }

# type TEXT - as a person would
typed() { printf '%s\r' "$1" | vcons send deb; }

wait_for "the guest" said 'guest# '
# shellcheck disable=SC2016 # it is the guest's
typed 'stty raw -echo crtscts; echo R-"EADY"; head -c '$pasted' >/got; stty sane; echo G-"OT" $(md5sum </got)'
wait_for "the guest's reader" said R-EADY
head -c $pasted /dev/urandom >paste
vcons send deb <paste
wait_for "what was pasted" said G-OT
said "G-OT $(md5sum <paste | cut -d' ' -f1)" || fail "what was pasted did not arrive whole"
# shellcheck disable=SC2016
typed 'find / 2>/dev/null | head -c '$printed' >/all; echo >>/all; dmesg -n 1; echo S-"UM" $(md5sum </all); echo A-"LL"; cat /all; echo E-"ND"'
wait_for "much output" said E-ND
typed "grep '$line' /proc/interrupts; echo I-\"ND\""
wait_for "its interrupts" said I-ND
last deb 'poweroff -f'
wait $! || fail "vcons-vmm says $?"
log_of deb/uart | tr -d '\r' >log.deb
awk '/^E-ND/ { exit } on; /^A-LL/ { on = 1 }' log.deb >all
[ "$(wc -c <all)" -gt $printed ] || fail "only $(wc -c <all) bytes were printed"
grep -q "^S-UM $(md5sum <all | cut -d' ' -f1)" log.deb || { grep S-UM log.deb; fail "the output differs"; }
# Few interrupts bring much: the UART is filled again as it is read.
grep -v "grep '" log.deb | awk "/$line/"' { sum += $2 } END { exit !(sum >= 3) }' || { grep "$line" log.deb; fail "not by interrupts"; }
