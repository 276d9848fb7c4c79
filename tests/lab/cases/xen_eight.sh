# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# Eight domains that have filled their rings before there is anybody to read: all of them are complete once vconsd comes.
. "$CASES/cases/xenlib.sh"
dom0_first
all='d1 d2 d3 d4 d5 d6 d7 d8'
for name in $all; do
    OPTIONS=-p tiny $name "quiet; spew 300; poweroff" 'vcpus = 1'
done
consoled_stop
for name in $all; do
    xl unpause $name
    wait_for "$name to fill its ring" full $name
done
xen_service
for name in $all; do
    ended $name
    check_spew log/$name/pv0 300
done
