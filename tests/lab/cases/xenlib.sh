# SPDX-License-Identifier: MIT
# shellcheck shell=dash disable=SC2034 source=tests/lab/cases/lib.sh
# What the cases in a real Xen's dom0 share: . "$CASES/cases/xenlib.sh"
. "$CASES/cases/lib.sh"
case $WAY in
    xen) TINY=$CASES/bin/tiny-pvh TYPE='type = "pvh"' ;;
    xen-arm64) TINY=$CASES/bin/tiny-arm64 TYPE= ;;
esac
CONSOLED_LOG=/var/log/xen/console
SERVICE= # the pid of vconsd, once xen_service has put it there

# create NAME [LINE]... - a domain of these lines of its configuration beside what all have: tiny with 16 MiB, two vCPUs,
# destroyed however it ends. A later line wins. As OPTIONS says: OPTIONS=-p create ...
create() {
    local name=$1
    shift
    {
        printf 'name = "%s"\n' "$name"
        printf '%s\n' "kernel = \"$TINY\"" 'memory = 16' 'vcpus = 2' "$TYPE" \
            'on_poweroff = "destroy"' 'on_reboot = "destroy"' 'on_crash = "destroy"' "$@"
    } >"$name.cfg"
    # shellcheck disable=SC2086 # options are words
    xl create ${OPTIONS-} "$name.cfg" >"$name.create" 2>&1 || { cat "$name.create"; fail "xl create $name"; }
}

# tiny NAME CMDLINE [LINE]... - a domain that runs tiny with these words
tiny() {
    local name=$1 words=$2
    shift 2
    create "$name" "cmdline = \"$words\"" "$@"
}

# stock NAME START [LINE]... - a domain that runs Debian's kernel with a busybox root, which sources the text START before its shell
stock() {
    local name=$1
    mkdir -p "root-$name"
    printf '%s\n' "$2" >"root-$name/start"
    chmod 755 "root-$name/start"
    { cat /boot/domu.cpio.gz; (cd "root-$name" && find . | cpio -o -H newc 2>/dev/null | gzip -1); } >"$name.cpio"
    shift 2
    create "$name" 'kernel = "/boot/vmlinuz"' "ramdisk = \"$PWD/$name.cpio\"" 'memory = 128' 'vcpus = 1' \
        'cmdline = "console=hvc0 rdinit=/init"' "$@"
}

gone() { ! xl domid "$1" >/dev/null 2>&1; }
# kept NAME - all that it said is where it belongs: who served its console has let go of it
kept() {
    if [ -n "$SERVICE" ]; then
        vcons ls | grep -qE "^$1/pv0 +off "
    else
        ! ls -l "/proc/$(pidof xenconsoled)/fd" | grep -qF "guest-$1.log"
    fi
}
# ended NAME - wait for its end, and until its last byte is in the log
ended() {
    wait_for "the end of $1" gone "$1"
    wait_for "the last that $1 said" kept "$1"
}
# domid NAME
domid() { xl domid "$1"; }
# node NAME PATH - a node of the domain's own directory in XenStore
node() { xenstore-read "/local/domain/$(domid "$1")/$2" 2>/dev/null; }

# ring NAME WHAT... - its console's ring by hand (programs/xen_ring.c); most of it while nobody serves it
ring() {
    local name=$1
    shift
    xen_ring "$(domid "$name")" "$(node "$name" console/ring-ref)" "$(node "$name" console/port)" "$@"
}
# full NAME - its guest waits for somebody to read
full() { ring "$1" show | awk '{ exit $8 - $6 != 2048 }'; }
# rests NAME - it has the port of VIRQ_DEBUG, which a word `bind virq 1` gave it, and waits for something
rests() {
    xl debug-keys e # Xen tells of all event channels; state 5 is a virq
    xl dmesg | sed -n "/for domain $(domid "$1"):/,/for domain/p" | grep -qE 's=5 .*v=1( |$)' && xl list "$1" | grep -q -- ' -b---- '
}
# served NAME - whoever serves its console has given it a terminal, since forget_tty
served() { [ -n "$(node "$1" console/tty)" ]; }
forget_tty() { xenstore-rm "/local/domain/$(domid "$1")/console/tty"; }

# dom0_first - domains that spin in front of full rings leave the processors to it
dom0_first() { xl sched-credit2 -d 0 -w 60000; }

no_process() { ! pidof "$1" >/dev/null; }
# consoled_stop, consoled_start - Xen's own daemon
consoled_stop() {
    ! pidof xenconsoled >/dev/null || kill "$(pidof xenconsoled)"
    wait_for "the end of xenconsoled" no_process xenconsoled
}
consoled_start() {
    no_process xenconsoled || return 0
    xenconsoled --pid-file=/run/xenconsoled.pid --log=guest
}
# consoled_said NAME - all that it logged of that domain
consoled_said() { cat "$CONSOLED_LOG/guest-$1.log"; }

# xen_service [OPTION]... - vconsd in place of xenconsoled; its pid is $SERVICE
xen_service() {
    consoled_stop
    vconsd --foreground --xen "$@" 2>>vconsd.err &
    SERVICE=$!
    wait_for "vconsd" vcons status >/dev/null 2>&1
}
# xen_service_stop [SIGNAL]
xen_service_stop() {
    kill "-${1:-TERM}" "$SERVICE"
    wait "$SERVICE" 2>/dev/null || true
    SERVICE=
}

# What a case left is ended (run-cases), but not its domains; and each begins with Xen's own daemon, which appends to what it has of
# another domain of that name.
for left in $(xl list | awk 'NR > 1 && $1 !~ /^(Domain-0|\(null\)|dom0less-.*)$/ { print $1 }'); do
    xl destroy "$left"
done
rm -f "$CONSOLED_LOG"/guest-*.log
consoled_start
