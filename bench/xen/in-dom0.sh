# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/xenlib.sh
# In the dom0 of a real Xen: in-dom0.sh ROUNDS LINES LINES_OF_XENCONSOLED KEYS. In each round vconsd, a drain loop that does no more than it
# must (xen_ring drain) and xenconsoled, one after the other. Prints a line for each figure: what, who, and
#     flood    bytes and seconds of LINES lines of 80 bytes, by the guest's own clock
#     echo     nanoseconds of a key's way there and back beside a domain that prints without end, of KEYS the median, the mean and the
#              99th in 100, on the console's terminal; of "socket", on vconsd's own; of "held", by vconsd with a limit for that domain,
#              as much as xenconsoled let it print meanwhile, and of "held-socket"; of "ring", alone and by a loop that does no more than
#              it must
#     noise    bytes and seconds of that domain meanwhile
#     start    nanoseconds from the start of the service until it serves the consoles of eight domains
#     memory   KiB of its own for each of these consoles
. "$CASES/cases/xenlib.sh"
rounds=$1 lines=$2 slow_lines=$3 keys=$4
all='d1 d2 d3 d4 d5 d6 d7 d8'

stop() {
    if [ -n "$SERVICE" ]; then xen_service_stop TERM; else consoled_stop; fi
}
start() {
    case $1 in
        vcons) xen_service ;;
        held)
            printf 'console "noise*/pv0" {\n    limit = %d\n}\n' "$rate" >held.conf
            xen_service --config held.conf
            ;;
        *) consoled_start ;;
    esac
}
pid_of() { if [ "$1" = vcons ]; then echo "$SERVICE"; else pidof xenconsoled; fi; }
said_to() { if [ "$1" = xenconsoled ]; then consoled_said "$2"; else log_of "$2/pv0"; fi; }
prompts() { said_to "$1" "$2" 2>/dev/null | tail -n 1 | grep -q '^tiny> $'; }
kib() { awk '/^RssAnon:/ { print $2 }' "/proc/$(pid_of "$1")/status"; }

# seconds FILE - between the first and the last line that says the time
seconds() { sed -n 's/^time \([0-9.]*\).*/\1/p' "$1" | awk 'NR == 1 { t = $1 } END { printf "%.9f", $1 - t }'; }

# flood WHO NAME LINES
flood() {
    OPTIONS=-p tiny "$2" "quiet; time; spew $3; time; poweroff" 'vcpus = 1'
    if [ "$1" = drain ]; then
        consoled_stop
        rm -f said
        ring "$2" drain said >drained &
        drain=$!
        wait_for "the drain loop" [ -e said ] # or the guest's clock runs while it has yet to start
    fi
    xl unpause "$2"
    if [ "$1" = drain ]; then
        wait_for "the end of $2" gone "$2"
        wait "$drain" || fail "the drain loop"
        consoled_start
    else
        ended "$2"
        said_to "$1" "$2" >said
    fi
    [ "$(grep -c '^[0-9]' said)" = "$3" ] || fail "$1 has $(grep -c '^[0-9]' said) of $3 lines"
    echo "flood $1 $(($3 * 80)) $(seconds said)"
}

# printed NAME - so many bytes, since it is there
printed() { ring "$1" show | awk '{ print $6 }'; }

# echoes WHO ROUND
echoes() {
    tiny "noise$2$1" "quiet; spew 1000000000" 'vcpus = 1'
    tiny "key$2$1" "quiet" 'vcpus = 1'
    wait_for "its prompt" prompts "$1" "key$2$1"
    bytes=$(printed "noise$2$1") began=$(dom0_tty now)
    echo "echo $1 $(dom0_tty echo "$(node "key$2$1" console/tty)" "$keys")"
    set -- "$1" "$2" "$(($(printed "noise$2$1") - bytes))" "$(($(dom0_tty now) - began))"
    echo "noise $1 $3 $4" | awk '{ printf "%s %s %d %.9f\n", $1, $2, $3, $4 / 1e9 }'
    case $1 in
        vcons) echo "echo socket $(dom0_tty echo "run/consoles/key$2$1/pv0.sock" "$keys")" ;;
        held) echo "echo held-socket $(dom0_tty echo "run/consoles/key$2$1/pv0.sock" "$keys")" ;;
        *) rate=$(echo "$3 $4" | awk '{ rate = $1 * 1e9 / $2; printf "%d", rate < 1024 ? 1024 : rate }') ;;
    esac
    xl destroy "noise$2$1"
    if [ "$1" = vcons ]; then
        stop
        echo "echo ring $(ring "key$2$1" echo "$keys")"
        start vcons
    fi
    xl destroy "key$2$1"
}

# vcons_begin - as xen_service, and no wait
vcons_begin() {
    vconsd --foreground --xen 2>>vconsd.err &
    SERVICE=$!
}
# starts WHO - a watch says something at once, and then when it changes
starts() {
    local watched='' name
    for name in $all; do
        forget_tty "$name"
        watched="$watched /local/domain/$(domid "$name")/console/tty"
    done
    # shellcheck disable=SC2086 # paths
    xenstore-watch -n 16 $watched >changed &
    watch=$!
    wait_for "the watches" watching
    began=$(dom0_tty now)
    if [ "$1" = vcons ]; then vcons_begin; else consoled_start; fi
    wait "$watch"
    echo "start $1 $(($(dom0_tty now) - began))"
}
watching() { [ "$(wc -l <changed)" -ge 8 ]; }

consoled_stop
for who in vcons xenconsoled; do
    start $who
    eval "empty_$who=$(kib $who)"
    stop
done
consoled_start
for name in $all; do
    tiny "$name" "quiet" 'vcpus = 1'
done
stop
for round in $(seq "$rounds"); do
    for who in vcons xenconsoled; do
        starts $who
        eval "echo memory $who \$((\$(kib $who) - empty_$who)) 8"
        stop
    done
done
consoled_start
for name in $all; do
    xl destroy "$name"
done
stop
for round in $(seq "$rounds"); do
    start vcons
    flood vcons "flood$round" "$lines"
    echoes vcons "$round"
    stop
    start xenconsoled
    flood drain "flood$round" "$lines"
    flood xenconsoled "flood$round" "$slow_lines"
    echoes xenconsoled "$round"
    stop
    start held
    echoes held "$round"
    stop
done
