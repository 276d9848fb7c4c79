# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh disable=SC2016
# xen_types-TYPE: Debian's kernel as a domain of this type, pv or pvh, on x86_64. xl create and xl console as ever; its log is its own
# dmesg from the first line on; what it says there it says again once xenconsoled has taken over, byte for byte the same.
# In the long run, which has pv too: a domain that xenconsoled had from the start and one that vconsd had say the same; and one of two PV
# consoles, the second given to it while it runs, both exact.
. "$CASES/cases/xenlib.sh"
[ "$1$VCONS_LONG" != pv ] || {
    echo "looked for in the long run only: one more boot of a kernel"
    exit 77
}
TYPE="type = \"$1\"" WAIT_S=1000 # the case's own limit comes first
SCRIPT='dmesg -n 1 # or the kernel speaks into lines
printf "%s\n" "#!/bin/sh" "i=0" "while [ \$i -lt 300 ]; do echo \"\$1 \$i of what it says\"; i=\$((i + 1)); done" >/bin/lines
chmod 755 /bin/lines
lines first'
CMDLINE='cmdline = "console=hvc0 rdinit=/init nowatchdog loglevel=8"'

# said WORD - of standard input, from the first to the last of the lines with this word
said() { sed -n "/^$1 0 /,/^$1 299 /p"; }
# exact FILE WORD - these lines are all that it has, as the guest's terminal gives them out
exact() {
    for i in $(seq 0 299); do printf '%s %d of what it says\r\n' "$2" "$i"; done >wanted
    same wanted "$1"
}
# on_console - follow the steps on its xl console
on_console() { chat -t 1000 shown xl console new || fail "xl console"; }
has_further() { [ "$(node new device/console/1/state)" = 4 ]; }

if [ -n "$VCONS_LONG" ]; then
    stock old "$SCRIPT
poweroff -f" "$CMDLINE"
    ended old
    consoled_said old | said first >old.first
fi

xen_service
stock new "$SCRIPT" "$CMDLINE"
on_console <<END
see domu# 
type lines again\r
see again 299 
see domu# 
type $SAY_ALL
see D-END
type \x1d
end 0
END
log_of new/pv0 >new.log
said_all new.log
said first <new.log >new.first
exact new.first first
[ -z "$VCONS_LONG" ] || same old.first new.first
said again <new.log >new.again
exact new.again again

if [ -n "$VCONS_LONG" ]; then
    vcons xen console add new
    wait_for "hvc1" has_further
    on_console <<'END'
type lines further >/dev/hvc1 & lines beside; wait; echo a$((6*7))\r
see \na42\r\n
type \x1d
end 0
END
    for door in pv0:beside pv1:further; do
        log_of "new/${door%:*}" | grep "^${door#*:} [0-9]" >"new.${door#*:}"
        exact "new.${door#*:}" "${door#*:}"
    done
fi

xen_service_stop
forget_tty new
consoled_start
wait_for "xenconsoled" served new
on_console <<'END'
type lines again\r
see again 299 
see domu# 
type poweroff -f\r
end 0
END
ended new
consoled_said new | said again >xenconsoled.again
same xenconsoled.again new.again
