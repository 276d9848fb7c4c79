# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/virtio.sh
# One stock guest with a console at every door that its machine has, all of them printing at once: every log is exact.
. "$CASES/cases/virtio.sh"
virtio_ramdisk initrd
cat >consoles <<'END'
v1 0 virtio
v2 1 virtio
p1 0 virtio-port
v3 1 virtio
p2 1 virtio-port
END
# Which terminal of the guest each console is.
case $WAY in
arm64)
    others='    console "sbsa" { type = sbsa }' more=ttyAMA1 lines=800
    printf '%s\n' 'sbsa ttyAMA1' 'v1 hvc0' 'v2 hvc1' 'v3 hvc2' >terminals
    ;;
*)
    others='    console "pv" { type = xen } console "uart" { type = 16550 }' more=ttyS0 lines=1500
    printf '%s\n' 'pv hvc1' 'uart ttyS0' 'v1 hvc2' 'v2 hvc3' 'v3 hvc4' >terminals
    ;;
esac
printf '%s\n' 'p1 p1' 'p2 p2' >>terminals
cmdline="$cmdline more=$more"
domain 2 5 "" <consoles | sed "/console \"boot\"/a\\$others" >deb.conf

service
vcons-vmm deb.conf >vmm.out 2>&1 &
WAIT_S=200 boot 1
echo "up at $(cut -d' ' -f1 /proc/uptime)"
everybody_talks "$(wc -l <terminals)"
# A UART takes an exit or two for each byte, and an emulated machine makes some hundred a second beside others.
from=10000
while read -r name terminal; do
    last=$((from + lines))
    [ "$WAY" != arm64 ] || [ "$terminal" = "${terminal#tty}" ] || last=$((from + 200))
    tell "$name" "print $from $last"
    { echo "I am $terminal"; seq $from $last; echo "$terminal got print $from $last"; } >"all.$name"
    from=$((from + 10000))
done <terminals
vcons send deb "seq $((lines / 3)); echo seq \"done\""
all_done() {
    sleep 1 # looking is not for free
    [ "$(cat log/deb/*/0*.log | grep -c 'got print')" = "$(wc -l <terminals)" ] && grep -qs '^seq done' log/deb/boot/0*.log
}
wait_for "all that they print" all_done
echo "printed at $(cut -d' ' -f1 /proc/uptime)"
while read -r name _; do
    log_of "deb/$name" | tr -d '\r' >"log.$name"
    same "all.$name" "log.$name"
done <terminals
seq $((lines / 3)) >wanted
log_of deb/boot | tr -d '\r' | sed '1,/^guest: up/d' | grep -x '[0-9][0-9]*' >first || true
same wanted first
vcons stop deb
