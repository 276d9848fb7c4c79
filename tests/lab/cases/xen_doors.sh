# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh disable=SC2016
# A stock guest on all the consoles it has: its PV console, one more that it is given while it runs and takes as hvc1, and the UART that Xen
# emulates for it. All print at once, vconsd is killed meanwhile, and each is exact. It sees hvc1 go.
. "$CASES/cases/xenlib.sh"
N=600

# Who opens hvc1 before its driver is done with XenStore has what he prints thrown away by Linux (6.1, xencons_connect_backend: hvc_alloc
# comes before the list in which domU_write_console looks).
xen_service
stock doors 'lines() { i=0; while [ $i -lt '$N' ]; do echo "$1 $i of what it says there"; i=$((i + 1)); done; echo "$1 is through"; }
echo "REA""DY"
until grep -q Connected /sys/bus/xen/devices/console-1/state 2>/dev/null; do usleep 100000; done
lines vuart >/dev/ttyAMA0 &
lines further >/dev/hvc1 &
lines first
wait
echo "DO""NE"
while (: >/dev/hvc1) 2>/dev/null; do usleep 100000; done
poweroff -f' 'vuart = "sbsa_uart"' 'cmdline = "console=hvc0 rdinit=/init quiet nosoftlockup"'
says() { log_of "doors/$1" 2>/dev/null | tr -d '\r' | grep -q "^$2"; }
wait_for "its console" says pv0 READY
vcons xen console add doors
wait_for "output on it" says pv1 'further '
xen_service_stop KILL
xen_service
wait_for "all to be said" says pv0 DONE
for door in pv0:first pv1:further vuart0:vuart; do
    name=${door#*:} door=${door%:*}
    wait_for "the last of $door" says "$door" "$name is through"
    log_of "doors/$door" | tr -d '\r' | grep -E "^$name " >said
    { for i in $(seq 0 $((N - 1))); do echo "$name $i of what it says there"; done; echo "$name is through"; } >wanted
    same wanted said
done

vcons xen console remove doors pv1
ended doors
