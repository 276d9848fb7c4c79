# SPDX-License-Identifier: MIT
# shellcheck shell=dash source=tests/lab/cases/lib.sh
# tiny-arm64 is saved and restored again and again while it prints, on UARTs by interrupt and polled, and on its ring; and while four
# vCPUs send each other events by calls. They go on until they are told to end, however fast they are. No byte is missing or there twice,
# no event is lost, and what was typed before is read after.
. "$CASES/cases/lib.sh"
points=4
WAIT_S=200
service
vconsd=$!

# start NAME CMDLINE CONSOLE [VCPUS [MORE]] - of the type CONSOLE, and MORE of the configuration
start() {
    cat >"$1.conf" <<END
hypervisor { name = "hv-$1" console = none }
domain "$1" { kernel = "tiny" engine = kvm memory = 8M vcpus = ${4:-1} hold = forever cmdline = "$2" console "c" { type = $3 } ${5:-} }
END
    vcons-vmm "$1.conf" >"$1.out" 2>&1 &
}
bytes() { cat "log/$1/c/"[0-9]*.log 2>/dev/null | wc -c; }
more() { [ "$(bytes "$1")" -gt "$2" ]; }
said() { cat "log/$1/c/"[0-9]*.log 2>/dev/null | grep -q -- "$2"; }
off() { vcons ls | grep -q "^$1/c .* off "; }

# again NAME - saved, and it goes on. None of these guests ends before it is told to.
again() {
    vcons save "$1" "$1.saved" || fail "$1 is not saved"
    vcons restore "$1.saved" 2>restored || fail "$1 is not restored: $(cat restored)"
    rm "$1.saved"
}

# stand - the service takes no byte until it is asked to save: the line fills, then ring or UART, and there the guest stands
stand() {
    kill -STOP "$vconsd"
    usleep 300000
    { usleep 300000 && kill -CONT "$vconsd"; } &
}

for how in 'pl011 pl011 console=pl011' 'sbsa sbsa console=sbsa;uart=polled' 'ring xen console=hvc0'; do
    # shellcheck disable=SC2086 # three words
    set -- $how
    name=$1 n=0
    start "$name" "$3; quiet; spew 1000000000; poweroff" "$2"
    wait_for "$name" more "$name" 0
    while [ $n -lt $points ]; do
        if [ "$name" = ring ] || [ $((n % 2)) = 1 ]; then
            stand
        fi
        again "$name"
        n=$((n + 1))
        [ "$name" = ring ] || wait_for "more of $name" more "$name" "$(($(bytes "$name") + 100 * n))" # elsewhere in a line
    done
    printf '\003' | last -n "$name"
    wait_for "the end of $name" off "$name"
    [ "$(log_of "$name/c" | tail -c 5)" = "$(printf '\n^C\r\n')" ] || fail "$name did not end where it was told to"
    lines=$(($(log_of "$name/c" | wc -l) - 1))
    check_spew "log/$name/c" "$lines"
    echo "$(cut -d' ' -f1 /proc/uptime): $name was saved $n times in $lines lines"
done

# It reads what is typed at its other console, a byte of which ends its word, and not what is typed here.
start typed 'console=pl011; console=sbsa; quiet; sum 1' pl011 1 'console "d" { type = sbsa }'
wait_for "typed" sh -c "vcons ls | grep -q '^typed/d .* running '"
for i in 1 2 3 4 5 6 7 8 9; do
    printf 'echo line %d of what was typed before it was saved\r' $i
done | vcons send -n typed/d
again typed
[ ! -s "$(echo log/typed/d/0*.log)" ] || fail "it was to wait"
vcons send -n typed ' '
wait_for "its prompt" said typed 'tiny> '
printf 'poweroff\r' | last -n typed
wait_for "the end of typed" off typed
for i in 1 2 3 4 5 6 7 8 9; do
    [ "$(log_of typed/d | tr -d '\r' | grep -cx "line $i of what was typed before it was saved")" = 1 ] || fail "line $i of what was typed"
done

start events 'quiet; vcpus 4; echo begins; events 2 64 4000000000 4000000000; poweroff' xen 4
wait_for "the first events" said events begins
for n in 1 2 3; do
    again events
done
printf '\003' | last -n events
wait_for "the end of the events" off events
log_of events/c | grep -q ', none lost' || { log_of events/c; fail "events"; }
echo "$(cut -d' ' -f1 /proc/uptime): events went on, saved $n times"

# A file of one byte less, and one with another byte, are none.
start whole 'console=pl011; quiet; slow 1000000 100' pl011
wait_for "whole" said whole 'slow 1'
vcons save whole whole.saved || fail "whole is not saved"
head -c $(($(wc -c <whole.saved) - 1)) whole.saved >cut.saved
{ head -c 5000 whole.saved && printf '\377' && tail -c +5002 whole.saved; } >other.saved
for f in cut other; do
    vcons restore $f.saved 2>refused && fail "$f is restored"
    grep -qE "$f.saved: (damaged|ends early)" refused || { cat refused; fail "what it says of $f"; }
done
vcons restore whole.saved || fail "whole is not restored"
vcons stop whole
