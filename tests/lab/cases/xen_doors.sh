# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh disable=SC2016
# A stock guest on all the consoles it has: its PV console, and the UART that Xen emulates for it, both at once, each exact.
. "$CASES/cases/xenlib.sh"
N=1000

xen_service
stock doors 'echo "REA""DY"; read x
lines() { i=0; while [ $i -lt '$N' ]; do echo "$1 $i of what it says there"; i=$((i + 1)); done; echo "$1 is through"; }
lines vuart >/dev/ttyAMA0 &
lines hvc0
wait
poweroff -f' 'vuart = "sbsa_uart"' 'cmdline = "console=hvc0 rdinit=/init quiet"'
is_ready() { log_of doors/pv0 2>/dev/null | grep -q READY; }
wait_for "its console" is_ready
printf '\r' | vcons send doors/pv0
ended doors
for door in pv0 vuart0; do
    log_of doors/$door | tr -d '\r' | grep -E '^(hvc0|vuart) ' >said
    name=vuart
    [ $door = vuart0 ] || name=hvc0
    { for i in $(seq 0 $((N - 1))); do echo "$name $i of what it says there"; done; echo "$name is through"; } >wanted
    same wanted said
done
